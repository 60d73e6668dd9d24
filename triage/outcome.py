"""What a ticket was read as and what came of it, and both in the shapes of the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from models.protocols import FloatArray
from retrieval.documents import Document, Hit
from triage.business_hours import LONGEST_WAIT
from triage.cleaning import TicketText
from triage.drafting.asked import Asked
from triage.drafting.writer import Written
from triage.language import Language
from triage.learnt_wording import ReadsLike
from triage.message_kind import MessageKind
from triage.novelty import Judgement
from triage.priority_opinion import Opinion
from triage.suggestions import (
    ArticleHit,
    Disposition,
    Draft,
    HandoffReason,
    HistorySaid,
    MacroHit,
    Prediction,
    SimilarTicket,
    Suggestion,
    Why,
)
from triage.tickets import Ticket

MAX_ARTICLES = 10
#: (label, rule, evidence) by field.
Settled = Mapping[str, tuple[str, str, str]]


@dataclass(frozen=True)
class Reading:
    """A ticket after triage, before any search.

    vector: of what is searched for (else of all words), None for a ticket without a word; vectors: all that were
    computed, of shape (1 or 2, dimension), that of all words first; history: what the desk's records said;
    set_fields: label by field of all that a person has set; answered: which reply the customer has not written back
    to, where the last word is an agent's; settled: (label, rule, evidence) of the fields that were not for the
    classifier to decide; opinion: what the priority matrix says.
    """

    ticket: Ticket
    text: TicketText
    kind: MessageKind
    language: Language
    fields: Mapping[str, Prediction]
    vector: FloatArray | None
    novelty: Judgement | None = None
    reads_like: ReadsLike | None = None
    history: HistorySaid = field(default_factory=HistorySaid)
    set_fields: Mapping[str, str] = field(default_factory=dict)
    answered: str = ""
    vectors: FloatArray | None = None
    settled: Settled = field(default_factory=dict)
    opinion: Opinion | None = None

    @property
    def wants_no_reply(self) -> bool:
        """Whether nobody is waiting for an answer: the gate found none who does, or an agent has answered."""
        return bool(self.answered) or self.kind.kind not in ("request", "empty")


@dataclass(frozen=True)
class Outcome:
    """What the steps after triage came to.

    chance: that the public passages answer, None where none were looked for; asked: the whole message, then each of
    its questions where there are several; written: the draft as it was written, before rules looked at it.
    """

    hits: Sequence[Hit] = ()
    similar: tuple[SimilarTicket, ...] = ()
    macros: tuple[MacroHit, ...] = ()
    draft: Draft | None = None
    reasons: tuple[HandoffReason, ...] = ()
    chance: float | None = None
    asked: tuple[Asked, ...] = ()
    written: Written | None = None


@dataclass(frozen=True)
class Decision:
    """A suggestion, and the vectors of the ticket that it was made from (see `Reading.vectors`)."""

    suggestion: Suggestion
    vectors: FloatArray | None


def disposition(reading: Reading, outcome: Outcome) -> Disposition:
    """Return what happens to the ticket: `open` where no rule fired and no draft was asked for."""
    if reading.wants_no_reply:
        return "no_reply"
    if outcome.reasons:
        return "handoff"
    return "draft" if outcome.draft else "open"


def no_draft(problem: str | None) -> HandoffReason:
    """Return the reason that stands when there is no draft and every rule stayed silent."""
    return HandoffReason(
        code="unsupported_draft",
        severity="medium",
        evidence=problem or "no draft could be written",
        would_change="A draft had stood in its sources",
    )


def articles_of(hits: Sequence[Hit]) -> tuple[ArticleHit, ...]:
    """Return the best passage of each article, best first, ten at most."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.document.id, hit)
    return tuple(article_hit(hit) for hit in list(best.values())[:MAX_ARTICLES])


def article_hit(hit: Hit) -> ArticleHit:
    """Return a hit in the shape of the wire."""
    return ArticleHit(
        article_id=hit.document.id,
        revision=hit.document.revision,
        audience=hit.document.audience,
        title=hit.document.title,
        score=round(hit.score, 4),
        passage=hit.passage.text,
        start=hit.passage.start,
        end=hit.passage.end,
        why=why_found(hit),
    )


def why_found(hit: Hit) -> Why:
    """Return both scores and the shared words."""
    return Why(dense=round(hit.dense, 4), lexical=round(hit.lexical, 4), terms=hit.terms)


def best_internal(hits: Sequence[Hit]) -> Hit | None:
    """Return the passage nearest in meaning among those that only agents may read."""
    return max((hit for hit in hits if not is_public(hit.document)), key=lambda hit: hit.dense, default=None)


def is_public(document: Document) -> bool:
    """Tell whether customers may read a document."""
    return document.audience == "public"


def anyone(document: Document) -> bool:
    """Let every document through: for callers that may see internal ones."""
    return True


def waiting_since(ticket: Ticket, now: datetime) -> datetime:
    """Return when the customer last wrote; now, where that is not known or cannot be."""
    written = [message.created_at for message in ticket.messages if message.author == "customer"]
    since = (written or [ticket.created_at])[-1] or ticket.created_at
    return since if since is not None and now - LONGEST_WAIT < since < now else now
