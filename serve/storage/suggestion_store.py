"""Stores suggestions with the ticket they were made for, each desk apart."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select

from serve.storage.database import Database
from serve.storage.tables import suggestions
from triage.suggestions import Suggestion
from triage.tickets import Ticket


@dataclass(frozen=True)
class StoredSuggestion:
    """A suggestion, the ticket, and when it was stored."""

    ticket: Ticket
    suggestion: Suggestion
    created_at: datetime


class SuggestionStore:
    """The suggestions of all desks; every method names the desk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, desk: str, ticket: Ticket, suggestion: Suggestion, now: datetime) -> None:
        """Store one suggestion; it is durable when this returns."""
        row = {
            "id": suggestion.id,
            "desk": desk,
            "ticket_id": ticket.id,
            "created_at": now.astimezone(UTC),
            "disposition": suggestion.disposition,
            "ticket": ticket.model_dump_json(exclude_none=True),
            "suggestion": suggestion.model_dump_json(),
        }
        with self._database.writing() as connection:
            connection.execute(insert(suggestions), row)

    def get(self, desk: str, suggestion_id: str) -> StoredSuggestion | None:
        """Return a desk's suggestion, or None where that desk has none by this id."""
        query = select(suggestions).where(suggestions.c.desk == desk, suggestions.c.id == suggestion_id)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _stored(row.ticket, row.suggestion, row.created_at)

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
        return [_stored(row.ticket, row.suggestion, row.created_at) for row in rows]


def _stored(ticket: str, suggestion: str, created_at: datetime) -> StoredSuggestion:
    # SQLite gives times back without their zone; they were stored in UTC.
    moment = created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC)
    return StoredSuggestion(Ticket.model_validate_json(ticket), Suggestion.model_validate_json(suggestion), moment)
