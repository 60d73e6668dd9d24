"""The tickets of a desk as a queue: what waits, by when it is due, with what was suggested for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select, tuple_

from serve.storage.database import Database
from serve.storage.tables import NEVER, UtcTime, suggestions, tickets
from serve.storage.ticket_life import Status, StoredTicket
from serve.storage.ticket_rows import stored_ticket
from triage.suggestions import Disposition, Suggestion

Order = Literal["due", "newest", "oldest"]
Listed = Status | Literal["waiting", "all"]
Shown = Disposition | Literal["unread"]
#: What is typed into the search field is looked for in so many of its characters.
MAX_SEARCH = 200


@dataclass(frozen=True)
class QueueFilter:
    """Which tickets are listed; None or "": whichever.

    status: "waiting" for open and pending ones; search: words that all stand in the ticket as the customer opened it,
    its id, or what is known of the requester.
    """

    status: Listed = "open"
    disposition: Shown | None = None
    category: str | None = None
    priority: str | None = None
    team: str | None = None
    late: bool = False
    search: str = ""
    order: Order = "due"


@dataclass(frozen=True)
class QueueRow:
    """A ticket without its messages, and the newest suggestion for it, None where there is none."""

    ticket: StoredTicket
    suggestion: Suggestion | None


@dataclass(frozen=True)
class QueuePage:
    """Rows in their order, and what stands behind the last: None for nothing."""

    rows: tuple[QueueRow, ...]
    next: tuple[datetime, str] | None


class QueueStore:
    """The queues of all desks; every method names the desk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        desk: str,
        wanted: QueueFilter,
        now: datetime,
        limit: int,
        behind: tuple[datetime, str] | None = None,
    ) -> QueuePage:
        """Return tickets with their suggestions; behind: `next` of the page before."""
        at = tickets.c.due_at if wanted.order == "due" else tickets.c.wrote_at
        newest = suggestions.c.id == tickets.c.suggestion_id
        query = select(tickets, suggestions.c.suggestion, at.label("place")).outerjoin(
            suggestions, and_(suggestions.c.desk == tickets.c.desk, newest)
        )
        query = _matching(query.where(tickets.c.desk == desk), wanted, now)
        place = tuple_(at, tickets.c.id)
        descending = wanted.order == "newest"
        if behind is not None:
            last = tuple_(literal(behind[0], UtcTime), literal(behind[1]))
            query = query.where(place < last if descending else place > last)
        order = (at.desc(), tickets.c.id.desc()) if descending else (at, tickets.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(*order).limit(limit + 1)).all()
        shown = tuple(map(_row, rows[:limit]))
        return QueuePage(shown, (rows[limit - 1].place, rows[limit - 1].id) if len(rows) > limit else None)

    def counts(self, desk: str, now: datetime) -> dict[str, int]:
        """Return how many open tickets there are: all, late, and by disposition ("unread": without a suggestion)."""
        kind = func.coalesce(tickets.c.disposition, "unread")
        query = select(kind, func.count()).where(tickets.c.desk == desk, tickets.c.status == "open").group_by(kind)
        late = select(func.count()).where(tickets.c.desk == desk, tickets.c.status == "open", tickets.c.due_at < now)
        with self._database.reading() as connection:
            found: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
            return found | {"all": sum(found.values()), "late": connection.execute(late).scalar_one()}

    def since(self, desk: str, wanted: QueueFilter, now: datetime, moment: datetime) -> int:
        """Return how many tickets of a list came in, or were written to, after a moment."""
        query = _matching(select(func.count()).where(tickets.c.desk == desk), wanted, now)
        with self._database.reading() as connection:
            return int(connection.execute(query.where(tickets.c.updated_at > moment)).scalar_one())

    def neighbours(self, desk: str, wanted: QueueFilter, now: datetime, ticket: StoredTicket) -> Sequence[str | None]:
        """Return the ids of the tickets before and after one in a list; None at its ends."""
        at = tickets.c.due_at if wanted.order == "due" else tickets.c.wrote_at
        here = tuple_(literal((ticket.due_at or NEVER) if wanted.order == "due" else ticket.wrote_at, UtcTime),
                      literal(ticket.id))  # fmt: skip
        place = tuple_(at, tickets.c.id)
        base = _matching(select(tickets.c.id).where(tickets.c.desk == desk), wanted, now)
        down = base.where(place > here).order_by(at, tickets.c.id).limit(1)
        up = base.where(place < here).order_by(at.desc(), tickets.c.id.desc()).limit(1)
        with self._database.reading() as connection:
            before, after = (connection.execute(query).scalar_one_or_none() for query in (up, down))
        return (after, before) if wanted.order == "newest" else (before, after)


def _matching(query: Select[Any], wanted: QueueFilter, now: datetime) -> Select[Any]:
    if wanted.status == "waiting":
        query = query.where(tickets.c.status.in_(("open", "pending")))
    elif wanted.status != "all":
        query = query.where(tickets.c.status == wanted.status)
    if wanted.disposition == "unread":
        query = query.where(tickets.c.suggestion_id.is_(None))
    elif wanted.disposition is not None:
        query = query.where(tickets.c.disposition == wanted.disposition)
    for name in ("category", "priority", "team"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(tickets.c[name] == value)
    if wanted.late:
        query = query.where(tickets.c.due_at < now)
    for word in wanted.search[:MAX_SEARCH].split():
        query = query.where(_holds(word))
    return query


def _holds(word: str) -> ColumnElement[bool]:
    """Return the condition that a word stands in a ticket; `%` and `_` stand for themselves."""
    texts = (tickets.c.ticket, tickets.c.id, tickets.c.requester_id, tickets.c.requester_email)
    return or_(*(text.icontains(word, autoescape=True) for text in texts))


def _row(row: Row[Any]) -> QueueRow:
    said = row.suggestion
    return QueueRow(stored_ticket(row, ()), None if said is None else Suggestion.model_validate_json(said))
