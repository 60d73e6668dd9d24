"""What becomes of a ticket as word of it comes in: status, version, first reply, resolution. Pure: no row, no clock."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from serve.errors import InvalidRequest
from triage.business_hours import LONGEST_WAIT
from triage.history import requester_keys
from triage.suggestions import Disposition, Suggestion
from triage.tickets import Message, Requester, Ticket

Status = Literal["open", "pending", "solved", "closed"]
#: Somebody still waits for an answer, or for what was promised.
WAITING: tuple[Status, ...] = ("open", "pending")
#: As many as a ticket on the wire may carry.
MAX_MESSAGES = 500
#: A message of another year was sent by a clock that knows none.
POSSIBLE_YEARS = range(1971, 9_999)
#: No mail system takes a longer address; an index entry has an end, too.
LONGEST_ADDRESS = 320


@dataclass(frozen=True)
class LastWord:
    """What the newest suggestion said of a ticket: its id, the fields that were decided, and until when to answer."""

    suggestion_id: str
    category: str | None = None
    priority: str | None = None
    team: str | None = None
    disposition: Disposition = "open"
    respond_by: datetime | None = None
    resolve_by: datetime | None = None

    @classmethod
    def of(cls, said: Suggestion) -> "LastWord":
        """Return what a suggestion said."""
        decided = {name: said.fields[name].value for name in ("category", "priority", "team") if name in said.fields}
        due = said.due
        return cls(
            said.id,
            **decided,
            disposition=said.disposition,
            respond_by=due.respond_by if due else None,
            resolve_by=due.resolve_by if due else None,
        )


@dataclass(frozen=True)
class StoredTicket:
    """A ticket as the desk knows it.

    ticket: with its messages, but without set_fields, which are label by field of what a person has set; wrote_at: when
    the customer opened it; first_reply_at: of the first message of an agent that the customer could see; resolved_at:
    None where the ticket is open or pending; last_word: of the newest suggestion, None where there is none.
    """

    ticket: Ticket
    status: Status
    set_fields: Mapping[str, str]
    version: int
    wrote_at: datetime
    created_at: datetime
    updated_at: datetime
    first_reply_at: datetime | None = None
    resolved_at: datetime | None = None
    last_word: LastWord | None = None

    @property
    def id(self) -> str:
        """The ticket's id."""
        return self.ticket.id or ""

    @property
    def due_at(self) -> datetime | None:
        """Until when to answer, and where that was done, until when to solve; None where nobody waits."""
        if self.last_word is None or self.status not in WAITING:
            return None
        return self.last_word.respond_by if self.first_reply_at is None else self.last_word.resolve_by


@dataclass(frozen=True)
class News:
    """What is told of a ticket; None: nothing is said of it, and what is known stays.

    ticket: all but messages and set_fields; is_partial: whether messages may be missing, so that fewer than are known
    take none away.
    """

    ticket: Ticket
    messages: Sequence[Message] | None = None
    set_fields: Mapping[str, str] | None = None
    status: Status | None = None
    last_word: LastWord | None = None
    is_partial: bool = False

    def thread(self, known: Sequence[Message]) -> tuple[Message, ...]:
        """Return the ticket's messages, where these were known before."""
        if self.messages is None or (self.is_partial and len(self.messages) < len(known)):
            return tuple(known)
        return tuple(map(dated, self.messages))


def opened(news: News, now: datetime) -> StoredTicket:
    """Return a ticket that the desk had not heard of."""
    messages, status = news.thread(()), news.status or "open"
    return StoredTicket(
        ticket=_with(news.ticket, messages),
        status=status,
        set_fields=dict(news.set_fields or {}),
        version=1,
        wrote_at=wrote_at(news.ticket, now),
        created_at=now,
        updated_at=now,
        first_reply_at=first_reply(messages, now),
        resolved_at=resolved_at(status, now),
        last_word=news.last_word,
    )


