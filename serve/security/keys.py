"""API keys: made of 160 random bits, shown once, stored as a hash, bound to one desk, with scopes and an end."""

import hashlib
import re
import secrets
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from serve.storage.database import Database
from serve.storage.tables import api_keys

SCOPES = ("triage", "suggest", "knowledge:read", "internal")
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Seconds; a key that is revoked must be refused within one.
BELIEVED = 0.5
#: Keys that are remembered at a time.
MAX_KNOWN = 10_000
KEY = re.compile(rf"fl_([{ALPHABET}]{{32}})([{ALPHABET}]{{6}})")


@dataclass(frozen=True)
class Caller:
    """Who calls: the key's id, its desk, and what it may do."""

    key_id: str
    desk: str
    scopes: frozenset[str]


def new_key() -> str:
    """Return a fresh key: prefix, 32 random characters, six of checksum (so that a typing error needs no database)."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(32))
    return f"fl_{body}{_checksum(body)}"


def is_well_formed(key: str) -> bool:
    """Tell whether a text has the shape of a key and its checksum holds."""
    match = KEY.fullmatch(key)
    return match is not None and secrets.compare_digest(_checksum(match.group(1)), match.group(2))


@dataclass(frozen=True)
class _Known:
    """A key that was looked up: who it stands for, when it runs out, and when (monotonic) it is looked up again."""

    caller: Caller
    end: datetime
    until: float


class KeyStore:
    """Keys at rest: only their SHA-256 (160 random bits need no slow hash).

    A key that was found is believed for `BELIEVED` seconds; a key that was not is looked up each time.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._known: dict[str, _Known] = {}

    def add(self, key: str, desk: str, scopes: Iterable[str], now: datetime, expires_at: datetime) -> None:
        """Store a key's hash, and forget keys that have run out."""
        row = {
            "id": key[3:11],
            "sha256": _digest(key),
            "desk": desk,
            "scopes": " ".join(sorted(scopes)),
            "created_at": now.astimezone(UTC),
            "expires_at": expires_at.astimezone(UTC),
        }
        with self._database.writing() as connection:
            connection.execute(delete(api_keys).where(api_keys.c.expires_at < now.astimezone(UTC)))
            connection.execute(insert(api_keys), row)

    def find(self, key: str, now: datetime) -> Caller | None:
        """Return who a key stands for, or None where it is malformed, unknown or has run out."""
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
        if row is None:
            return None
        end = row.expires_at if row.expires_at.tzinfo else row.expires_at.replace(tzinfo=UTC)
        known = _Known(Caller(row.id, row.desk, frozenset(row.scopes.split())), end, moment + BELIEVED)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[digest] = known
        return known


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    return "".join(ALPHABET[(value >> (5 * place)) & 31] for place in range(6))
