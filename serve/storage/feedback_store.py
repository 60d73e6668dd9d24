"""What became of suggestions: verdicts, final texts and corrected fields, and what a lead approved to learn from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, Select, Tuple, and_, insert, literal, or_, select, tuple_, update

from serve.storage.audit_log import AuditEntry, AuditLog
from serve.storage.database import Database
from serve.storage.tables import UtcTime, feedback
from triage.edits import Edit

Verdict = Literal["accepted", "edited", "rejected"]
#: Rows that are read at a time where all are asked for.
PAGE = 500
APPROVAL = ("approved_at", "approved_by")
#: What lists are sorted by, compared as one so that an index is of use.
sorted_by = tuple_(feedback.c.created_at, feedback.c.id)


#: How a rejection's reason begins that says that a draft was dangerous, not merely of no use.
DANGEROUS_REASONS = ("wrong_fact", "needs_person")


@dataclass(frozen=True)
class Feedback:
    """What one person said of one suggestion.

    agent: who, as the caller says, None where it does not; fields: the right label by field, of those that were wrong;
    kept_ratio: share of the draft's words that were kept, None where there was no draft; edit: how the draft was
    changed, None where nothing was sent; seconds: from opening the ticket to the decision, None where that is unknown;
    approved_by: a key's id; undone_at: when it was taken back.
    """

    id: str
    suggestion_id: str
    ticket_id: str | None
    key_id: str
    created_at: datetime
    verdict: Verdict
    agent: str | None = None
    final_text: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    kept_ratio: float | None = None
    approved_at: datetime | None = None
    approved_by: str | None = None
    edit: Edit | None = None
    seconds: float | None = None
    undone_at: datetime | None = None


@dataclass(frozen=True)
class FeedbackFilter:
    """Which rows are listed; None: whichever. since: those from this time on, aware; corrections: only those that
    correct a field or a text, or reject a draft as dangerous. What was taken back is never listed.
    """

    verdict: Verdict | None = None
    approved: bool | None = None
    since: datetime | None = None
    corrections: bool = False


class FeedbackStore:
    """The feedback of all desks; every method names the desk. What it returns has been committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, desk: str, said: Feedback) -> None:
        """Store what was said. A suggestion may be spoken of several times; the newest word counts."""
        row = {
            "id": said.id,
            "desk": desk,
            "suggestion_id": said.suggestion_id,
            "ticket_id": said.ticket_id,
            "agent": said.agent,
            "key_id": said.key_id,
            "created_at": said.created_at,
            "verdict": said.verdict,
            "final_text": said.final_text,
            "fields": json.dumps(dict(said.fields), ensure_ascii=False, sort_keys=True),
            "reason": said.reason,
            "kept_ratio": said.kept_ratio,
            "approved_at": said.approved_at,
            "approved_by": said.approved_by,
            "edit": said.edit.model_dump_json() if said.edit is not None else None,
            "seconds": said.seconds,
            "undone_at": said.undone_at,
        }
        with self._database.writing() as connection:
            connection.execute(insert(feedback), row)

    def undo(self, desk: str, feedback_id: str, key_id: str, now: datetime) -> Feedback | None:
        """Take a word back that the same key gave and no lead approved, once for all; None where there is none such."""
        mine = (feedback.c.desk == desk) & (feedback.c.id == feedback_id) & (feedback.c.key_id == key_id)
        free = feedback.c.undone_at.is_(None) & feedback.c.approved_at.is_(None)
        with self._database.writing() as connection:
            connection.execute(update(feedback).where(mine, free).values(undone_at=now))
            row = connection.execute(select(feedback).where(mine, feedback.c.undone_at.is_not(None))).one_or_none()
        return None if row is None else _feedback(row)

    def of_suggestion(self, desk: str, suggestion_id: str) -> Feedback | None:
        """Return the newest word on a suggestion that was not taken back; None where nobody said one."""
        query = (
            select(feedback)
            .where(feedback.c.desk == desk, feedback.c.suggestion_id == suggestion_id, feedback.c.undone_at.is_(None))
            .order_by(feedback.c.created_at.desc(), feedback.c.id.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _feedback(row)

    def get(self, desk: str, feedback_id: str) -> Feedback | None:
        """Return a desk's feedback, or None where that desk has none by this id."""
        query = select(feedback).where(feedback.c.desk == desk, feedback.c.id == feedback_id)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _feedback(row)

    def list(
        self, desk: str, wanted: FeedbackFilter, limit: int, behind: tuple[datetime, str] | None = None
    ) -> tuple[tuple[Feedback, ...], bool]:
        """Return a desk's feedback, newest first, and whether there is more; behind: time and id of the row before."""
        query = _matching(select(feedback).where(feedback.c.desk == desk), wanted)
        if behind is not None:
            query = query.where(sorted_by < _place(*behind))
        query = query.order_by(feedback.c.created_at.desc(), feedback.c.id.desc()).limit(limit + 1)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(_feedback(row) for row in rows[:limit]), len(rows) > limit

    def approved(self, desk: str) -> Iterator[Feedback]:
        """Yield all of a desk's feedback that a lead approved, oldest first; between pages no transaction is open."""
        query = _matching(select(feedback).where(feedback.c.desk == desk), FeedbackFilter(approved=True))
        query = query.order_by(feedback.c.created_at, feedback.c.id).limit(PAGE)
        last: Feedback | None = None
        while True:
            page = query
            if last is not None:
                page = query.where(sorted_by > _place(last.created_at, last.id))
            with self._database.reading() as connection:
                rows = connection.execute(page).all()
            for row in rows:
                last = _feedback(row)
                yield last
            if len(rows) < PAGE:
                return

    def approve(self, desk: str, feedback_id: str, key_id: str, now: datetime) -> Feedback | None:
        """Let corrections be learnt from; None where the desk has no such feedback. The first approval stands."""
        return self._mark(desk, feedback_id, AuditEntry(desk, now, key_id, "feedback.approve", feedback_id, {}))

    def withdraw(self, desk: str, feedback_id: str, key_id: str, now: datetime) -> Feedback | None:
        """Take an approval back; None where the desk has no such feedback. What was exported stays in its file."""
        return self._mark(desk, feedback_id, AuditEntry(desk, now, key_id, "feedback.withdraw", feedback_id, {}))

    def _mark(self, desk: str, feedback_id: str, entry: AuditEntry) -> Feedback | None:
        """Set or unset an approval where it is not as wanted already; the log has a line for a change only."""
        approving = entry.action == "feedback.approve"
        values = {"approved_at": entry.at, "approved_by": entry.actor} if approving else dict.fromkeys(APPROVAL)
        this = (feedback.c.desk == desk) & (feedback.c.id == feedback_id)
        other = feedback.c.approved_at.is_(None) if approving else feedback.c.approved_at.is_not(None)
        this = this & feedback.c.undone_at.is_(None)
        with self._database.writing() as connection:
            if connection.execute(update(feedback).where(this, other).values(values)).rowcount:
                AuditLog.add(connection, entry)
            row = connection.execute(select(feedback).where(this)).one_or_none()
        return None if row is None else _feedback(row)


def _place(at: datetime, id: str) -> Tuple:
    return tuple_(literal(at, UtcTime), literal(id))


def _matching(query: Select[Any], wanted: FeedbackFilter) -> Select[Any]:
    query = query.where(feedback.c.undone_at.is_(None))
    if wanted.verdict is not None:
        query = query.where(feedback.c.verdict == wanted.verdict)
    if wanted.approved is not None:
        at = feedback.c.approved_at
        query = query.where(at.is_not(None) if wanted.approved else at.is_(None))
    if wanted.corrections:
        dangerous = (feedback.c.reason.startswith(reason, autoescape=True) for reason in DANGEROUS_REASONS)
        rejected = and_(feedback.c.verdict == "rejected", or_(*dangerous))
        query = query.where(or_(feedback.c.fields != "{}", feedback.c.verdict == "edited", rejected))
    if wanted.since is not None:
        query = query.where(feedback.c.created_at >= wanted.since)
    return query


def _feedback(row: Row[Any]) -> Feedback:
    return Feedback(
        id=row.id,
        suggestion_id=row.suggestion_id,
        ticket_id=row.ticket_id,
        key_id=row.key_id,
        created_at=row.created_at,
        verdict=row.verdict,
        agent=row.agent,
        final_text=row.final_text,
        fields=json.loads(row.fields),
        reason=row.reason,
        kept_ratio=row.kept_ratio,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        edit=None if row.edit is None else Edit.model_validate_json(row.edit),
        seconds=row.seconds,
        undone_at=row.undone_at,
    )
