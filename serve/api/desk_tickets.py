"""Tickets as the desk knows them: their threads, their status, and what a person set on them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Response
from pydantic import AwareDatetime, ConfigDict, JsonValue

from serve.api.cursors import cursor_of, read_cursor
from serve.api.pages import Limit, Page
from serve.api.problems import problems
from serve.errors import InvalidRequest, NotFound, PreconditionFailed
from serve.etags import etag, version_of
from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of
from serve.storage.ticket_life import Status, StoredTicket
from serve.storage.ticket_rows import FIRST_NUMBER, EncodedTicket
from serve.storage.ticket_store import TicketFilter
from serve.strict_json import StrictJsonRoute
from triage.engine import TriageEngine
from triage.errors import TicketError
from triage.history import NoHistory
from triage.set_values import values_set
from triage.tickets import Message, Moment, Name, Ticket, WireModel

router = APIRouter(prefix="/v1/tickets", tags=["tickets"], route_class=StrictJsonRoute)

Served = Annotated[Services, Depends(services_of)]
Agent = Annotated[Caller, Depends(caller_with("suggest"))]
TicketId = Annotated[Name, Path(description="The ticket's id in your help desk, 1 to 128 characters, without a slash")]
#: Long enough for the longest id, in whatever script it is.
Cursor = Annotated[str | None, Query(max_length=2_500, description="`next` of the page before, as it is")]
IF_MATCH = "The ETag that was read: 412 where somebody was faster"
IF_NONE_MATCH = "`*`: only where the ticket is not known yet, else 412"

TICKET_EXAMPLE: dict[str, JsonValue] = {
    "id": "T-1024",
    "subject": "New phone, codes gone",
    "body": "No codes in the app on my new phone. How do I move them?",
    "channel": "email",
    "created_at": "2026-11-21T10:00:00Z",
    "requester": {"id": "c-7", "name": "Jo Bun", "email": "jo@bun.example"},
    "messages": [
        {"author": "agent", "text": "Do you still have the old one?", "created_at": "2026-11-21T10:40:00Z"},
        {"author": "customer", "text": "No, it went back to the shop.", "created_at": "2026-11-21T11:05:00Z"},
    ],
    "set_fields": {"team": "trust"},
}
RECORD_EXAMPLE: dict[str, JsonValue] = {
    "ticket": TICKET_EXAMPLE,
    "status": "open",
    "version": 3,
    "created_at": "2026-11-21T10:00:02Z",
    "updated_at": "2026-11-21T11:05:01Z",
    "first_reply_at": "2026-11-21T10:40:00Z",
    "resolved_at": None,
}
MESSAGE_EXAMPLE: dict[str, JsonValue] = {
    "author": "customer",
    "text": "It works now, thank you.",
    "created_at": "2026-11-21T12:00:00Z",
}


class TicketBody(Ticket):
    """A ticket as your help desk has it, and its status.

    `messages`, `set_fields` and `status` that are left out stay as they are; all else is replaced. Without a status a
    new ticket is open, and a message that the customer wrote since reopens a known one.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [TICKET_EXAMPLE | {"status": "open"}]})

    status: Status | None = None


