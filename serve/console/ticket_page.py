"""A ticket: what was said, what Firstline makes of it, and what an agent does with that."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import Field

from serve.api.desk_tickets import TicketId
from serve.console.queue_page import Wanted, address_of, clock_of
from serve.console.shell import ConsoleRoute, Form, Reading, Visit, Writing, read_form
from serve.console.ticket_view import draft_of, fields_of, subject_of, thread_of
from serve.errors import InvalidRequest, NotFound, PreconditionFailed
from serve.keep_feedback import Opinion, check_fields, keep_feedback
from serve.services import visible_to
from serve.storage.queue_store import QueueFilter
from serve.storage.suggestion_store import StoredSuggestion
from serve.storage.ticket_life import Status, StoredTicket
from triage.suggestions import Suggestion
from triage.tickets import Name, ShortText, Text, Ticket, WireModel

router = APIRouter(prefix="/console/tickets", include_in_schema=False, route_class=ConsoleRoute)

#: Why a draft can be rejected; the first is the gravest.
REJECTIONS = ("wrong_fact", "wrong_article", "not_answered", "needs_person", "tone", "other")
#: A decision that took longer was not being made all that time.
LONGEST_DECISION = timedelta(hours=4)
#: Rows of the editor, and characters to a row of it.
FEWEST_ROWS, MOST_ROWS, LINE = 8, 40, 72
#: Articles that are shown of those found.
ARTICLES = 5


@dataclass(frozen=True)
class Desk:
    """What the page of a ticket is made of; made: None where no suggestion was asked for yet."""

    stored: StoredTicket
    made: StoredSuggestion | None

    @property
    def is_outdated(self) -> bool:
        """Whether the customer wrote after the suggestion was made."""
        return self.made is not None and _by_customer(self.stored.ticket) > _by_customer(self.made.ticket)


class Decision(WireModel):
    """What an agent decides about a draft.

    since: when they opened the page, in milliseconds since 1970; heard: how many messages of the customer it showed.
    """

    verdict: Literal["accept", "reject"]
    suggestion: Name
    text: Text = ""
    reason: Literal["", "wrong_fact", "wrong_article", "not_answered", "needs_person", "tone", "other"] = ""
    note: Annotated[ShortText, Field(max_length=900)] = ""
    since: Annotated[int, Field(ge=0, le=10**14)] = 0
    heard: Annotated[int, Field(ge=0, le=1_000)] | None = None


@router.get("/{ticket_id}")
def ticket(ticket_id: TicketId, visit: Reading, wanted: Wanted, done: str = "") -> HTMLResponse:
    """The page of one ticket; `wanted` is the list that the agent came from."""
    found = _find(visit, ticket_id)
    stored, made = found.stored, found.made
    said = visible_to(visit.session.caller, made.suggestion) if made else None
    engine, queue = visit.services.engine(visit.desk), visit.services.stores.queue
    before, after = queue.neighbours(visit.desk, wanted, visit.now, stored)
    last = visit.services.feedback.of_suggestion(visit.desk, said.id) if said else None
    return visit.page(
        "ticket.html",
        stored=stored,
        said=said,
        subject=subject_of(stored, said),
        thread=thread_of(stored, said, len(made.ticket.messages) if made else 0),
        fields=fields_of(stored, said),
        labels={name: tuple(labels) for name, labels in engine.rules.taxonomy.fields.items()},
        draft=draft_of(said, engine.search.documents) if said else [],
        articles=said.articles[:ARTICLES] if said else (),
        is_outdated=found.is_outdated,
        feedback=last,
        is_mine=last is not None and last.key_id == visit.session.caller.key_id and last.approved_at is None,
        clock_state=clock_of(stored, visit.now),
        before=before,
        after=after,
        back=address_of(wanted),
        rejections=REJECTIONS,
        done=done if f"ticket.done.{done}" in visit.t.known else "",
        rows=rows_for(said.draft.text if said and said.draft else ""),
        heard=_by_customer(stored.ticket),
        opened=int(visit.now.timestamp() * 1000),
    )


def rows_for(text: str) -> int:
    """Return the rows that an editor needs to show a text, as a column of the page breaks its lines."""
    return min(MOST_ROWS, max(FEWEST_ROWS, 2 + sum(1 + len(line) // LINE for line in text.split("\n"))))


@router.get("/{ticket_id}/state")
def state(ticket_id: TicketId, visit: Reading) -> JSONResponse:
    """Whether anything happened to a ticket since its page was made."""
    found = _find(visit, ticket_id)
    told = visit.t("ticket.outdated") if found.is_outdated else ""
    return JSONResponse({"version": found.stored.version, "said": told})


@router.post("/{ticket_id}/suggestion")
def suggest(ticket_id: TicketId, visit: Writing, wanted: Wanted) -> RedirectResponse:
    """Read the ticket anew, with all that was said since."""
    stored = _find(visit, ticket_id).stored
    visit.services.suggest_and_store(visit.session.caller, stored.ticket)
    return _to(ticket_id, wanted, "suggested")


@router.post("/{ticket_id}/decision")
def decide(ticket_id: TicketId, visit: Writing, form: Form, wanted: Wanted) -> RedirectResponse:
    """Accept the draft, as it is or as it was edited, or reject it with a reason."""
    visit.need("feedback")
    given, found = read_form(Decision, form), _find(visit, ticket_id)
    made = visit.services.suggestions.get(visit.desk, given.suggestion)
    if made is None or made.ticket.id != ticket_id:
        raise NotFound(visit.t("ticket.no_suggestion"))
    if given.verdict == "accept" and given.heard is not None and given.heard < _by_customer(found.stored.ticket):
        raise PreconditionFailed(visit.t("ticket.heard"))
    opinion = _opinion(visit, given, made, found.stored)
    keep_feedback(visit.services, visit.session.caller, made, opinion)
    if given.verdict == "accept":
        visit.services.tickets.set_status(visit.desk, ticket_id, "pending", visit.now)
    return _to(ticket_id, wanted, opinion.verdict)


@router.post("/{ticket_id}/undo")
def undo(ticket_id: TicketId, visit: Writing, form: Form, wanted: Wanted) -> RedirectResponse:
    """Take the last decision back: it counts for nothing, and the ticket waits again."""
    visit.need("feedback")
    caller = visit.session.caller
    taken = visit.services.feedback.undo(visit.desk, form.get("feedback", "")[:64], caller.key_id, visit.now)
    if taken is None or taken.ticket_id != ticket_id:
        raise NotFound(visit.t("ticket.no_undo"))
    visit.services.tickets.set_status(visit.desk, ticket_id, "open", visit.now)
    return _to(ticket_id, wanted, "undone")


@router.post("/{ticket_id}/fields")
def correct(ticket_id: TicketId, visit: Writing, form: Form, wanted: Wanted) -> RedirectResponse:
    """Set fields, as a person; what is not named stays."""
    taxonomy = visit.services.engine(visit.desk).rules.taxonomy
    fields = {name: label for name, label in form.items() if name in taxonomy.fields and label}
    check_fields(fields, taxonomy)
    if fields and visit.services.tickets.set_values(visit.desk, ticket_id, fields, visit.now) is None:
        raise NotFound(visit.t("ticket.none"))
    return _to(ticket_id, wanted, "corrected")


@router.post("/{ticket_id}/status")
def change_status(ticket_id: TicketId, visit: Writing, form: Form, wanted: Wanted) -> RedirectResponse:
    """Say how a ticket stands."""
    status: dict[str, Status] = {"open": "open", "pending": "pending", "solved": "solved", "closed": "closed"}
    if form.get("status") not in status:
        raise InvalidRequest(visit.t("ticket.no_status"))
    if visit.services.tickets.set_status(visit.desk, ticket_id, status[form["status"]], visit.now) is None:
        raise NotFound(visit.t("ticket.none"))
    return _to(ticket_id, wanted, "status")


def _find(visit: Visit, ticket_id: str) -> Desk:
    stored = visit.services.tickets.get(visit.desk, ticket_id)
    if stored is None:
        raise NotFound(visit.t("ticket.none"))
    last = stored.last_word
    made = visit.services.suggestions.get(visit.desk, last.suggestion_id) if last else None
    return Desk(stored, made)


def _opinion(visit: Visit, given: Decision, made: StoredSuggestion, stored: StoredTicket) -> Opinion:
    """Return what a decision says of a suggestion, with the fields that a person corrected."""
    took = visit.now - timedelta(seconds=given.since / 1000) - visit.now.fromtimestamp(0, visit.now.tzinfo)
    seconds = took.total_seconds() if timedelta() <= took <= LONGEST_DECISION else None
    fields = {name: label for name, label in stored.set_fields.items() if _is_correction(made.suggestion, name, label)}
    agent, text = visit.session.agent, given.text.strip()
    if given.verdict == "reject":
        if not given.reason:
            raise InvalidRequest(visit.t("ticket.no_reason"))
        reason = f"{given.reason}: {given.note}" if given.note else given.reason
        return Opinion("rejected", None, fields, reason, agent, seconds)
    if not text:
        raise InvalidRequest(visit.t("ticket.no_text"))
    draft = made.suggestion.draft
    is_same = draft is not None and draft.text.strip() == text
    return Opinion("accepted" if is_same else "edited", text, fields, None, agent, seconds)


def _is_correction(said: Suggestion, name: str, label: str) -> bool:
    """Tell whether a label that a person set is another than the one that was decided."""
    return name in said.fields and said.fields[name].value != label


def _by_customer(ticket: Ticket) -> int:
    return sum(message.author == "customer" for message in ticket.messages)


def _to(ticket_id: str, wanted: QueueFilter, done: str) -> RedirectResponse:
    """Show the ticket's page again; a reload of that repeats nothing."""
    parts = [f"done={done}", address_of(wanted)]
    return RedirectResponse(f"/console/tickets/{quote(ticket_id, safe='')}?{'&'.join(filter(None, parts))}", 303)
