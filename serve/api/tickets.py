"""Triage and suggestions for one ticket."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from serve.errors import NotFound
from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of, visible_to
from triage.suggestions import Suggestion
from triage.tickets import Ticket

router = APIRouter(prefix="/v1", tags=["tickets"])

Served = Annotated[Services, Depends(services_of)]


@router.post("/triage", response_model=Suggestion)
def triage(
    ticket: Ticket,
    services: Served,
    caller: Annotated[Caller, Depends(caller_with("triage"))],
    store: Annotated[bool, Query(description="Keep the outcome, as a suggestion is kept")] = False,
) -> Response:
    """Kind, fields, due times, and every handoff rule that needs no search.

    `disposition` is handoff, no_reply or open.
    """
    return answer(services.triage(caller, ticket, store))


@router.post("/suggestions", status_code=201, response_model=Suggestion)
def create_suggestion(
    ticket: Ticket, services: Served, caller: Annotated[Caller, Depends(caller_with("suggest"))]
) -> Response:
    """The whole suggestion, stored: a grounded draft, or a handoff with its reasons, or no reply with its reason."""
    return answer(services.suggest_and_store(caller, ticket), 201)


@router.get("/suggestions/{suggestion_id}", response_model=Suggestion)
def get_suggestion(
    suggestion_id: str, services: Served, caller: Annotated[Caller, Depends(caller_with("suggest"))]
) -> Response:
    """A stored suggestion."""
    stored = services.suggestions.get(caller.desk, suggestion_id)
    if stored is None:
        raise NotFound("This desk has no suggestion by that id.")
    return answer(visible_to(caller, stored.suggestion))


def answer(suggestion: Suggestion, status: int = 200) -> Response:
    """Return a suggestion as it is: it was checked when it was made, and is not checked and copied once more."""
    return Response(suggestion.model_dump_json(), status, media_type="application/json")
