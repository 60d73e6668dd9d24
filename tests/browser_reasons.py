"""A ticket that every rule hands over: how the page holds the longest list of reasons."""

from dataclasses import replace

from browser_console import Console
from browser_fill import Said
from browser_tickets import HANDED_OVER, LEGAL

from serve.storage.database import Database
from serve.storage.suggestion_store import SuggestionStore
from serve.storage.ticket_store import TicketStore
from triage.drafting.handoff import HANDOFF_RULES
from triage.suggestions import HandoffReason

EVERY_REASON = "T-208"
#: What no ticket brings about by itself: articles that contradict each other, and a draft that did not stand.
SAID = {
    "conflicting_articles": (
        "the draft says “Receipts may have 10 MB.”, but “Supplier bills and receipts” says “Receipts may have 5 MB.”",
        "The articles had agreed",
    ),
    "unsupported_draft": (
        "no passage says “14 days”",
        "Every fact of the draft had stood in a cited passage",
    ),
}


def add_every_reason(console: Console, made: Said) -> None:
    """Ask for more suggestions that are handed over; store one with the reasons of all, and of those made before."""
    handoffs = [one["handoff"] for one in (*made, *map(console.suggest, HANDED_OVER)) if one["handoff"]]
    found = [HandoffReason.model_validate(reason) for handoff in handoffs for reason in handoff["reasons"]]
    said = {reason.code: reason for reason in reversed(found)}
    missing = set(HANDOFF_RULES) - set(said) - set(SAID)
    if missing:
        print(f"no ticket is handed over for {', '.join(sorted(missing))}: the picture goes without")
    for code, (evidence, would_change) in SAID.items():
        said[code] = HandoffReason(code=code, severity="medium", evidence=evidence, would_change=would_change)
    reasons = tuple(said[code] for code in HANDOFF_RULES if code in said)
    _store(console, reasons)


def _store(console: Console, reasons: tuple[HandoffReason, ...]) -> None:
    database = Database.open(console.home.database_url)
    store = SuggestionStore(database, TicketStore(database))
    made = store.get("demo", str(console.suggest({**LEGAL, "id": "T-209"})["id"]))
    assert made is not None
    assert made.suggestion.handoff is not None
    handoff = made.suggestion.handoff.model_copy(update={"reasons": reasons})
    said = made.suggestion.model_copy(update={"id": "every-reason", "ticket_id": EVERY_REASON, "handoff": handoff})
    ticket = made.ticket.model_copy(update={"id": EVERY_REASON})
    store.add("demo", replace(made, ticket=ticket, suggestion=said))
    database.close()
