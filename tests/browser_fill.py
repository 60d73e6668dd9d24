"""Fills a console with tickets, quickly: those of all sorts, and copies of them by the thousand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from browser_console import Console
from browser_tickets import ALL

from serve.storage.database import Database
from serve.storage.suggestion_store import StoredSuggestion, SuggestionStore
from serve.storage.ticket_store import TicketStore

Said = list[dict[str, Any]]


def fill(console: Console, copies: int = 0) -> Said:
    """Return a suggestion for each ticket, as the service says it; store copies of them, opened minutes apart."""
    said = [console.suggest(ticket) for ticket in ALL]
    if copies:
        _copy(console, [str(one["id"]) for one in said], copies)
    return said


def _copy(console: Console, ids: Sequence[str], copies: int) -> None:
    database = Database.open(console.home.database_url)
    store = SuggestionStore(database, TicketStore(database))
    made = [stored for id in ids if (stored := store.get("demo", id)) is not None]
    for number in range(copies):
        store.add("demo", copy_of(made[number % len(made)], number))
    database.close()


def copy_of(made: StoredSuggestion, number: int) -> StoredSuggestion:
    """Return the same suggestion for another ticket that came before."""
    ago, id = timedelta(minutes=number), f"C-{number:05d}"
    requester = made.ticket.requester.model_copy(update={"email": f"{id.lower()}@mail.example"})
    ticket = made.ticket.model_copy(
        update={"id": id, "created_at": made.created_at - ago, "requester": requester, "messages": ()}
    )
    due = made.suggestion.due
    moved = due and due.model_copy(
        update={"respond_by": due.respond_by + ago / 100, "resolve_by": due.resolve_by + ago / 100}
    )
    said = made.suggestion.model_copy(update={"id": f"s{number:05d}", "ticket_id": id, "due": moved})
    return replace(made, ticket=ticket, suggestion=said, created_at=made.created_at - ago)
