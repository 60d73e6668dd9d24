"""What became of a suggestion, and which corrections a lead lets the desk learn from."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from serve.api.cursors import Cursor, cursor_of, read_cursor
from serve.api.pages import Limit, Page
from serve.api.problems import problems
from serve.errors import NotFound
from serve.keep_feedback import Opinion, keep_feedback
from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of
from serve.storage.feedback_store import Feedback, FeedbackFilter, Verdict
from serve.strict_json import StrictJsonRoute
from triage.edits import Edit
from triage.tickets import Moment, Name, ShortText, Text, WireModel

router = APIRouter(prefix="/v1", tags=["feedback"], route_class=StrictJsonRoute)

Served = Annotated[Services, Depends(services_of)]
Lead = Annotated[Caller, Depends(caller_with("admin"))]
#: Seconds: a decision that takes longer than a week was not being made all that time.
LONGEST = 604_800
NO_FEEDBACK = "This desk has no feedback by that id."


class FeedbackRequest(WireModel):
    """What a person made of a suggestion.

    final_text: what was sent, needed for `edited`, none for `rejected`; fields: the right label by field, of those that
    were wrong (``{"kind": "request"}`` where the gate was); agent: name or id of the person, as your help desk has it;
    seconds: that it took them to decide.
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
    seconds: Annotated[float, Field(ge=0, le=LONGEST, strict=True)] | None = None

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
    """Feedback as it is stored. key: the key that sent it; approved_by: the key that approved it.

    edit: how the draft was changed, null where there was none or nothing was sent; seconds: that the decision took.
    """

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
    edit: Edit | None
    seconds: float | None
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
    opinion = Opinion(
        request.verdict, request.final_text, request.fields, request.reason, request.agent, request.seconds
    )
    said = keep_feedback(services, caller, stored, opinion)
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
        edit=said.edit,
        seconds=said.seconds,
        created_at=said.created_at,
        approved_at=said.approved_at,
        approved_by=said.approved_by,
    )