def changed(before: StoredTicket, news: News, now: datetime) -> StoredTicket:
    """Return a known ticket after news of it: with the next version, or with the same one where nothing is new.

    Where no status is told, a message that the customer wrote since reopens the ticket. A suggestion is no news.
    """
    messages = news.thread(before.ticket.messages)
    wrote = _by_customer(messages) > _by_customer(before.ticket.messages)
    status = news.status or ("open" if wrote else before.status)
    linked = replace(before, last_word=news.last_word or before.last_word)
    after = replace(
        linked,
        ticket=_with(news.ticket, messages),
        status=status,
        set_fields=before.set_fields if news.set_fields is None else dict(news.set_fields),
        wrote_at=wrote_at(news.ticket, now, before.wrote_at),
        first_reply_at=first_reply(messages, now, before.first_reply_at),
        resolved_at=resolved_at(status, now, before),
    )
    if _said(after) == _said(before):
        return linked
    # A clock that is behind must not make a change look older than the one before it.
    return replace(after, version=before.version + 1, updated_at=max(now, before.updated_at))


def with_message(before: StoredTicket, message: Message, now: datetime) -> StoredTicket:
    """Return a ticket with one more message; raise `InvalidRequest` where it is full."""
    if len(before.ticket.messages) >= MAX_MESSAGES:
        raise InvalidRequest(f"messages: the ticket holds {MAX_MESSAGES} already; open another one for what follows")
    return changed(before, News(before.ticket, (*before.ticket.messages, message)), now)


def with_values(before: StoredTicket, fields: Mapping[str, str], now: datetime | None) -> StoredTicket:
    """Return a ticket with values that a person has set, beside those set before; now: None leaves its time."""
    news = News(before.ticket, set_fields={**before.set_fields, **fields})
    return changed(before, news, before.updated_at if now is None else now)


def wrote_at(ticket: Ticket, now: datetime, known: datetime | None = None) -> datetime:
    """Return when the customer opened a ticket: as it says, unless its clock cannot be right.

    known: what was found before; a ticket that does not say keeps it, and is taken to be from now where there is none.
    """
    said = ticket.created_at
    return said if said is not None and now - LONGEST_WAIT < said <= now else known or now


def dated(message: Message) -> Message:
    """Return a message without its time where that stands for none, as the year 1 often does."""
    if message.created_at is None or message.created_at.year in POSSIBLE_YEARS:
        return message
    return message.model_copy(update={"created_at": None})


def first_reply(messages: Sequence[Message], now: datetime, known: datetime | None = None) -> datetime | None:
    """Return when an agent first answered where the customer could see it; None where nobody has."""
    reply = next((message for message in messages if message.author == "agent" and message.public), None)
    if reply is None:
        return None
    return min(reply.created_at, now) if reply.created_at is not None else known or now


def resolved_at(status: Status, now: datetime, before: StoredTicket | None = None) -> datetime | None:
    """Return when a ticket was solved or closed, whichever came first; None while it waits."""
    if status in WAITING:
        return None
    return (before.resolved_at if before is not None else None) or now


def requester_columns(requester: Requester) -> dict[str, str]:
    """Return `id`, `email`, both or neither: what a requester is known by (see `triage.history.requester_keys`)."""
    known = dict(key.split(":", 1) for key in requester_keys(requester))
    return {name: value for name, value in known.items() if name == "id" or len(value) <= LONGEST_ADDRESS}


def told(ticket: Ticket) -> str:
    """Return a ticket's own words as canonical JSON: without id, messages and set_fields, which are kept elsewhere."""
    said = ticket.model_dump(mode="json", exclude={"id", "messages", "set_fields"}, exclude_defaults=True)
    return json.dumps(said, ensure_ascii=False, sort_keys=True)


def _said(stored: StoredTicket) -> tuple[object, ...]:
    return told(stored.ticket), stored.ticket.messages, stored.status, stored.set_fields


def _with(ticket: Ticket, messages: tuple[Message, ...]) -> Ticket:
    return ticket.model_copy(update={"messages": messages, "set_fields": {}})


def _by_customer(messages: Sequence[Message]) -> int:
    return sum(message.author == "customer" for message in messages)
