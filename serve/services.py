"""What the routes work with, made once at start and passed in."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Request

from serve.security.keys import Caller, KeyStore
from serve.security.rate_limits import RateLimiter
from serve.security.sessions import SessionStore
from serve.served_desk import ServedDesk
from serve.storage.article_store import ArticleStore
from serve.storage.database import Database
from serve.storage.feedback_store import FeedbackStore
from serve.storage.queue_store import QueueStore
from serve.storage.suggestion_store import Step, StoredSuggestion, SuggestionStore
from serve.storage.ticket_store import TicketStore
from triage.engine import TriageEngine
from triage.suggestions import Suggestion
from triage.tickets import Ticket


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


def random_id() -> str:
    """Return a new id."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Stores:
    """What is kept in one database."""

    database: Database
    articles: ArticleStore
    feedback: FeedbackStore
    keys: KeyStore
    queue: QueueStore
    sessions: SessionStore
    suggestions: SuggestionStore
    tickets: TicketStore

    @classmethod
    def of(cls, database: Database) -> "Stores":
        """Return all stores over one database."""
        tickets = TicketStore(database)
        return cls(
            database,
            ArticleStore(database),
            FeedbackStore(database),
            KeyStore(database),
            QueueStore(database),
            SessionStore(database),
            SuggestionStore(database, tickets),
            tickets,
        )


@dataclass(frozen=True)
class Services:
    """Desks by id, the stores, budgets of keys, the clock, the source of ids.

    on_suggestion: is told of every suggestion that was made, and of its desk; closing: what is to be called at the end,
    in order.
    """

    desks: Mapping[str, ServedDesk]
    stores: Stores
    limits: RateLimiter
    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = random_id
    on_suggestion: Callable[[str, Suggestion], None] = lambda desk, suggestion: None
    closing: Sequence[Callable[[], None]] = ()

    @property
    def keys(self) -> KeyStore:
        """The keys of all desks."""
        return self.stores.keys

    @property
    def tickets(self) -> TicketStore:
        """The tickets of all desks."""
        return self.stores.tickets

    @property
    def suggestions(self) -> SuggestionStore:
        """The suggestions of all desks."""
        return self.stores.suggestions

    @property
    def feedback(self) -> FeedbackStore:
        """What became of suggestions, of all desks."""
        return self.stores.feedback

    def engine(self, desk: str) -> TriageEngine:
        """Return what decides for a desk now. A request asks once: later it may be another."""
        return self.desks[desk].engine

    def suggest_and_store(self, caller: Caller, ticket: Ticket) -> Suggestion:
        """Make a suggestion, store it whole in one short transaction, and return what the caller may see of it.

        A ticket without an id is given that of the suggestion: the desk must be able to name it.
        """
        return visible_to(caller, self._decide(caller.desk, ticket, "suggest", store=True))

    def triage(self, caller: Caller, ticket: Ticket, store: bool) -> Suggestion:
        """Triage a ticket; store the outcome only where asked to."""
        return self._decide(caller.desk, ticket, "triage", store)

    def _decide(self, desk: str, ticket: Ticket, step: Step, store: bool) -> Suggestion:
        engine, now, id = self.engine(desk), self.now(), self.new_id()
        if store and ticket.id is None:
            ticket = ticket.model_copy(update={"id": id})
        made = (engine.decide if step == "suggest" else engine.decide_triage)(ticket, id, now)
        if store:
            self.suggestions.add(desk, StoredSuggestion(ticket, made.suggestion, now, step, made.vectors))
        self.on_suggestion(desk, made.suggestion)
        return made.suggestion

    def close(self) -> None:
        """Stop following, stop the encoders and give the database back; to be called when no request is left."""
        for close in self.closing:
            close()


def visible_to(caller: Caller, suggestion: Suggestion) -> Suggestion:
    """Leave out internal articles for a key without the scope `internal`."""
    if "internal" in caller.scopes:
        return suggestion
    public = tuple(hit for hit in suggestion.articles if hit.audience == "public")
    return suggestion.model_copy(update={"articles": public})


async def services_of(request: Request) -> Services:
    """Return the services of the app that a request came to; a coroutine, since others wait for a thread."""
    services: Services = request.app.state.services
    return services
