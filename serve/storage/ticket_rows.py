"""Tickets and their messages as rows: what the ticket store reads and writes within its transactions."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from models.protocols import FloatArray
from serve.storage.tables import NEVER, messages, tickets
from serve.storage.ticket_life import LastWord, StoredTicket, requester_columns, told
from triage.tickets import Message, Ticket

#: The opening message is number 1 and is in the ticket itself; the first that followed is number 2.
FIRST_NUMBER = 2


@dataclass(frozen=True, eq=False)
class EncodedTicket:
    """The vector by which a ticket is compared with others (`TriageEngine.vector_of`), and the encoder's identity.

    vector: float32 of shape (dimension,) and norm 1; None for a ticket without a word.
    """

    encoder: str
    vector: FloatArray | None

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of the row that hold it."""
        if self.vector is None:
            return {"encoder": self.encoder, "vector": None}
        return {"encoder": self.encoder, "vector": np.ascontiguousarray(self.vector, dtype="<f4").tobytes()}


def is_ticket(desk: str, id: str) -> tuple[Any, Any]:
    """Return the conditions under which a row is a desk's ticket."""
    return tickets.c.desk == desk, tickets.c.id == id


def locked(connection: Connection, desk: str, id: str) -> StoredTicket | None:
    """Return a ticket that nobody else can change until the transaction ends."""
    row = connection.execute(select(tickets).where(*is_ticket(desk, id)).with_for_update()).one_or_none()
    return None if row is None else stored_ticket(row, thread_of(connection, desk, id))


def create(connection: Connection, desk: str, made: StoredTicket, encoded: EncodedTicket | None) -> bool:
    """Insert a row; False where another transaction did meanwhile."""
    row = {"desk": desk, "id": made.id, "vector": None, "encoder": None} | columns_of(made)
    row |= encoded.columns if encoded is not None else {}
    upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = upsert(tickets).values(row).on_conflict_do_nothing(index_elements=["desk", "id"])
    return connection.execute(statement.returning(tickets.c.id)).one_or_none() is not None


def change(
    connection: Connection,
    desk: str,
    before: StoredTicket,
    after: StoredTicket,
    encoded: EncodedTicket | None,
    now: datetime,
) -> None:
    """Bring a row that is locked, and its messages, from one state to the next; encoded: None for what it has."""
    this = update(tickets).where(*is_ticket(desk, after.id))
    columns = encoded.columns if encoded is not None else {}
    if after != before:
        connection.execute(this.values(columns_of(after) | columns))
        write_messages(connection, desk, before.ticket.messages, after, now)
    elif encoded is not None:
        # Nothing is written where nothing is new.
        connection.execute(this.where(tickets.c.encoder.is_distinct_from(encoded.encoder)).values(columns))


def write_messages(
    connection: Connection, desk: str, before: Sequence[Message], after: StoredTicket, now: datetime
) -> None:
    """Write the messages from the first on that differs."""
    thread = after.ticket.messages
    pairs = zip(before, thread, strict=False)
    same = next((place for place, (old, new) in enumerate(pairs) if old != new), min(len(before), len(thread)))
    if same < len(before):
        of_ticket = messages.c.desk == desk, messages.c.ticket_id == after.id
        connection.execute(delete(messages).where(*of_ticket, messages.c.number >= FIRST_NUMBER + same))
    rows = [
        {
            "desk": desk,
            "ticket_id": after.id,
            "number": number,
            "author": message.author,
            "text": message.text,
            "public": message.public,
            "created_at": message.created_at,
            "received_at": now,
        }
        for number, message in enumerate(thread[same:], FIRST_NUMBER + same)
    ]
    if rows:
        connection.execute(insert(messages), rows)


def columns_of(stored: StoredTicket) -> dict[str, Any]:
    """Return a ticket's columns, but for desk, id and vector."""
    known, said, by_hand = requester_columns(stored.ticket.requester), stored.last_word, stored.set_fields
    return {
        "ticket": told(stored.ticket),
        "status": stored.status,
        "requester_id": known.get("id"),
        "requester_email": known.get("email"),
        "set_fields": json.dumps(dict(stored.set_fields), ensure_ascii=False, sort_keys=True),
        "category": by_hand.get("category", said.category if said else None),
        "priority": by_hand.get("priority", said.priority if said else None),
        "team": by_hand.get("team", said.team if said else None),
        "suggestion_id": said.suggestion_id if said else None,
        "disposition": said.disposition if said else None,
        "respond_by": said.respond_by if said else None,
        "resolve_by": said.resolve_by if said else None,
        "due_at": stored.due_at or NEVER,
        "version": stored.version,
        "wrote_at": stored.wrote_at,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "first_reply_at": stored.first_reply_at,
        "resolved_at": stored.resolved_at,
    }


def stored_ticket(row: Row[Any], thread: Sequence[Message]) -> StoredTicket:
    """Return the ticket of a row and its messages."""
    ticket = Ticket.model_validate_json(row.ticket).model_copy(update={"id": row.id, "messages": tuple(thread)})
    return StoredTicket(
        ticket=ticket,
        status=row.status,
        set_fields=json.loads(row.set_fields),
        version=row.version,
        wrote_at=row.wrote_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        first_reply_at=row.first_reply_at,
        resolved_at=row.resolved_at,
        last_word=_last_word(row),
    )


def _last_word(row: Row[Any]) -> LastWord | None:
    if row.suggestion_id is None:
        return None
    return LastWord(
        row.suggestion_id,
        row.category,
        row.priority,
        row.team,
        row.disposition or "open",
        row.respond_by,
        row.resolve_by,
    )


def thread_of(connection: Connection, desk: str, id: str) -> tuple[Message, ...]:
    """Return the messages of one ticket, in their order."""
    return threads_of(connection, desk, [id]).get(id, ())


def threads_of(connection: Connection, desk: str, ids: Iterable[str]) -> dict[str, tuple[Message, ...]]:
    """Return the messages of tickets, in their order; a ticket that has none is left out."""
    query = (
        select(messages)
        .where(messages.c.desk == desk, messages.c.ticket_id.in_(list(ids)))
        .order_by(messages.c.ticket_id, messages.c.number)
    )
    found: dict[str, list[Message]] = {}
    for row in connection.execute(query):
        # They were checked when they came in.
        message = Message.model_construct(
            author=row.author, text=row.text, created_at=row.created_at, public=row.public
        )
        found.setdefault(row.ticket_id, []).append(message)
    return {id: tuple(thread) for id, thread in found.items()}
