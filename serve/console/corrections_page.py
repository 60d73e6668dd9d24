"""What agents corrected, for a lead to let the desk learn from, or not."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, RedirectResponse

from serve.api.cursors import Cursor, cursor_of, read_cursor
from serve.console.differences import Change, differences
from serve.console.shell import ConsoleRoute, Form, Reading, Visit, Writing
from serve.errors import InvalidRequest, NotFound
from serve.feedback_export import PER_AGENT
from serve.storage.feedback_store import Feedback, FeedbackFilter

router = APIRouter(prefix="/console/corrections", include_in_schema=False, route_class=ConsoleRoute)

SHOWN = 20
FeedbackId = Annotated[str, Path(max_length=64)]


@dataclass(frozen=True)
class Correction:
    """What somebody corrected.

    fields: what was predicted and what it was set to, by field; changes: of the draft, all of it where it was rejected.
    """

    said: Feedback
    subject: str
    fields: dict[str, tuple[str, str]]
    changes: list[Change]


@router.get("")
def corrections(visit: Reading, approved: str = "", cursor: Cursor = None) -> HTMLResponse:
    """Corrections that wait for a lead, or those that are approved, newest first."""
    visit.need("admin")
    wanted = FeedbackFilter(approved=approved == "1", corrections=True)
    behind = read_cursor(cursor) if cursor else None
    found, more = visit.services.feedback.list(visit.desk, wanted, SHOWN, behind)
    return visit.page(
        "corrections.html",
        rows=[_correction(visit, said) for said in found],
        approved=approved == "1",
        following=cursor_of(found[-1].created_at, found[-1].id) if more else None,
        per_agent=PER_AGENT,
    )


@router.post("/{feedback_id}")
def decide(feedback_id: FeedbackId, visit: Writing, form: Form) -> RedirectResponse:
    """Approve a correction, or take the approval back."""
    visit.need("admin")
    store, key = visit.services.feedback, visit.session.caller.key_id
    if form.get("do") not in ("approve", "withdraw"):
        raise InvalidRequest(visit.t("corrections.what"))
    change = store.approve if form["do"] == "approve" else store.withdraw
    if change(visit.desk, feedback_id, key, visit.now) is None:
        raise NotFound(visit.t("corrections.gone"))
    return RedirectResponse(f"/console/corrections{'' if form['do'] == 'approve' else '?approved=1'}", 303)


def _correction(visit: Visit, said: Feedback) -> Correction:
    stored = visit.services.suggestions.get(visit.desk, said.suggestion_id)
    predicted = stored.suggestion.fields if stored else {}
    fields = {name: (predicted[name].best if name in predicted else "–", label) for name, label in said.fields.items()}
    draft = stored.suggestion.draft if stored else None
    return Correction(
        said,
        (stored.ticket.subject if stored else None) or said.ticket_id or said.suggestion_id,
        fields,
        differences(draft.text if draft else "", said.final_text or "") if said.verdict != "accepted" else [],
    )
