"""Takes a person out of the database: what it holds of them, and its removal in transactions of bounded size."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, literal, or_, select, tuple_

from serve.errors import DataCommandError
from serve.storage.audit_log import AuditEntry, AuditLog
from serve.storage.database import Database
from serve.storage.removal import (
    BATCH,
    Counts,
    batches,
    ids_of,
    in_groups,
    nothing_yet,
    remove_rows,
    remove_suggestions,
    remove_suggestions_of,
    remove_tickets,
)
from serve.storage.tables import UtcTime, idempotency_keys, suggestions, tickets
from triage.history import requester_keys, same_requester
from triage.tickets import Requester, Ticket


@dataclass(frozen=True)
class Person:
    """Who is to be forgotten: every way in which the desk knows them (see `triage.history.requester_keys`).

    Of somebody who is named by id, tickets without an id are theirs where an address of that id wrote them; of somebody
    who is named by address, all tickets of that address.
    """

    known_as: tuple[tuple[str, ...], ...]

    def is_named(self, requester: Requester) -> bool:
        """Tell whether a ticket's requester is this person."""
        keys = requester_keys(requester)
        return any(same_requester(own, keys) for own in self.known_as)

    @property
    def ids(self) -> frozenset[str]:
        """The ids that they are known by."""
        return frozenset(keys[0].removeprefix("id:") for keys in self.known_as if keys[0].startswith("id:"))

    @property
    def addresses(self) -> frozenset[str]:
        """The e-mail addresses that they are known by, as the tables have them."""
        return frozenset(keys[-1].removeprefix("email:") for keys in self.known_as if keys[-1].startswith("email:"))


@dataclass(frozen=True)
class Traces:
    """What a database holds of somebody.

    tickets: their ids, those of tickets that are only known from suggestions, too; held: every ticket as a row has it,
    in all its versions; suggestions: ids of those made for them; passed_on: tickets that they wrote once and that
    somebody else is the requester of now, which stay; other_ids: ids of requesters that wrote from an address which was
    named alone.
    """

    person: Person
    tickets: tuple[str, ...]
    held: tuple[Ticket, ...]
    suggestions: tuple[str, ...]
    passed_on: tuple[str, ...]
    other_ids: tuple[str, ...] = ()


def find_traces(database: Database, desk: str, requester: Requester) -> Traces:
    """Return what a desk holds of somebody who is named by id, by address, or by both.

    Raises `DataCommandError` where they are named by neither.
    """
    if not requester_keys(requester):
        raise DataCommandError("nobody was named; name a requester by id or by e-mail address")
    person = _find_person(database, desk, requester)
    mine, theirs = _tickets_of(database, desk, person), list(_suggestions_of(database, desk, person))
    named = {ticket.id for _, ticket in theirs if ticket.id is not None} - mine.keys()
    with database.reading() as connection:
        stay = {id for batch in batches(sorted(named)) for id in connection.execute(ids_of(desk, batch)).scalars()}
    gone = sorted(mine.keys() | (named - stay))
    held = (*mine.values(), *(ticket for _, ticket in theirs))
    ids = {ticket.requester.id for ticket in held if ticket.requester.id is not None} - person.ids
    return Traces(person, tuple(gone), held, tuple(id for id, _ in theirs), tuple(sorted(stay)), tuple(sorted(ids)))


def erase_traces(database: Database, desk: str, found: Traces, actor: str, now: datetime) -> Counts:
    """Remove somebody's tickets with all that hangs on them, and every kept answer of the desk, which may hold them.

    Returns rows by table. The audit log is told how many rows went, and nothing of whose. Where this is cut short, the
    tickets themselves are still there, and the same again goes on.
    """
    counts = nothing_yet()
    remove_suggestions(database, desk, found.suggestions, counts)
    remove_suggestions_of(database, desk, found.tickets, counts)
    answered = and_(idempotency_keys.c.desk == desk, idempotency_keys.c.status.is_not(None))
    counts["answers"] = remove_rows(database, idempotency_keys, answered)
    groups = list(in_groups(database, desk, found.tickets))
    for group in groups[:-1]:
        with database.writing() as connection:
            remove_tickets(connection, desk, group, counts)
    with database.writing() as connection:
        remove_tickets(connection, desk, groups[-1] if groups else (), counts)
        AuditLog.add(connection, AuditEntry(desk, now, actor, "requester.erase", "requester", counts))
    return counts


def _find_person(database: Database, desk: str, requester: Requester) -> Person:
    """Return every way in which a desk knows somebody."""
    keys = requester_keys(requester)
    known = {keys}
    if requester.id and not requester.email:
        query = select(tickets.c.requester_email).where(
            tickets.c.desk == desk, tickets.c.requester_id == requester.id, tickets.c.requester_email.is_not(None)
        )
        with database.reading() as connection:
            known |= {(*keys, f"email:{address}") for address in connection.execute(query.distinct()).scalars()}
    return Person(tuple(sorted(known)))


def _tickets_of(database: Database, desk: str, person: Person) -> dict[str, Ticket]:
    """Return somebody's tickets by id, without the messages that followed."""
    mine = or_(tickets.c.requester_id.in_(person.ids), tickets.c.requester_email.in_(person.addresses))
    query = select(tickets.c.id, tickets.c.ticket).where(tickets.c.desk == desk, mine)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    found = {row.id: Ticket.model_validate_json(row.ticket) for row in rows}
    return {
        id: ticket.model_copy(update={"id": id}) for id, ticket in found.items() if person.is_named(ticket.requester)
    }


def _suggestions_of(database: Database, desk: str, person: Person) -> Iterator[tuple[str, Ticket]]:
    """Yield ids and tickets of the suggestions that were made for somebody, whoever the ticket belongs to now.

    Only the row itself tells, so that all of the desk are looked through.
    """
    table, behind = suggestions, None
    query = select(table.c.id, table.c.created_at, table.c.ticket).where(table.c.desk == desk)
    query = query.order_by(table.c.created_at, table.c.id).limit(BATCH)
    while True:
        page = query
        if behind is not None:
            last = tuple_(literal(behind.created_at, UtcTime), literal(behind.id))
            page = query.where(tuple_(table.c.created_at, table.c.id) > last)
        with database.reading() as connection:
            rows = connection.execute(page).all()
        for row in rows:
            # Most are others': only the requester is read, and the whole ticket where it is theirs.
            told = json.loads(row.ticket).get("requester") or {}
            if person.is_named(Requester.model_construct(id=told.get("id"), email=told.get("email"))):
                yield row.id, Ticket.model_validate_json(row.ticket)
        if len(rows) < BATCH:
            return
        behind = rows[-1]
