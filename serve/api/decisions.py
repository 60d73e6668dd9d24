"""Why a suggestion is as it is: the record of the decision, and the same decision made again."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime

from serve.api.problems import problems
from serve.errors import NotFound
from serve.replay import replay
from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of, visible_to
from serve.storage.suggestion_store import Step, StoredSuggestion
from serve.strict_json import StrictJsonRoute
from triage.suggestions import Suggestion
from triage.tickets import Ticket, WireModel

router = APIRouter(prefix="/v1/decisions", tags=["decisions"], route_class=StrictJsonRoute)

Served = Annotated[Services, Depends(services_of)]
Agent = Annotated[Caller, Depends(caller_with("suggest"))]


class VectorInfo(WireModel):
    """The ticket's vectors that were recorded: how many (that of all its words first), and of how many numbers."""

    count: int
    dimension: int


class DecisionRecord(WireModel):
    """What went into a decision and what came out.

    clock: the moment that counted as now; step: `suggest`, or `triage` for the fast path; ticket: as it was then. What
    the desk's records said is `suggestion.history`, the versions `suggestion.versions`, scores, rules and timing are in
    the suggestion.
    """

    id: str
    clock: AwareDatetime
    step: Step
    ticket: Ticket
    vectors: VectorInfo | None
    suggestion: Suggestion


class DifferenceInfo(WireModel):
    """A place in the suggestion, such as `fields.team.value`, with what was recorded and what came out now."""

    at: str
    recorded: Any
    replayed: Any


class ReplayAnswer(WireModel):
    """Whether the same came out. notes: what could not be made again or was not compared, and why."""

    id: str
    same: bool
    differences: tuple[DifferenceInfo, ...]
    notes: tuple[str, ...]


@router.get("/{decision_id}", responses=problems(404))
def get_decision(decision_id: str, services: Served, caller: Agent) -> DecisionRecord:
    """The record of a decision, by the id of its suggestion."""
    record = _record(services, caller, decision_id)
    vectors = record.vectors
    return DecisionRecord(
        id=decision_id,
        clock=record.created_at,
        step=record.step,
        ticket=record.ticket,
        vectors=None if vectors is None else VectorInfo(count=len(vectors), dimension=vectors.shape[1]),
        suggestion=visible_to(caller, record.suggestion),
    )


@router.post("/{decision_id}/replay", responses=problems(404, 409))
def replay_decision(decision_id: str, services: Served, caller: Agent) -> ReplayAnswer:
    """Decide again from the record: its ticket, vectors, clock, history, generation and knowledge.

    `same` is true where the canonical JSON is the same (id and timing left out); else what differs is named. Nothing is
    stored.
    """
    found = replay(services.desks[caller.desk], _record(services, caller, decision_id))
    told = [one for one in found.differences if "internal" in caller.scopes or not one.at.startswith("articles")]
    return ReplayAnswer(
        id=decision_id,
        same=found.same,
        differences=tuple(DifferenceInfo(at=one.at, recorded=one.recorded, replayed=one.replayed) for one in told),
        notes=found.notes,
    )


def _record(services: Services, caller: Caller, decision_id: str) -> StoredSuggestion:
    record = services.suggestions.get(caller.desk, decision_id)
    if record is None:
        raise NotFound("This desk has no decision by that id.")
    return record
