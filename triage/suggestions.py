"""What Firstline says about a ticket: the shapes of the wire, all frozen."""

from typing import Literal

from pydantic import AwareDatetime, Field

from triage.message_kind import Kind
from triage.tickets import WireModel

SUGGESTION_VERSION = 1

Severity = Literal["low", "medium", "high", "critical"]
Disposition = Literal["draft", "handoff", "no_reply", "open"]


class Alternative(WireModel):
    """A label that was considered."""

    value: str
    confidence: float = Field(ge=0, le=1)


def percent(confidence: float) -> str:
    """Say a confidence as people should read it: no chance is certain."""
    return "over 99%" if confidence > 0.99 else f"{confidence:.0%}"


class Factor(WireModel):
    """Something that moved a prediction."""

    name: str
    effect: str
    evidence: str


class Prediction(WireModel):
    """One field. Undecided: `value` is null and the best guess leads the alternatives.

    confidence: the calibrated chance of the best guess; 1 where a routing rule or a person decided.
    """

    value: str | None
    confidence: float = Field(ge=0, le=1)
    decided: bool
    alternatives: tuple[Alternative, ...] = ()
    factors: tuple[Factor, ...] = ()

    @property
    def best(self) -> str:
        """The value, or the best guess where none was decided."""
        return self.value if self.value is not None else self.alternatives[0].value

    def chance_of(self, label: str) -> float:
        """Return the confidence in one label; 0 where it is not among those listed."""
        if self.value == label:
            return self.confidence
        return next((other.confidence for other in self.alternatives if other.value == label), 0.0)


class Why(WireModel):
    """Why a passage was found."""

    dense: float
    lexical: float
    terms: tuple[str, ...]


class ArticleHit(WireModel):
    """An article that may answer, with its best passage: `text[start:end]` of the article's plain text."""

    article_id: str
    revision: int
    audience: Literal["public", "internal"]
    title: str
    score: float
    passage: str
    start: int
    end: int
    why: Why


class SimilarTicket(WireModel):
    """A past ticket of this desk and the reply it got; a source of drafts only where the desk says so."""

    ticket_id: str
    score: float
    reply: str
    why: Why


class MacroHit(WireModel):
    """A saved reply that may suit; what the ticket does not say stands as {placeholder}."""

    macro_id: str
    title: str
    score: float
    text: str
    why: Why


class Support(WireModel):
    """Where a sentence stands: characters start to end of the article's plain text."""

    article_id: str
    start: int
    end: int
    score: float = Field(ge=0, le=1)


class DraftSentence(WireModel):
    """One sentence or step. `role` tells facts, which need support, from courtesy, which states none.

    starts_line: whether it opens a paragraph, a step or a row, rather than going on in the line.
    """

    text: str
    role: Literal["greeting", "lead", "fact", "closing"]
    starts_line: bool = True
    support: tuple[Support, ...] = ()


class Draft(WireModel):
    """A reply for an agent to accept, edit or reject."""

    text: str
    sentences: tuple[DraftSentence, ...]
    source: Literal["articles", "macro", "history", "model"]
    warnings: tuple[str, ...] = ()


class HandoffReason(WireModel):
    """A rule that fired, what made it fire, and what would have changed it."""

    code: str
    severity: Severity
    evidence: str
    would_change: str


class Handoff(WireModel):
    """Why a person must take over, who, and a note for them. All reasons are kept, the gravest first."""

    reasons: tuple[HandoffReason, ...]
    team: str | None
    summary: str


class RouteStep(WireModel):
    """A team that was passed over, or asked first, and why."""

    team: str
    why: str


class Route(WireModel):
    """Who takes the ticket now, and how that came about.

    team: takes it; person: whom to ask there by name, where the matter calls for one; opens_at: when the team opens,
    in UTC, where nobody is there now.
    """

    team: str
    person: str | None = None
    opens_at: AwareDatetime | None = None
    steps: tuple[RouteStep, ...] = ()


class RepeatOf(WireModel):
    """Another ticket of the same requester about the same matter; score: how alike the two are, a cosine."""

    ticket_id: str
    at: AwareDatetime
    score: float = Field(ge=-1, le=1)

    @property
    def text(self) -> str:
        """Say it in a few words."""
        return f"on {self.at.day} {self.at:%b} as {self.ticket_id} ({self.score:.2f} alike)"


class Duplicate(WireModel):
    """An open ticket that says the same: of the same requester, or of another in the same incident.

    score: how alike the two are, a cosine.
    """

    ticket_id: str
    at: AwareDatetime
    score: float = Field(ge=-1, le=1)
    same_requester: bool


class HistorySaid(WireModel):
    """What the desk's records said of the ticket and went into the decision.

    repeat_of: newest first; duplicates: the most alike first, ten at most, of duplicate_count; they decide nothing;
    set_fields: values set by a person that the records hold; outdated: such values that the taxonomy no longer has,
    which count for nothing.
    """

    repeat_of: tuple[RepeatOf, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    duplicate_count: int = 0
    set_fields: dict[str, str] = {}
    outdated: dict[str, str] = {}


class Due(WireModel):
    """SLA targets in working time, from the likeliest priority."""

    respond_by: AwareDatetime
    resolve_by: AwareDatetime


class Versions(WireModel):
    """What decided: with these the decision can be repeated."""

    engine: str
    encoder: str
    generation: str
    knowledge_revision: int
    policy: str
    taxonomy: str


class Suggestion(WireModel):
    """Everything about one ticket. `timing_ms` and `id` are left out of comparisons.

    novelty: the chance that the ticket is like none of the desk's past ones, at even odds; null where that is unknown.
    answered: which reply of an agent the customer has not written back to; then there is nothing to say.
    answerability: the chance that the public passages found answer it, at even odds; null where none were looked for.
    route: null where nobody is to answer; history: null where the desk's records said nothing.
    """

    id: str
    ticket_id: str | None
    version: int = SUGGESTION_VERSION
    kind: Kind
    kind_evidence: str
    answered: str | None = None
    language: str
    fields: dict[str, Prediction]
    novelty: float | None = Field(default=None, ge=0, le=1)
    answerability: float | None = Field(default=None, ge=0, le=1)
    due: Due | None
    disposition: Disposition
    articles: tuple[ArticleHit, ...] = ()
    similar: tuple[SimilarTicket, ...] = ()
    macros: tuple[MacroHit, ...] = ()
    draft: Draft | None = None
    handoff: Handoff | None = None
    route: Route | None = None
    history: HistorySaid | None = None
    versions: Versions
    timing_ms: dict[str, float]
