"""What makes a ticket pressing: named factors of impact and urgency, each with the customer's own words."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from triage.business_hours import LONGEST_WAIT
from triage.cleaning import MAX_WATCHED, TicketText
from triage.priority_deadlines import days_left
from triage.priority_wording import Axis, folded, number_clauses, taken_back, wordings
from triage.suggestions import Factor, RepeatOf
from triage.tickets import Ticket

#: Tags of requesters who count for more, unless the caller names others.
VIP_TAGS = frozenset({"vip"})
#: Points by days until a deadline: what is due today presses most; what is due later than in a week does not press yet.
DEADLINE_POINTS = ((0, 3), (1, 2), (7, 1))
#: Points by whole days without an answer, longest first.
WAITING_POINTS = ((5, 2), (2, 1))
#: Where two are said of the same people or the same standstill, only the stronger counts.
SAME_MATTER = (("everybody", "team"), ("trading_stopped", "work_stopped"))
#: A past ticket without a date was written at a fixed moment, a Wednesday, so that a build is the same on every day.
UNDATED = datetime(2025, 1, 1, 12, tzinfo=UTC)
MAX_EVIDENCE = 120
#: The customer says so, or the desk's records do.
REPEAT_CONTACT = "repeat_contact"


@dataclass(frozen=True, slots=True)
class PriorityFactor:
    """Something that makes a ticket more (or, with negative points, less) pressing.

    evidence: the customer's words, a tag, or how long they have waited.
    """

    name: str
    axis: Axis
    points: int
    evidence: str

    @property
    def on_the_wire(self) -> Factor:
        """The factor in the shape of the wire: its effect reads for instance "urgency +1"."""
        return Factor(name=self.name, effect=f"{self.axis} {self.points:+d}", evidence=self.evidence)


def find_factors(
    ticket: Ticket,
    text: TicketText,
    now: datetime,
    vip_tags: Collection[str] = VIP_TAGS,
    repeats: Sequence[RepeatOf] = (),
) -> tuple[PriorityFactor, ...]:
    """Return what makes a ticket pressing at an aware moment, each factor once.

    Days ("today", "by Friday") are those of the time zone of `now`, counted from when the words were written; a
    deadline that has passed is none. For a past ticket give `asked_at(ticket)` as `now`. repeats: other tickets of the
    requester about the same matter; they count as being told of them in words does, and once with it.
    """
    found = {factor.name: factor for factor in _from_words(text.everything[:MAX_WATCHED])}
    if "works_again" in found:
        newest = {factor.name for factor in _from_words(text.latest[:MAX_WATCHED])}
        silent = ("trading_stopped", "work_stopped") if "works_again" in newest else ("works_again",)
        found = {name: factor for name, factor in found.items() if name not in silent}
    for stronger, weaker in SAME_MATTER:
        if stronger in found:
            found.pop(weaker, None)
    if repeats:
        evidence = f"wrote about this {repeats[0].text}"[:MAX_EVIDENCE]
        found[REPEAT_CONTACT] = PriorityFactor(REPEAT_CONTACT, "urgency", 1, evidence)
    others = (_deadline(ticket, text, now), _vip(ticket, vip_tags), _waiting(ticket, now))
    return (*found.values(), *(factor for factor in others if factor is not None))


def asked_at(ticket: Ticket) -> datetime:
    """Return when the customer last wrote: the moment at which a past ticket is judged."""
    return _latest_at(ticket) or UNDATED


def _from_words(text: str) -> Iterator[PriorityFactor]:
    """Yield a factor for each wording that some clause holds and does not take back."""
    said = [(clause, folded(clause)) for clause in number_clauses(text)]
    for wording in wordings():
        for clause, lower in said:
            match = wording.pattern.search(lower)
            if match and not taken_back(lower[: match.start()]):
                words = clause[match.start() : match.end()].strip()[:MAX_EVIDENCE]
                yield PriorityFactor(wording.name, wording.axis, wording.points, words)
                break


def _deadline(ticket: Ticket, text: TicketText, now: datetime) -> PriorityFactor | None:
    """Return the most pressing deadline; what was said earlier is counted from when the ticket was opened."""
    wrote_again = any(message.author == "customer" for message in ticket.messages)
    earlier = text.everything.removesuffix(text.latest) if wrote_again else text.subject
    said = ((earlier, ticket.created_at), (text.latest, _latest_at(ticket)))
    days: list[tuple[int, str]] = []
    for words, at in said:
        written = at.astimezone(now.tzinfo) if at and now - LONGEST_WAIT < at < now else now
        days += [due for clause in number_clauses(words[:MAX_WATCHED]) for due in days_left(clause, written, now)]
    if not days:
        return None
    left, evidence = min(days)
    points = next((points for within, points in DEADLINE_POINTS if left <= within), None)
    return PriorityFactor("deadline", "urgency", points, evidence[:MAX_EVIDENCE]) if points else None


def _vip(ticket: Ticket, vip_tags: Collection[str]) -> PriorityFactor | None:
    wanted = {tag.casefold() for tag in vip_tags}
    tag = next((tag for tag in ticket.requester.tags if tag.casefold() in wanted), None)
    return PriorityFactor("vip", "impact", 1, f"tag {tag}") if tag is not None else None


def _waiting(ticket: Ticket, now: datetime) -> PriorityFactor | None:
    """Return a factor for whole days since the oldest message that nobody has answered."""
    since = _unanswered_since(ticket)
    if since is None or not now - LONGEST_WAIT < since < now:
        return None
    days = (now - since).days
    points = next((points for least, points in WAITING_POINTS if days >= least), None)
    return PriorityFactor("waiting", "urgency", points, f"waiting {days} days") if points else None


def _unanswered_since(ticket: Ticket) -> datetime | None:
    waits, since = True, ticket.created_at
    for message in ticket.messages:
        if message.author == "agent" and message.public:
            waits, since = False, None
        elif message.author == "customer" and not waits:
            waits, since = True, message.created_at
    return since


def _latest_at(ticket: Ticket) -> datetime | None:
    written = [message.created_at for message in ticket.messages if message.author == "customer"]
    return (written or [None])[-1] or ticket.created_at