class TicketRecord(WireModel):
    """A ticket as the desk knows it.

    version: raised by every change, and the ETag; first_reply_at: when an agent first answered where the customer could
    see it; resolved_at: when it was solved or closed, null while it is not.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [RECORD_EXAMPLE]})

    ticket: Ticket
    status: Status
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    first_reply_at: AwareDatetime | None
    resolved_at: AwareDatetime | None


class MessageRecord(WireModel):
    """A message as it was added, and how its ticket stands. number: its place in the thread; the ticket itself is 1."""

    ticket_id: str
    number: int
    message: Message
    status: Status
    version: int


@dataclass(frozen=True)
class Wanted:
    """Which tickets are listed."""

    status: Annotated[Status | None, Query(description="Only with this status")] = None
    requester_id: Annotated[Name | None, Query(description="Only of this requester")] = None
    updated_since: Annotated[Moment | None, Query(description="Only what changed then or later; with its zone")] = None


@dataclass(frozen=True)
class Conditions:
    """What must hold of the ticket for it to be changed (RFC 9110, section 13)."""

    if_match: Annotated[str | None, Header(alias="If-Match", description=IF_MATCH)] = None
    if_none_match: Annotated[str | None, Header(alias="If-None-Match", description=IF_NONE_MATCH)] = None


@router.put(
    "/{ticket_id}",
    responses={
        201: {"model": TicketRecord, "description": "The ticket was not known before."},
        **problems(412),
    },
)
def put_ticket(
    ticket_id: TicketId,
    body: TicketBody,
    services: Served,
    caller: Agent,
    response: Response,
    conditions: Annotated[Conditions, Depends()],
) -> TicketRecord:
    """Keep a ticket as it is in your help desk, 201 where it is new; the same once more changes nothing."""
    ticket, if_version = _ticket(ticket_id, body), version_of(conditions.if_match, conditions.if_none_match)
    engine, now = services.engine(caller.desk), services.now()
    values_set(ticket, NoHistory(), engine.rules.taxonomy)  # what the desk does not have is refused
    known = services.tickets.get(caller.desk, ticket_id)
    if conditions.if_match is not None and known is None:
        raise PreconditionFailed("the ticket is not known; leave out If-Match to create it")
    whole = ticket
    if known is not None and "messages" not in ticket.model_fields_set:
        whole = ticket.model_copy(update={"messages": known.ticket.messages})
    encoded = _encoded(engine, whole)
    stored = services.tickets.put(caller.desk, ticket, encoded, now, body.status, if_version)
    response.status_code = 201 if known is None and stored.created_at == now else 200
    response.headers["ETag"] = etag(stored.version)
    return record_of(stored)


@router.get("/{ticket_id}", responses=problems(404))
def get_ticket(ticket_id: TicketId, services: Served, caller: Agent, response: Response) -> TicketRecord:
    """A ticket with its whole thread."""
    stored = _found(services.tickets.get(caller.desk, ticket_id))
    response.headers["ETag"] = etag(stored.version)
    return record_of(stored)


@router.get("")
def list_tickets(
    services: Served,
    caller: Agent,
    wanted: Annotated[Wanted, Depends()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TicketRecord]:
    """The desk's tickets, the one that changed last first.

    A ticket that changes goes to the front: read page by page, none comes twice. What changed while you read you get by
    `updated_since` the first ticket's `updated_at`.
    """
    chosen = TicketFilter(wanted.status, wanted.requester_id, _moment(wanted.updated_since, "updated_since"))
    found, more = services.tickets.list(caller.desk, chosen, limit, read_cursor(cursor) if cursor else None)
    following = cursor_of(found[-1].updated_at, found[-1].id) if more else None
    return Page(items=tuple(map(record_of, found)), next=following)


@router.post("/{ticket_id}/messages", status_code=201, responses=problems(404, 409))
def add_message(
    ticket_id: TicketId,
    message: Annotated[Message, Body(openapi_examples={"customer": {"value": MESSAGE_EXAMPLE}})],
    services: Served,
    caller: Agent,
    response: Response,
) -> MessageRecord:
    """Append a message to a ticket's thread; one that the customer wrote reopens a ticket that was not waiting.

    Send an Idempotency-Key: the same message twice is two messages.
    """
    encoded = None
    if message.author == "customer":
        known = _found(services.tickets.get(caller.desk, ticket_id)).ticket
        whole = known.model_copy(update={"messages": (*known.messages, message)})
        encoded = _encoded(services.engine(caller.desk), whole)
    stored = _found(services.tickets.add_message(caller.desk, ticket_id, message, services.now(), encoded))
    response.headers["ETag"] = etag(stored.version)
    thread = stored.ticket.messages
    return MessageRecord(
        ticket_id=ticket_id,
        number=FIRST_NUMBER - 1 + len(thread),
        message=thread[-1],
        status=stored.status,
        version=stored.version,
    )


def record_of(stored: StoredTicket) -> TicketRecord:
    """Return a stored ticket in the shape of the wire."""
    return TicketRecord(
        ticket=stored.ticket.model_copy(update={"set_fields": dict(stored.set_fields)}),
        status=stored.status,
        version=stored.version,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
        first_reply_at=stored.first_reply_at,
        resolved_at=stored.resolved_at,
    )


def _ticket(ticket_id: str, body: TicketBody) -> Ticket:
    """Return the ticket of a body, which remembers what was sent and what was not."""
    if body.id not in (None, ticket_id):
        raise TicketError("id: the body names another ticket than the path; leave it out, or send the same")
    sent = body.model_fields_set - {"status", "id"}
    return Ticket(id=ticket_id, **{name: getattr(body, name) for name in sent})


def _encoded(engine: TriageEngine, ticket: Ticket) -> EncodedTicket:
    return EncodedTicket(engine.encoder.identity, engine.vector_of(ticket))


def _found(stored: StoredTicket | None) -> StoredTicket:
    if stored is None:
        raise NotFound("This desk has no ticket by that id.")
    return stored


def _moment(told: datetime | None, name: str) -> datetime | None:
    """Return a time in UTC; raise `InvalidRequest` where it has no zone, or is beyond what a calendar holds."""
    try:
        if told is None or told.utcoffset() is not None:
            return told if told is None else told.astimezone(UTC)
    except OverflowError:
        pass
    raise InvalidRequest(f"{name}: not a time that can be used; send one with its zone, as 2026-11-21T10:00:00Z")
