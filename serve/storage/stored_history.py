"""What a desk knows of its tickets, from its database: a `triage.history.TicketHistory` for one desk and encoder."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from threading import Lock
from typing import Any

import numpy as np
from sqlalchemy import Connection, Executable, Row, Select, bindparam, func, select, union_all

from models.protocols import FloatArray, TextEncoder
from serve.storage.database import Database
from serve.storage.open_tickets import OpenTicket, OpenTickets
from serve.storage.tables import UtcTime, audit_log, tickets
from serve.storage.ticket_life import WAITING, requester_columns
from triage.history import PastContact, same_requester
from triage.tickets import Ticket

#: Of a requester who writes without an end, the newest tickets count.
MAX_CONTACTS = 500
#: Open tickets that are kept in memory: 15 MB at 384 dimensions.
MAX_OPEN = 10_000
#: Seconds between two looks at what changed, and between two at everything.
LOOK, LOOK_AT_ALL = 0.25, 60.0
#: So long an erasure may take from the moment that the log names.
LONGEST_REMOVAL = timedelta(minutes=15)
#: A row is seen so much later than its time says, at most: its writer was slow, or has a clock that is behind.
LATE = timedelta(seconds=10)
#: Vectors that are read by one query.
CHUNK = 500

_row = tickets.c
_marks = (_row.id, _row.version, _row.wrote_at)
_this_desk = _row.desk == bindparam("desk")
SET_FIELDS = select(_row.set_fields).where(_this_desk, _row.id == bindparam("id"))
CHANGED = (
    select(*_marks, _row.status, _row.encoder, _row.updated_at)
    .where(_this_desk, _row.updated_at >= bindparam("since", type_=UtcTime))
    .limit(MAX_OPEN)
)
#: Rows that are removed leave no trace among the tickets, but one in the log, in the same transaction.
REMOVED = select(func.max(audit_log.c.id)).where(
    audit_log.c.desk == bindparam("desk"),
    audit_log.c.at >= bindparam("since", type_=UtcTime),
    audit_log.c.action.in_(("requester.erase", "retention")),
)
LATEST = select(func.max(_row.updated_at)).where(_this_desk)
NEWEST_OPEN: Select[Any] = (
    select(*_marks)
    .where(_this_desk, _row.status == bindparam("status"), _row.encoder == bindparam("encoder"))
    .where(_row.vector.is_not(None))
    .order_by(_row.wrote_at.desc())
    .limit(MAX_OPEN)
)
VECTORS: Select[Any] = select(*_marks, _row.status, _row.encoder, _row.category, _row.vector).where(
    _this_desk, _row.id.in_(bindparam("ids", expanding=True))
)


def _contacts(by: str) -> Select[Any]:
    """Return the query for what a requester wrote, by one of the indexed columns; newest first."""
    wanted = (_row.requester_id, _row.requester_email, _row.status, _row.encoder, _row.category, _row.vector)
    since, until = bindparam("since", type_=UtcTime), bindparam("until", type_=UtcTime)
    query = select(*_marks, *wanted).where(_this_desk, _row[f"requester_{by}"] == bindparam(by))
    query = query.where(_row.wrote_at.between(since, until)).order_by(_row.wrote_at.desc()).limit(MAX_CONTACTS)
    return select(query.subquery())


CONTACTS: Mapping[tuple[str, ...], Executable] = {
    ("id",): _contacts("id"),
    ("email",): _contacts("email"),
    ("id", "email"): union_all(_contacts("id"), _contacts("email")),
}


class StoredHistory:
    """Safe from many threads. A requester's tickets and set values are as last committed; open tickets as last seen.

    Tickets whose vector another encoder made are known, but like no other.
    """

    def __init__(
        self,
        database: Database,
        desk: str,
        encoder: TextEncoder,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """encoder: whose vectors count; only its identity is read. now: aware; clock: in seconds, never set back."""
        self._database, self._desk, self._encoder = database, desk, encoder.identity
        self._now, self._clock = now, clock
        self._lock = Lock()
        self._open: OpenTickets | None = None
        self._seen = now()
        self._look_at = self._look_at_all_at = 0.0
        self._removed: int | None = None

    def contacts(self, ticket: Ticket, since: datetime, until: datetime) -> Sequence[PastContact]:
        """Return what the ticket's requester wrote in a span, both ends included: the newest `MAX_CONTACTS`."""
        known = requester_columns(ticket.requester)
        if not known:
            return ()
        asked = {"desk": self._desk, "since": since, "until": until, **known}
        with self._database.reading() as connection:
            rows = {row.id: row for row in connection.execute(CONTACTS[tuple(known)], asked)}
        keys = _keys(known.get("id"), known.get("email"))
        same = (row for row in rows.values() if same_requester(keys, _keys(row.requester_id, row.requester_email)))
        return [self._contact(row) for row in same]

    def set_fields(self, ticket_id: str) -> Mapping[str, str]:
        """Return label by field of what a person has set on a ticket; nothing for one that is not known."""
        with self._database.reading() as connection:
            found = connection.execute(SET_FIELDS, {"desk": self._desk, "id": ticket_id}).scalar_one_or_none()
        fields: dict[str, str] = json.loads(found) if found is not None else {}
        return fields

    def open_tickets(
        self, since: datetime, until: datetime, like: FloatArray | None = None, similarity: float = -1.0
    ) -> Sequence[PastContact]:
        """Return the open tickets of a span, both ends included, of the `MAX_OPEN` newest: those that have a vector.

        They are as of `LOOK` seconds ago at most. like: a vector of shape (dimension,); then only those that may be
        as alike as `similarity`, at most the `MAX_ALIKE` most alike, which saves nearly all of the work.
        """
        known = self._current()
        return known.between(since, until) if like is None else known.alike(since, until, like, similarity)

    def refresh(self) -> None:
        """Look at what changed, so that no triage has to: for a thread that calls this every `LOOK` seconds."""
        with self._lock:
            self._look(2 * LOOK)

    def _current(self) -> OpenTickets:
        known = self._open
        if known is not None and (self._clock() < self._look_at or not self._lock.acquire(blocking=False)):
            return known  # as fresh as promised, or another thread is looking already
        if known is None:
            self._lock.acquire()
        try:
            if self._open is None or self._clock() >= self._look_at:
                self._look(LOOK)
            return self._open or OpenTickets()
        finally:
            self._lock.release()

    def _look(self, rest: float) -> None:
        known, moment = self._open, self._clock()
        with self._database.reading() as connection:
            asked = {"desk": self._desk, "since": self._now() - LONGEST_REMOVAL}
            removed = connection.execute(REMOVED, asked).scalar_one_or_none()
            if known is None or moment >= self._look_at_all_at or removed not in (None, self._removed):
                self._open = self._all(connection, known or OpenTickets())
                self._look_at_all_at, self._removed = moment + LOOK_AT_ALL, removed
            else:
                self._open = self._changes(connection, known)
        self._look_at = self._clock() + rest

    def _all(self, connection: Connection, known: OpenTickets) -> OpenTickets:
        """Return the newest open tickets; vectors are read only of those that are not known."""
        started, found = self._now(), list[Row[Any]]()
        # A clock that is ahead, this one or another, must not hide what is written by others.
        latest = connection.execute(LATEST, {"desk": self._desk}).scalar_one_or_none()
        self._seen = started if latest is None else min(started, latest)
        for status in WAITING:
            asked = {"desk": self._desk, "status": status, "encoder": self._encoder}
            found += connection.execute(NEWEST_OPEN, asked).all()
        newest = {row.id: row.version for row in nlargest(MAX_OPEN, found, key=lambda row: (row.wrote_at, row.id))}
        gone = {ticket.id for ticket in known if newest.get(ticket.id) != ticket.version}
        wanted = [id for id, version in newest.items() if known.version(id) != version]
        return known.changed(gone, self._read(connection, wanted), MAX_OPEN)

    def _changes(self, connection: Connection, known: OpenTickets) -> OpenTickets:
        started = self._now()
        rows = connection.execute(CHANGED, {"desk": self._desk, "since": self._seen - LATE}).all()
        if len(rows) == MAX_OPEN:
            known = self._all(connection, known)
            self._seen = started
            return known
        self._seen = max([self._seen, *(min(row.updated_at, started) for row in rows)])
        new = [row for row in rows if known.version(row.id) != row.version]
        wanted = [row.id for row in new if row.status in WAITING and row.encoder == self._encoder]
        return known.changed({row.id for row in new}, self._read(connection, wanted), MAX_OPEN)

    def _read(self, connection: Connection, ids: Sequence[str]) -> list[OpenTicket]:
        found = []
        for start in range(0, len(ids), CHUNK):
            for row in connection.execute(VECTORS, {"desk": self._desk, "ids": ids[start : start + CHUNK]}):
                vector = self._vector(row)
                if vector is not None and row.status in WAITING:
                    found.append(OpenTicket(row.id, row.version, row.wrote_at, vector, row.category))
        return found

    def _contact(self, row: Row[Any]) -> PastContact:
        return PastContact(row.id, row.wrote_at, self._vector(row), row.category, row.status in WAITING)

    def _vector(self, row: Row[Any]) -> FloatArray | None:
        if row.vector is None or row.encoder != self._encoder:
            return None
        return np.frombuffer(row.vector, dtype="<f4")


def _keys(id: str | None, email: str | None) -> tuple[str, ...]:
    """Return a requester's keys as `triage.history.requester_keys` does, from the columns."""
    return tuple(key for key in (id and f"id:{id}", email and f"email:{email}") if key)
