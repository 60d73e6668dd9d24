"""People who signed in to the console: a key, exchanged for something that a browser keeps and no script can read."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from serve.security.keys import BELIEVED, Caller
from serve.storage.audit_log import AuditEntry, AuditLog
from serve.storage.database import Database
from serve.storage.tables import api_keys, sessions

#: A working day; whoever works on signs in again.
LASTS = timedelta(hours=12)
#: Sessions that are remembered at a time.
MAX_KNOWN = 10_000


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in: what their key may do, and the name that they gave."""

    caller: Caller
    agent: str
    expires_at: datetime

    @property
    def is_lead(self) -> bool:
        """Whether they may see and approve what others did."""
        return "admin" in self.caller.scopes


@dataclass(frozen=True)
class _Known:
    """A session that was looked up, and when (monotonic) it is looked up again."""

    session: Session
    until: float


class SessionStore:
    """Sessions at rest: only the SHA-256 of 256 random bits.

    A session ends with its key: one that is revoked or has run out opens nothing, in every worker within `BELIEVED`
    seconds. The same holds for who signs out.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._known: dict[str, _Known] = {}

    def open(self, caller: Caller, agent: str, now: datetime, instead_of: str = "") -> str:
        """Begin a session and return its token, which is never shown again.

        instead_of: the token that the browser had until now, which is worth nothing from here on.
        """
        token = secrets.token_urlsafe(32)
        row = {"sha256": _digest(token), "key_id": caller.key_id, "desk": caller.desk, "agent": agent}
        with self._database.writing() as connection:
            old = (sessions.c.expires_at < now) | (sessions.c.sha256 == _digest(instead_of))
            connection.execute(delete(sessions).where(old))
            connection.execute(insert(sessions), row | {"created_at": now, "expires_at": now + LASTS})
            AuditLog.add(connection, AuditEntry(caller.desk, now, caller.key_id, "session.open", caller.key_id, {}))
        self._known.pop(_digest(instead_of), None)
        return token

    def find(self, token: str, now: datetime) -> Session | None:
        """Return whose token it is; None where it is nobody's (any more)."""
        if not token:
            return None
        digest, moment = _digest(token), self._clock()
        known = self._known.get(digest)
        if known is None or known.until <= moment:
            known = self._look_up(digest, moment)
        return known.session if known is not None and now < known.session.expires_at else None

    def close(self, token: str) -> None:
        """End a session."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.sha256 == _digest(token)))
        self._known.pop(_digest(token), None)

    def _look_up(self, digest: str, moment: float) -> _Known | None:
        query = (
            select(sessions.c.agent, sessions.c.expires_at.label("ends"), api_keys)
            .join(api_keys, (api_keys.c.id == sessions.c.key_id) & (api_keys.c.desk == sessions.c.desk))
            .where(sessions.c.sha256 == digest)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        self._known.pop(digest, None)
        if row is None or row.revoked_at is not None:
            return None
        caller = Caller(row.id, row.desk, frozenset(row.scopes.split()), row.per_minute)
        known = _Known(Session(caller, row.agent, min(row.ends, row.expires_at)), moment + BELIEVED)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[digest] = known
        return known


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
