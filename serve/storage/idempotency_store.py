"""Answers by Idempotency-Key: who begins, who must wait, and what was answered."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from serve.storage.database import Database
from serve.storage.tables import idempotency_keys

#: For so long the same key gives the same answer.
KEPT = timedelta(hours=24)
#: A request that has not been answered by then is taken for dead, and the next one with its key is carried out.
LEASE = timedelta(seconds=60)
#: Rows that are over, removed with each new one.
SWEPT = 20


@dataclass(frozen=True)
class Claim:
    """A request with a key: whose, which, and what it is; owner: names this one try at it, unlike any other."""

    desk: str
    key_id: str
    key: str
    fingerprint: str
    owner: str
    now: datetime


@dataclass(frozen=True)
class Kept:
    """An answer as it was given."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Found:
    """An earlier request with the same key. answer: None while it is being answered."""

    fingerprint: str
    answer: Kept | None


class IdempotencyStore:
    """The keys of all callers. Each method is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, claim: Claim) -> Found | None:
        """Claim a key; None where this try is the one to be carried out, else what came before."""
        try:
            return self._begin(claim)
        except IntegrityError:  # another began between the look and the write
            return self._begin(claim)

    def _begin(self, claim: Claim) -> Found | None:
        values = {
            "desk": claim.desk,
            "fingerprint": claim.fingerprint,
            "owner": claim.owner,
            "created_at": claim.now,
            "locked_until": claim.now + LEASE,
            "status": None,
            "headers": None,
            "body": None,
        }
        with self._database.writing() as connection:
            row = connection.execute(select(idempotency_keys).where(*_is(claim)).with_for_update()).one_or_none()
            if row is not None and not _is_over(row, claim.now):
                return Found(row.fingerprint, _answer(row))
            if row is not None:
                connection.execute(update(idempotency_keys).where(*_is(claim)).values(values))
            else:
                own = {"key_id": claim.key_id, "idempotency_key": claim.key}
                connection.execute(insert(idempotency_keys), own | values)
            old = select(idempotency_keys.c.key_id, idempotency_keys.c.idempotency_key).where(
                idempotency_keys.c.created_at < claim.now - KEPT
            )
            for key_id, key in connection.execute(old.limit(SWEPT)).all():
                table = idempotency_keys.c
                connection.execute(delete(idempotency_keys).where(table.key_id == key_id, table.idempotency_key == key))
        return None

    def finish(self, claim: Claim, answer: Kept) -> None:
        """Keep the answer of one's own try; where another took over meanwhile, its answer counts."""
        values = {"status": answer.status, "headers": json.dumps(answer.headers), "body": answer.body}
        with self._database.writing() as connection:
            connection.execute(update(idempotency_keys).where(*_is_own(claim)).values(values))

    def give_up(self, claim: Claim) -> None:
        """Forget one's own try: the next request with this key is carried out."""
        with self._database.writing() as connection:
            connection.execute(delete(idempotency_keys).where(*_is_own(claim)))


def _is(claim: Claim) -> tuple[Any, ...]:
    return idempotency_keys.c.key_id == claim.key_id, idempotency_keys.c.idempotency_key == claim.key


def _is_own(claim: Claim) -> tuple[Any, ...]:
    return *_is(claim), idempotency_keys.c.owner == claim.owner, idempotency_keys.c.status.is_(None)


def _is_over(row: Row[Any], now: datetime) -> bool:
    """Tell whether a row no longer counts: its day is over, or whoever began has died."""
    died = row.status is None and row.locked_until <= now
    return bool(died or row.created_at < now - KEPT)


def _answer(row: Row[Any]) -> Kept | None:
    if row.status is None:
        return None
    return Kept(row.status, tuple((name, value) for name, value in json.loads(row.headers)), row.body)
