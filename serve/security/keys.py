"""API keys: made of 160 random bits, shown once, stored as a hash, bound to one desk, with scopes and an end."""

import hashlib
import re
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from serve.storage.database import Database
from serve.storage.tables import api_keys

SCOPES = ("triage", "suggest", "knowledge:read", "internal")
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
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


class KeyStore:
    """Keys at rest: only their SHA-256 (160 random bits need no slow hash)."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        with self._database.reading() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.sha256 == _digest(key))).one_or_none()
        if row is None:
            return None
        end = row.expires_at if row.expires_at.tzinfo else row.expires_at.replace(tzinfo=UTC)
        return Caller(row.id, row.desk, frozenset(row.scopes.split())) if now < end else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    return "".join(ALPHABET[(value >> (5 * place)) & 31] for place in range(6))
