"""What the routes work with, made once at start and passed in."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Request

from models.micro_batch import MicroBatcher
from serve.security.keys import Caller, KeyStore
from serve.storage.database import Database
from serve.storage.suggestion_store import SuggestionStore
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
class Services:
    """Engines by desk, the stores, the clock, the source of ids, and the encoders that the engines share."""

    engines: Mapping[str, TriageEngine]
    database: Database
    suggestions: SuggestionStore
    keys: KeyStore
    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = random_id
    encoders: Sequence[MicroBatcher] = ()

    def suggest_and_store(self, caller: Caller, ticket: Ticket) -> Suggestion:
        """Make a suggestion, store it whole in one short transaction, and return what the caller may see of it."""
        now = self.now()
        suggestion = self.engines[caller.desk].suggest(ticket, self.new_id(), now)
        self.suggestions.add(caller.desk, ticket, suggestion, now)
        return visible_to(caller, suggestion)

    def triage(self, caller: Caller, ticket: Ticket, store: bool) -> Suggestion:
        """Triage a ticket; store the outcome only where asked to."""
        now = self.now()
        suggestion = self.engines[caller.desk].triage(ticket, self.new_id(), now)
        if store:
            self.suggestions.add(caller.desk, ticket, suggestion, now)
        return suggestion

    def close(self) -> None:
        """Stop the encoders and give the database back; to be called when no request is left."""
        for encoder in self.encoders:
            encoder.close()
        self.database.close()


def visible_to(caller: Caller, suggestion: Suggestion) -> Suggestion:
    """Leave out internal articles for a key without the scope `internal`."""
    if "internal" in caller.scopes:
        return suggestion
    public = tuple(hit for hit in suggestion.articles if hit.audience == "public")
    return suggestion.model_copy(update={"articles": public})


def services_of(request: Request) -> Services:
    """Return the services of the app that a request came to."""
    services: Services = request.app.state.services
    return services
