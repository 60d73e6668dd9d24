"""The queue: which tickets wait, what each is about, and by when it is due."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse

from serve.api.cursors import Cursor, cursor_of, read_cursor
from serve.console.shell import ConsoleRoute, Reading, Visit
from serve.console.ticket_view import FieldView, excerpt_of, fields_of, title_of
from serve.errors import NotFound
from serve.storage.queue_store import MAX_SEARCH, Listed, Order, QueueFilter, QueueRow, Shown
from serve.storage.ticket_life import POSSIBLE_YEARS, StoredTicket

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)
#: Comes after all others.
nowhere = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)

SHOWN = 50
STATUSES: tuple[Listed, ...] = ("open", "pending", "solved", "closed", "waiting", "all")
DISPOSITIONS: tuple[Shown, ...] = ("draft", "handoff", "no_reply", "open", "unread")
ORDERS: tuple[Order, ...] = ("due", "newest", "oldest")
#: Part of a due time from which on it is near: an hour before, or less.
SOON = 3_600


def wanted_of(request: Request) -> QueueFilter:
    """Return the list that an address names; what it does not know counts for nothing."""
    told = {name: value[:MAX_SEARCH] for name, value in request.query_params.items()}
    status, order = told.get("status"), told.get("order")
    disposition = told.get("disposition")
    return QueueFilter(
        status=next((known for known in STATUSES if known == status), "open"),
        disposition=next((known for known in DISPOSITIONS if known == disposition), None),
        category=told.get("category") or None,
        priority=told.get("priority") or None,
        team=told.get("team") or None,
        late=told.get("late") == "1",
        search=told.get("q", "").strip(),
        order=next((known for known in ORDERS if known == order), "due"),
    )


Wanted = Annotated[QueueFilter, Depends(wanted_of)]


def address_of(wanted: QueueFilter, **changes: Any) -> str:
    """Return the query of an address that names a list, with some parts changed; what is usual is left out."""
    told = asdict(wanted) | changes
    named = {"q": told.pop("search"), **told}
    usual = {"status": "open", "order": "due", "late": False}
    kept = {name: value for name, value in named.items() if value and usual.get(name) != value}
    return urlencode({name: "1" if value is True else value for name, value in kept.items()})


@router.get("")
def queue(visit: Reading, wanted: Wanted, cursor: Cursor = None) -> HTMLResponse:
    """The desk's tickets, the one that is due first at the top."""
    store, behind = visit.services.stores.queue, read_cursor(cursor) if cursor else None
    page = store.page(visit.desk, wanted, visit.now, SHOWN, behind)
    taxonomy = visit.services.engine(visit.desk).rules.taxonomy
    return visit.page(
        "queue.html",
        rows=[row_of(row, visit) for row in page.rows],
        counts=store.counts(visit.desk, visit.now),
        wanted=wanted,
        here=address_of(wanted),
        link=lambda **changes: f"/console?{address_of(wanted, **changes)}",
        labels={name: tuple(taxonomy.fields[name]) for name in ("category", "priority", "team")},
        following=cursor_of(*page.next) if page.next else None,
        is_first=behind is None,
        statuses=STATUSES,
        dispositions=DISPOSITIONS,
        orders=ORDERS,
    )


@router.get("/queue/news")
def news(visit: Reading, wanted: Wanted, since: datetime) -> JSONResponse:
    """How many tickets of a list came in, or were written to, since it was shown; and the clock."""
    is_usable = since.tzinfo is not None and since.year in POSSIBLE_YEARS
    count = visit.services.stores.queue.since(visit.desk, wanted, visit.now, since) if is_usable else 0
    return JSONResponse({"count": count, "said": visit.t.count("queue.fresh", count) if count else ""})


@nowhere.get("/{rest:path}")
def nothing(visit: Reading, rest: str) -> HTMLResponse:
    """What is answered where there is no page."""
    raise NotFound(visit.t("error.address"))


def row_of(row: QueueRow, visit: Visit) -> dict[str, Any]:
    """Return what a row of the queue shows."""
    stored, said = row.ticket, row.suggestion
    fields: list[FieldView] = fields_of(stored, said)
    return {
        "id": stored.id,
        "subject": title_of(stored),
        "body": excerpt_of(stored, 240),
        "requester": stored.ticket.requester.name or stored.ticket.requester.email or stored.ticket.requester.id or "",
        "fields": fields,
        "disposition": said.disposition if said else "unread",
        "reason": said.handoff.reasons[0].code if said and said.handoff else None,
        "reasons": len(said.handoff.reasons) if said and said.handoff else 0,
        "status": stored.status,
        "age": visit.now - stored.wrote_at,
        "wrote_at": stored.wrote_at,
        "clock": clock_of(stored, visit.now),
        "due_at": stored.due_at,
    }


def clock_of(stored: StoredTicket, now: datetime) -> str:
    """Return how a ticket stands with its due time: `none`, `late`, `soon` or `due`."""
    if stored.due_at is None:
        return "none"
    left = (stored.due_at - now).total_seconds()
    return "late" if left < 0 else "soon" if left < SOON else "due"
