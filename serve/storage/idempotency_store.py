"""Answers by Idempotency-Key: who begins, who must wait, and what was answered."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from serve.storage.database import Database
from serve.storage.tables import idempotency_keys

#: For so long the same key gives the same answer.
KEPT = timedelta(hours=24)
#: A request that has not been answered by then is taken for dead, and the next one with its key is carried out.
LEASE = timedelta(seconds=60)
#: Rows whose day is over, removed with each new one: more than come, so that they get fewer.
SWEPT = 20
#: Looks at a key that others claim and forget meanwhile.
LOOKS = 5

ROWS = idempotency_keys.c


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
        for _ in range(LOOKS):
            try:
                return self._begin(claim)
            except IntegrityError:  # on PostgreSQL another began between the look and the write
                continue
        return self._begin(claim)

    def _begin(self, claim: Claim) -> Found | None:
        with self._database.writing() as connection:
            row = connection.execute(select(idempotency_keys).where(_is(claim)).with_for_update()).one_or_none()
            if row is not None and not _is_over(row, claim.now):
                return Found(row.fingerprint, _answer(row))
            if row is not None:
                connection.execute(update(idempotency_keys).where(_is(claim)).values(_begun(claim)))
            else:
                own = {"key_id": claim.key_id, "idempotency_key": claim.key}
                connection.execute(insert(idempotency_keys), own | _begun(claim))
            _sweep(connection, claim.now)
        return None

    def finish(self, claim: Claim, answer: Kept) -> None:
        """Keep the answer of one's own try; where another took over meanwhile, its answer counts."""
        values = {"status": answer.status, "headers": json.dumps(answer.headers), "body": answer.body}
        with self._database.writing() as connection:
            connection.execute(update(idempotency_keys).where(_is_own(claim)).values(values))

    def give_up(self, claim: Claim) -> None:
        """Forget one's own try: the next request with this key is carried out."""
        with self._database.writing() as connection:
            connection.execute(delete(idempotency_keys).where(_is_own(claim)))


def _begun(claim: Claim) -> dict[str, object]:
    return {
        "desk": claim.desk,
        "fingerprint": claim.fingerprint,
        "owner": claim.owner,
        "created_at": claim.now,
        "locked_until": claim.now + LEASE,
        "status": None,
        "headers": None,
        "body": None,
    }


def _sweep(connection: Connection, now: datetime) -> None:
    """Remove some of the rows whose day is over; those that another one is removing are left to it."""
    old = select(ROWS.key_id, ROWS.idempotency_key).where(ROWS.created_at < now - KEPT).limit(SWEPT)
    found = connection.execute(old.with_for_update(skip_locked=True)).all()
    if found:
        these = (and_(ROWS.key_id == key_id, ROWS.idempotency_key == key) for key_id, key in found)
        connection.execute(delete(idempotency_keys).where(or_(*these)))


def _is(claim: Claim) -> ColumnElement[bool]:
    return and_(ROWS.key_id == claim.key_id, ROWS.idempotency_key == claim.key, ROWS.desk == claim.desk)


def _is_own(claim: Claim) -> ColumnElement[bool]:
    return and_(_is(claim), ROWS.owner == claim.owner, ROWS.status.is_(None))


def _is_over(row: Row[Any], now: datetime) -> bool:
    """Tell whether a row no longer counts: its day is over, or whoever began has died."""
    died = row.status is None and row.locked_until <= now
    return bool(died or row.created_at < now - KEPT)


def _answer(row: Row[Any]) -> Kept | None:
    if row.status is None:
        return None
    return Kept(row.status, tuple((name, value) for name, value in json.loads(row.headers)), row.body)
