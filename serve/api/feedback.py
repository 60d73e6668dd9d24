"""What became of a suggestion, and which corrections a lead lets the desk learn from."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from serve.api.cursors import Cursor, cursor_of, read_cursor
from serve.api.pages import Limit, Page
from serve.api.problems import problems
from serve.errors import InvalidRequest, NotFound
from serve.kept_words import kept_ratio
from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of
from serve.storage.feedback_store import Feedback, FeedbackFilter, Verdict
from serve.storage.suggestion_store import StoredSuggestion
from serve.strict_json import StrictJsonRoute
from triage.set_values import KIND, REQUEST
from triage.taxonomy import Taxonomy
from triage.tickets import Moment, Name, ShortText, Text, WireModel

router = APIRouter(prefix="/v1", tags=["feedback"], route_class=StrictJsonRoute)

Served = Annotated[Services, Depends(services_of)]
Lead = Annotated[Caller, Depends(caller_with("admin"))]
NO_FEEDBACK = "This desk has no feedback by that id."


class FeedbackRequest(WireModel):
    """What a person made of a suggestion.

    final_text: what was sent, needed for `edited`, none for `rejected`; fields: the right label by field, of those that
    were wrong (``{"kind": "request"}`` where the gate was); agent: name or id of the person, as your help desk has it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"verdict": "edited", "final_text": "Hello Jo, choose …", "fields": {"team": "trust"}}]
        }
    )

    verdict: Literal["accepted", "edited", "rejected"]
    final_text: Text | None = None
    fields: dict[Name, Name] = Field(default={}, max_length=100)
    reason: ShortText | None = None
    agent: Name | None = None

    @model_validator(mode="after")
    def _text_fits_verdict(self) -> "FeedbackRequest":
        if self.verdict == "edited" and not (self.final_text or "").strip():
            raise ValueError("an edited draft needs final_text: what was sent instead")
        if self.verdict == "rejected" and self.final_text is not None:
            raise ValueError("a rejected draft has no final_text; leave it out, or send the verdict edited")
        return self


@dataclass(frozen=True)
class Wanted:
    """Which feedback is listed."""

    verdict: Annotated[Verdict | None, Query(description="Only with this verdict")] = None
    approved: Annotated[bool | None, Query(description="Only approved, or only what is not")] = None
    since: Annotated[Moment | None, Query(description="Only from this time on, with its zone")] = None


class FeedbackTaken(WireModel):
    """That it is stored. kept_ratio: share of the draft's words that were kept, null where there was no draft."""

    id: str
    kept_ratio: float | None


class FeedbackInfo(WireModel):
    """Feedback as it is stored. key: the key that sent it; approved_by: the key that approved it."""

    id: str
    suggestion_id: str
    ticket_id: str | None
    verdict: Verdict
    final_text: str | None
    fields: dict[str, str]
    reason: str | None
    agent: str | None
    key: str
    kept_ratio: float | None
    created_at: AwareDatetime
    approved_at: AwareDatetime | None
    approved_by: str | None


@router.post("/suggestions/{suggestion_id}/feedback", status_code=201, responses=problems(404))
def give_feedback(
    suggestion_id: str,
    request: FeedbackRequest,
    services: Served,
    caller: Annotated[Caller, Depends(caller_with("feedback"))],
) -> FeedbackTaken:
    """Say what became of a suggestion. Corrected fields are kept on the ticket, as values that a person has set."""
    stored = services.suggestions.get(caller.desk, suggestion_id)
    if stored is None:
        raise NotFound("This desk has no suggestion by that id.")
    check_fields(request.fields, services.engine(caller.desk).rules.taxonomy)
    said = _feedback(request, stored, services, caller)
    # The ticket first: who sends the same again after a fault in between changes nothing there, and is heard here.
    if request.fields and said.ticket_id is not None:
        services.tickets.set_values(caller.desk, said.ticket_id, request.fields, said.created_at)
    services.feedback.add(caller.desk, said)
    return FeedbackTaken(id=said.id, kept_ratio=said.kept_ratio)


@router.get("/feedback")
def list_feedback(
    services: Served,
    caller: Lead,
    wanted: Annotated[Wanted, Depends()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[FeedbackInfo]:
    """The desk's feedback, newest first."""
    chosen = FeedbackFilter(wanted.verdict, wanted.approved, wanted.since)
    behind = read_cursor(cursor) if cursor is not None else None
    found, more = services.feedback.list(caller.desk, chosen, limit, behind)
    following = cursor_of(found[-1].created_at, found[-1].id) if more else None
    return Page(items=tuple(map(_info, found)), next=following)


@router.get("/feedback/{feedback_id}", responses=problems(404))
def get_feedback(feedback_id: str, services: Served, caller: Lead) -> FeedbackInfo:
    """One piece of feedback."""
    return _found(services.feedback.get(caller.desk, feedback_id))


@router.post("/feedback/{feedback_id}/approval", responses=problems(404))
def approve_feedback(feedback_id: str, services: Served, caller: Lead) -> FeedbackInfo:
    """Let the desk learn from a correction: `firstline feedback export` hands it out. Twice is as once."""
    return _found(services.feedback.approve(caller.desk, feedback_id, caller.key_id, services.now()))


@router.delete("/feedback/{feedback_id}/approval", responses=problems(404))
def withdraw_approval(feedback_id: str, services: Served, caller: Lead) -> FeedbackInfo:
    """Take an approval back; the next export leaves the correction out."""
    return _found(services.feedback.withdraw(caller.desk, feedback_id, caller.key_id, services.now()))


def check_fields(fields: dict[str, str], taxonomy: Taxonomy) -> None:
    """Raise `InvalidRequest` for a field or label that the desk does not have."""
    for field, label in fields.items():
        if field == KIND and label == REQUEST:
            continue
        unknown = (f"unknown kind {label!r}", f"only {REQUEST!r} can be set")
        if problem := unknown if field == KIND else taxonomy.problem_with(field, label):
            raise InvalidRequest(f"fields.{field}: {problem[0]}; {problem[1]}")


def _feedback(request: FeedbackRequest, stored: StoredSuggestion, services: Services, caller: Caller) -> Feedback:
    draft, final = stored.suggestion.draft, request.final_text
    if draft is not None and request.verdict == "accepted" and final is None:
        final = draft.text
    return Feedback(
        id=services.new_id(),
        suggestion_id=stored.suggestion.id,
        ticket_id=stored.ticket.id or stored.suggestion.ticket_id,
        key_id=caller.key_id,
        created_at=services.now(),
        verdict=request.verdict,
        agent=request.agent,
        final_text=final,
        fields=request.fields,
        reason=request.reason,
        kept_ratio=None if draft is None else kept_ratio(draft.text, final or ""),
    )


def _found(said: Feedback | None) -> FeedbackInfo:
    if said is None:
        raise NotFound(NO_FEEDBACK)
    return _info(said)


def _info(said: Feedback) -> FeedbackInfo:
    return FeedbackInfo(
        id=said.id,
        suggestion_id=said.suggestion_id,
        ticket_id=said.ticket_id,
        verdict=said.verdict,
        final_text=said.final_text,
        fields=dict(said.fields),
        reason=said.reason,
        agent=said.agent,
        key=said.key_id,
        kept_ratio=said.kept_ratio,
        created_at=said.created_at,
        approved_at=said.approved_at,
        approved_by=said.approved_by,
    )
