"""API keys: made of 160 random bits, shown once, stored as a hash, bound to one desk, with scopes and an end."""

import hashlib
import re
import secrets
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Row, insert, select, update

from serve.storage.audit_log import COMMAND_LINE, AuditEntry, AuditLog
from serve.storage.database import Database
from serve.storage.tables import api_keys

SCOPES = (
    "triage",
    "suggest",
    "feedback",
    "knowledge:read",
    "knowledge:write",
    "knowledge:publish",
    "internal",
    "admin",
    "metrics",
)
#: The scopes of a key where none was asked for: nothing that changes what other people are told.
DEFAULT_SCOPES = ("triage", "suggest", "feedback", "knowledge:read", "internal")
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Seconds; a key that is revoked must be refused within one.
BELIEVED = 0.5
#: Keys that are remembered at a time.
MAX_KNOWN = 10_000
KEY = re.compile(rf"fl_([{ALPHABET}]{{32}})([{ALPHABET}]{{6}})")

KeyState = Literal["valid", "expired", "revoked"]


@dataclass(frozen=True)
class Caller:
    """Who calls: the key's id, its desk, what it may do, and how many requests a minute (None: the usual number)."""

    key_id: str
    desk: str
    scopes: frozenset[str]
    per_minute: int | None = None


@dataclass(frozen=True)
class KeyOptions:
    """What may be said of a key that is made: a name for people, requests a minute, and who makes it."""

    name: str = ""
    per_minute: int | None = None
    actor: str = COMMAND_LINE


@dataclass(frozen=True)
class KeyInfo:
    """What is known of a key: all but the key, and its hash."""

    id: str
    desk: str
    name: str
    scopes: tuple[str, ...]
    per_minute: int | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    def state(self, now: datetime) -> KeyState:
        """Say whether the key is of use."""
        if self.revoked_at is not None:
            return "revoked"
        return "valid" if now < self.expires_at else "expired"


def new_key() -> str:
    """Return a fresh key: prefix, 32 random characters, six of checksum (so that a typing error needs no database)."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(32))
    return f"fl_{body}{_checksum(body)}"


def is_well_formed(key: str) -> bool:
    """Tell whether a text has the shape of a key and its checksum holds."""
    match = KEY.fullmatch(key)
    return match is not None and secrets.compare_digest(_checksum(match.group(1)), match.group(2))


def id_of(key: str) -> str:
    """Return the id of a key: its first eight characters after the prefix, by which lists and logs name it."""
    return key[3:11]


@dataclass(frozen=True)
class _Known:
    """A key that was looked up: who it stands for, when it runs out, and when (monotonic) it is looked up again."""

    caller: Caller
    end: datetime
    until: float


class KeyStore:
    """Keys at rest: only their SHA-256 (160 random bits need no slow hash).

    A key that was found is believed for `BELIEVED` seconds; a key that was not is looked up each time. Rows stay when a
    key runs out or is revoked: feedback, article versions and the audit log name keys by their id.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._known: dict[str, _Known] = {}

    def add(
        self,
        key: str,
        desk: str,
        scopes: Iterable[str],
        now: datetime,
        expires_at: datetime,
        options: KeyOptions = KeyOptions(),
    ) -> None:
        """Store a key's hash, and say so in the audit log (not its name, which may be a person's)."""
        end, granted = expires_at.astimezone(UTC), " ".join(sorted(scopes))
        row = {
            "id": id_of(key),
            "sha256": _digest(key),
            "desk": desk,
            "scopes": granted,
            "name": options.name,
            "per_minute": options.per_minute,
            "created_at": now,
            "expires_at": end,
        }
        details: dict[str, str | int] = {"scopes": granted, "expires_at": end.isoformat(timespec="seconds")}
        if options.per_minute is not None:
            details["per_minute"] = options.per_minute
        with self._database.writing() as connection:
            connection.execute(insert(api_keys), row)
            AuditLog.add(connection, AuditEntry(desk, now, options.actor, "key.create", id_of(key), details))

    def list(self, desk: str) -> tuple[KeyInfo, ...]:
        """Return a desk's keys, those that are of no use any more too, oldest first."""
        query = select(api_keys).where(api_keys.c.desk == desk).order_by(api_keys.c.created_at, api_keys.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(
            KeyInfo(
                row.id,
                row.desk,
                row.name,
                tuple(row.scopes.split()),
                row.per_minute,
                row.created_at,
                row.expires_at,
                row.revoked_at,
            )
            for row in rows
        )

    def revoke(self, desk: str, key_id: str, now: datetime, actor: str = COMMAND_LINE) -> bool:
        """Refuse a desk's key: every worker does so within `BELIEVED` seconds.

        Returns False where the desk has no such key. A key that is revoked already stays so, with its first date.
        """
        of_desk = (api_keys.c.desk == desk) & (api_keys.c.id == key_id)
        with self._database.writing() as connection:
            done = connection.execute(
                update(api_keys).where(of_desk, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
            ).rowcount
            digest = connection.execute(select(api_keys.c.sha256).where(of_desk)).scalar_one_or_none()
            if done:
                AuditLog.add(connection, AuditEntry(desk, now, actor, "key.revoke", key_id, {}))
        if digest is not None:
            self._known.pop(digest, None)
        return digest is not None

    def find(self, key: str, now: datetime) -> Caller | None:
        """Return who a key stands for, or None where it is malformed, unknown, revoked or has run out."""
        if not is_well_formed(key):
            return None
        digest, moment = _digest(key), self._clock()
        known = self._known.get(digest)
        if known is None or known.until <= moment:
            known = self._look_up(digest, moment)
        return known.caller if known is not None and now < known.end else None

    def _look_up(self, digest: str, moment: float) -> _Known | None:
        with self._database.reading() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.sha256 == digest)).one_or_none()
        self._known.pop(digest, None)
        if row is None or row.revoked_at is not None:
            return None
        known = _Known(_caller(row), row.expires_at, moment + BELIEVED)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[digest] = known
        return known


def _caller(row: Row[tuple[object, ...]]) -> Caller:
    return Caller(row.id, row.desk, frozenset(row.scopes.split()), row.per_minute)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    return "".join(ALPHABET[(value >> (5 * place)) & 31] for place in range(6))
