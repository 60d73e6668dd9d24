"""Stores tickets as the desk knows them: the newest word of each, its messages, and what a person set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, literal, select, tuple_

from serve.errors import PreconditionFailed
from serve.storage.database import Database
from serve.storage.tables import UtcTime, tickets
from serve.storage.ticket_life import LastWord, News, Status, StoredTicket, changed, opened, with_message, with_values
from serve.storage.ticket_rows import (
    EncodedTicket,
    change,
    create,
    locked,
    stored_ticket,
    thread_of,
    threads_of,
    write_messages,
)
from triage.tickets import Message, Ticket

if TYPE_CHECKING:
    from serve.storage.suggestion_store import StoredSuggestion


@dataclass(frozen=True)
class TicketFilter:
    """Which tickets are listed; None: whichever. updated_since: those that changed then or later, aware."""

    status: Status | None = None
    requester_id: str | None = None
    updated_since: datetime | None = None


class TicketStore:
    """The tickets of all desks; every method names the desk. What it returns has been committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        desk: str,
        ticket: Ticket,
        encoded: EncodedTicket | None,
        now: datetime,
        status: Status | None = None,
        if_version: int | None = None,
    ) -> StoredTicket:
        """Keep a ticket, which has an id, as it is sent; messages, set_fields and status that are not sent stay.

        What is new raises the version; the same once more changes nothing. encoded: of the ticket with all its
        messages; if_version: the version that the caller knows, 0 for none, None for whatever it is. Raises
        `PreconditionFailed` where it is another.
        """
        sent = ticket.model_fields_set
        news = News(
            ticket,
            messages=ticket.messages if "messages" in sent else None,
            set_fields=ticket.set_fields if "set_fields" in sent else None,
            status=status,
        )
        with self._database.writing() as connection:
            return _save(connection, desk, news, encoded, now, if_version)

    def add_message(
        self, desk: str, ticket_id: str, message: Message, now: datetime, encoded: EncodedTicket | None = None
    ) -> StoredTicket | None:
        """Append a message; one of the customer reopens the ticket. None where the desk has no such ticket.

        encoded: of the ticket with the message. Raises `InvalidRequest` where the ticket is full.
        """
        with self._database.writing() as connection:
            before = locked(connection, desk, ticket_id)
            if before is None:
                return None
            after = with_message(before, message, now)
            change(connection, desk, before, after, encoded, now)
        return after

    def set_values(
        self, desk: str, ticket_id: str, fields: Mapping[str, str], now: datetime | None = None
    ) -> StoredTicket | None:
        """Keep what a person set, label by field, beside what was set before; None where there is no such ticket.

        now: when, None to leave the ticket's time of change as it is.
        """
        with self._database.writing() as connection:
            before = locked(connection, desk, ticket_id)
            if before is None:
                return None
            after = with_values(before, fields, now)
            change(connection, desk, before, after, None, after.updated_at)
        return after

    def set_status(self, desk: str, ticket_id: str, status: Status, now: datetime) -> StoredTicket | None:
        """Say how a ticket stands; None where there is no such ticket."""
        with self._database.writing() as connection:
            before = locked(connection, desk, ticket_id)
            if before is None:
                return None
            after = changed(before, News(before.ticket, status=status), now)
            change(connection, desk, before, after, None, after.updated_at)
        return after

    def record(self, connection: Connection, desk: str, made: "StoredSuggestion") -> StoredTicket:
        """Keep the ticket of a suggestion that is being stored, within the open write transaction of that.

        The ticket has an id. One that came with fewer messages than are known keeps those, and its vector.
        """
        suggestion, ticket = made.suggestion, made.ticket
        encoded = EncodedTicket(suggestion.versions.encoder, None if made.vectors is None else made.vectors[0])
        last_word = LastWord.of(suggestion)
        news = News(ticket, ticket.messages, ticket.set_fields or None, last_word=last_word, is_partial=True)
        return _save(connection, desk, news, encoded, made.created_at)

    def get(self, desk: str, ticket_id: str) -> StoredTicket | None:
        """Return a desk's ticket, or None where that desk has none by this id."""
        query = select(tickets).where(tickets.c.desk == desk, tickets.c.id == ticket_id)
        with self._database.reading() as connection:
            # The row first: where a message comes in between, the version is one that has gone, and no newer one.
            row = connection.execute(query).one_or_none()
            return None if row is None else stored_ticket(row, thread_of(connection, desk, ticket_id))

    def list(
        self, desk: str, wanted: TicketFilter, limit: int, behind: tuple[datetime, str] | None = None
    ) -> tuple[tuple[StoredTicket, ...], bool]:
        """Return a desk's tickets, the one that changed last first, and whether there are more.

        behind: `updated_at` and id of the ticket before the first. A ticket that changes goes to the front: who reads
        page by page never sees one twice, and finds what changed meanwhile by `updated_since` the first page.
        """
        query = _matching(select(tickets).where(tickets.c.desk == desk), wanted)
        place = tuple_(tickets.c.updated_at, tickets.c.id)
        if behind is not None:
            query = query.where(place < tuple_(literal(behind[0], UtcTime), literal(behind[1])))
        query = query.order_by(tickets.c.updated_at.desc(), tickets.c.id.desc()).limit(limit + 1)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            threads = threads_of(connection, desk, [row.id for row in rows[:limit]])
        return tuple(stored_ticket(row, threads.get(row.id, ())) for row in rows[:limit]), len(rows) > limit


def _save(
    connection: Connection,
    desk: str,
    news: News,
    encoded: EncodedTicket | None,
    now: datetime,
    if_version: int | None = None,
) -> StoredTicket:
    id = news.ticket.id or ""
    before = locked(connection, desk, id)
    _check(if_version, before)
    if before is None:
        after = opened(news, now)
        if create(connection, desk, after, encoded):
            write_messages(connection, desk, (), after, now)
            return after
        before = locked(connection, desk, id)  # somebody else was faster
        _check(if_version, before)
        if before is None:
            raise PreconditionFailed("the ticket was taken away while it was written; send it again")
    after = changed(before, news, now)
    if news.messages is not None and len(after.ticket.messages) > len(news.messages):
        encoded = None  # it is of fewer words than are known
    change(connection, desk, before, after, encoded, now)
    return after


def _check(wanted: int | None, found: StoredTicket | None) -> None:
    version = found.version if found is not None else 0
    if wanted is None or wanted == version:
        return
    if not wanted:
        raise PreconditionFailed(f"the ticket is known (version {version}); leave out If-None-Match to change it")
    if not version:
        raise PreconditionFailed("the ticket is not known; leave out If-Match to create it")
    raise PreconditionFailed(f"the ticket is at version {version}, not {wanted}; read it again and change that")


def _matching(query: Select[Any], wanted: TicketFilter) -> Select[Any]:
    if wanted.status is not None:
        query = query.where(tickets.c.status == wanted.status)
    if wanted.requester_id is not None:
        query = query.where(tickets.c.requester_id == wanted.requester_id)
    if wanted.updated_since is not None:
        query = query.where(tickets.c.updated_at >= wanted.updated_since)
    return query
