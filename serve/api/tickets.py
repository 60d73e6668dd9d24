"""Triage and suggestions for one ticket, or triage for many."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue, ValidationError

from serve.api.problems import problems
from serve.errors import InvalidRequest, NotFound
from serve.security.callers import admit_more, caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of, visible_to
from serve.strict_json import StrictJsonRoute
from triage.errors import TicketError
from triage.fault_text import first_fault
from triage.suggestions import Suggestion
from triage.tickets import Ticket, WireModel

router = APIRouter(prefix="/v1", tags=["tickets"], route_class=StrictJsonRoute)

Served = Annotated[Services, Depends(services_of)]
Triager = Annotated[Caller, Depends(caller_with("triage"))]
Agent = Annotated[Caller, Depends(caller_with("suggest"))]
Store = Annotated[bool, Query(description="Keep the outcome, as a suggestion is kept")]
MAX_BATCH = 256
EXAMPLE: dict[str, JsonValue] = {
    "id": "T-1024",
    "subject": "New phone, codes gone",
    "body": "No codes in the app on my new phone. How do I move them?",
    "channel": "email",
    "created_at": "2026-11-21T10:00:00Z",
    "requester": {"id": "c-7", "name": "Jo Bun", "email": "jo@bun.example", "tags": ["vip"]},
}
TicketIn = Annotated[Ticket, Body(openapi_examples={"ticket": {"value": EXAMPLE}})]


class Batch(WireModel):
    """Tickets to be triaged in one call: each is read by itself, so that a bad one keeps no other waiting."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tickets": [EXAMPLE, {"subject": "Invoice"}]}]})

    tickets: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_BATCH)


class BatchItem(WireModel):
    """What came of one ticket: its suggestion, or what is wrong with it."""

    suggestion: Suggestion | None = None
    error: str | None = None


class BatchAnswer(WireModel):
    """One item for each ticket, in their order."""

    items: tuple[BatchItem, ...]


@router.post("/triage", response_model=Suggestion)
def triage(ticket: TicketIn, services: Served, caller: Triager, store: Store = False) -> Response:
    """Kind, fields, due times, and every handoff rule that needs no search.

    `disposition` is handoff, no_reply or open.
    """
    return answer(services.triage(caller, ticket, store))


@router.post("/triage/batch")
def triage_batch(
    request: Request, batch: Batch, services: Served, caller: Triager, store: Store = False
) -> BatchAnswer:
    """Triage of up to 256 tickets, each of which counts as a request; one that cannot be read is told in its place."""
    if len(batch.tickets) > services.limits.budget(caller):
        raise InvalidRequest("tickets: more than this key may send in a minute; send fewer at a time")
    admit_more(request, services, caller, len(batch.tickets) - 1)
    return BatchAnswer(items=tuple(_item(services, caller, raw, store) for raw in batch.tickets))


@router.post(
    "/suggestions",
    status_code=201,
    response_model=Suggestion,
    responses=problems(409),
)
def create_suggestion(ticket: TicketIn, services: Served, caller: Agent) -> Response:
    """The whole suggestion, stored: a grounded draft, or a handoff with its reasons, or no reply with its reason."""
    return answer(services.suggest_and_store(caller, ticket), 201)


@router.post(
    "/tickets/{ticket_id}/suggestions",
    status_code=201,
    response_model=Suggestion,
    responses=problems(404, 409),
)
def suggest_for_ticket(ticket_id: str, services: Served, caller: Agent) -> Response:
    """A new suggestion for a ticket as the desk knows it, with all its messages."""
    stored = services.tickets.get(caller.desk, ticket_id)
    if stored is None:
        raise NotFound("This desk has no ticket by that id.")
    return answer(services.suggest_and_store(caller, stored.ticket), 201)


@router.get("/suggestions/{suggestion_id}", response_model=Suggestion, responses=problems(404))
def get_suggestion(suggestion_id: str, services: Served, caller: Agent) -> Response:
    """A stored suggestion."""
    stored = services.suggestions.get(caller.desk, suggestion_id)
    if stored is None:
        raise NotFound("This desk has no suggestion by that id.")
    return answer(visible_to(caller, stored.suggestion))


def answer(suggestion: Suggestion, status: int = 200) -> Response:
    """Return a suggestion as it is: it was checked when it was made, and is not checked and copied once more."""
    return Response(suggestion.model_dump_json(), status, media_type="application/json")


def _item(services: Services, caller: Caller, raw: dict[str, Any], store: bool) -> BatchItem:
    try:
        return BatchItem(suggestion=services.triage(caller, Ticket.model_validate(raw), store))
    except ValidationError as error:
        return BatchItem(error=first_fault(error, "ticket"))
    except TicketError as error:
        return BatchItem(error=str(error))
