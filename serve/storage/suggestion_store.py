"""Stores suggestions with what it takes to decide again, each desk apart: a row is the record of one decision."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from sqlalchemy import Row, insert, select

from models.protocols import FloatArray
from serve.storage.database import Database
from serve.storage.suggestion_facts import facts_of
from serve.storage.tables import suggestions
from serve.storage.ticket_store import TicketStore
from triage.suggestions import Suggestion
from triage.tickets import Ticket

Step = Literal["suggest", "triage"]


@dataclass(frozen=True, eq=False)
class StoredSuggestion:
    """A suggestion, the ticket as it was, and what else went into the decision.

    created_at: the clock of the decision; step: whether all was asked for or the fast path; vectors: of the ticket, of
    shape (1 or 2, dimension), that of all its words first, None where it has none.
    """

    ticket: Ticket
    suggestion: Suggestion
    created_at: datetime
    step: Step = "suggest"
    vectors: FloatArray | None = None


class SuggestionStore:
    """The suggestions of all desks; every method names the desk."""

    def __init__(self, database: Database, tickets: TicketStore) -> None:
        self._database, self._tickets = database, tickets

    def add(self, desk: str, made: StoredSuggestion) -> None:
        """Store one suggestion, and its ticket as the desk now knows it; both are durable when this returns."""
        suggestion, vectors = made.suggestion, made.vectors
        row = {
            "id": suggestion.id,
            "desk": desk,
            "ticket_id": made.ticket.id,
            "created_at": made.created_at,
            "disposition": suggestion.disposition,
            "ticket": made.ticket.model_dump_json(exclude_none=True),
            "suggestion": suggestion.model_dump_json(),
            "step": made.step,
            "vectors": None if vectors is None else np.ascontiguousarray(vectors, dtype="<f4").tobytes(),
            "vector_rows": None if vectors is None else len(vectors),
            "facts": facts_of(suggestion).model_dump_json(),
        }
        with self._database.writing() as connection:
            connection.execute(insert(suggestions), row)
            self._tickets.record(connection, desk, made)

    def get(self, desk: str, suggestion_id: str) -> StoredSuggestion | None:
        """Return a desk's suggestion, or None where that desk has none by this id."""
        query = select(suggestions).where(suggestions.c.desk == desk, suggestions.c.id == suggestion_id)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _stored(row)

    def latest(self, desk: str, limit: int) -> list[StoredSuggestion]:
        """Return a desk's newest suggestions, newest first."""
        query = (
            select(suggestions)
            .where(suggestions.c.desk == desk)
            .order_by(suggestions.c.created_at.desc(), suggestions.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [_stored(row) for row in rows]


def _stored(row: Row[Any]) -> StoredSuggestion:
    suggestion = Suggestion.model_validate_json(row.suggestion)
    vectors = None
    if row.vectors is not None:
        vectors = np.frombuffer(row.vectors, dtype="<f4").reshape(row.vector_rows, -1).copy()
    return StoredSuggestion(Ticket.model_validate_json(row.ticket), suggestion, row.created_at, row.step, vectors)
