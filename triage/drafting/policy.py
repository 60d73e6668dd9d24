"""The policy file: which handoff rules are on, with which parameters, and how much error a field may make."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field

from triage.suggestions import Severity
from triage.toml_files import FileModel, read_toml

Topic = Literal[
    "legal",
    "security_incident",
    "safety",
    "self_harm",
    "harassment",
    "discrimination",
    "payment_dispute",
    "data_protection",
    "press",
]
#: What only somebody who sees the customer's account can answer.
OwnCase = Literal["order", "payment", "account", "case"]
#: How a text gives orders to a machine.
Order = Literal["override", "role", "prompt", "dictated", "decision", "addressed", "markup"]


class FieldPolicy(FileModel):
    """The share of decided tickets on which a field may be wrong; labels: for some of its labels another share."""

    max_error: float = Field(default=0.05, gt=0, lt=1)
    labels: dict[str, Annotated[float, Field(gt=0, lt=1)]] = {}


class DraftPolicy(FileModel):
    """needs: the fields that must be decided before a draft is shown."""

    needs: tuple[str, ...] = ("category",)


class DuplicatePolicy(FileModel):
    """Which open tickets are shown as saying the same: of the last `hours`, and at least so similar (a cosine).

    0.75: in queues of 300 tickets of Banking77's training rows 87 % of such pairs have one intent. They decide nothing.
    """

    on: bool = True
    hours: float = Field(default=48, gt=0, le=8_760)
    similarity: float = Field(default=0.75, ge=-1, le=1)


class WordingPolicy(FileModel):
    """Whether builds learn which messages a person must take over, beside the phrases that the rules know.

    flag_at_most: the share of ordinary tickets that may be taken for such a message; a build finds the threshold.
    """

    on: bool = True
    flag_at_most: float = Field(default=0.08, ge=0, lt=1)


class RulePolicy(FileModel):
    """Common to all rules: on or off, how grave, and the team that takes over (else the predicted team)."""

    on: bool = True
    severity: Severity = "medium"
    team: str | None = None


class HumanRequested(RulePolicy):
    """The customer asks for a person."""

    severity: Severity = "high"


class SensitiveTopic(RulePolicy):
    """The message touches a topic that only people answer.

    topics: which.
    """

    severity: Severity = "critical"
    topics: tuple[Topic, ...] = get_args(Topic)


class HostileInstructions(RulePolicy):
    """The text gives orders to a machine.

    topics: to forget its rules, to play a role, to show its prompt and so on.
    """

    severity: Severity = "high"
    topics: tuple[Order, ...] = get_args(Order)


class AngryCustomer(RulePolicy):
    """The customer is angry or threatens to leave.

    shouting: whether capitals and several exclamation marks turn milder words into anger; alone they are none.
    """

    severity: Severity = "high"
    shouting: bool = True


class VipRequester(RulePolicy):
    """The requester, or the ticket, is tagged as one that people look after.

    tags: which tags say so, in any case of letters.
    """

    tags: tuple[str, ...] = ("vip",)


class AccountSpecific(RulePolicy):
    """Only somebody with access to the customer's account can answer.

    topics: about what.
    """

    topics: tuple[OwnCase, ...] = get_args(OwnCase)


class AttachmentNeeded(RulePolicy):
    """The message points at something attached, which nobody has read.

    words: from so many on the message says enough itself, subject included.
    """

    words: int = Field(default=25, ge=1, le=1_000)


class UrgentPriority(RulePolicy):
    """The ticket may be urgent.

    label: the priority that is meant; min_chance: the confidence in it from which on a person looks first.
    """

    severity: Severity = "high"
    label: str = "urgent"
    min_chance: float = Field(default=0.5, ge=0, le=1)


class UnsupportedLanguage(RulePolicy):
    """The ticket is in a language that the desk does not answer in."""


class EmptyMessage(RulePolicy):
    """There is nothing to read."""

    severity: Severity = "low"


class LongMessage(RulePolicy):
    """There is more text than the rules read."""


class RepeatContact(RulePolicy):
    """The customer wrote about the same matter before: another draft is not what is missing.

    days: so far back; similarity: the cosine of two tickets' vectors from which on they are about the same.

    Where the rule is off, nobody looks for repeats: they raise neither the team nor the priority either.
    """

    days: float = Field(default=7, gt=0, le=365)
    similarity: float = Field(default=0.6, ge=-1, le=1)


class OutOfScope(RulePolicy):
    """The ticket is like none that the desk has seen.

    flag_at_most: the share of tickets like past ones that may be taken for new; a build finds the threshold.
    """

    flag_at_most: float = Field(default=0.05, ge=0, lt=1)


class LowConfidence(RulePolicy):
    """A field that the draft needs is undecided."""


class NoSupportingArticle(RulePolicy):
    """No public article answers.

    min_chance: the chance, at even odds, that the public passages found must have of answering; min_score: the cosine
    that the nearest of them must reach as well, by default any; internal_lead: where an internal passage is ahead by
    more than this, it is the one that answers, and customers may not read it.
    """

    min_chance: float = Field(default=0.35, ge=0, le=1)
    min_score: float = Field(default=-1, ge=-1, le=1)
    internal_lead: float = Field(default=0.05, ge=0, le=2)


class ConflictingArticles(RulePolicy):
    """Two articles give different numbers for the same.

    similarity: sentences at least so alike (a cosine) are held against each other.
    """

    similarity: float = Field(default=0.8, ge=-1, le=1)


class SeveralQuestionsUnanswered(RulePolicy):
    """A message asks several things, and too many of them have no answer.

    share: of its questions, from which on a person takes over; min_chance: below it a question has no answer.
    """

    share: float = Field(default=0.6, gt=0, le=1)
    min_chance: float = Field(default=0.2, ge=0, le=1)


class UnsupportedDraft(RulePolicy):
    """A draft was written and too little of it stood in its sources."""


class Rules(FileModel):
    """All handoff rules, in the order in which reasons of equal gravity are shown."""

    sensitive_topic: SensitiveTopic = SensitiveTopic()
    human_requested: HumanRequested = HumanRequested()
    hostile_instructions: HostileInstructions = HostileInstructions()
    angry_customer: AngryCustomer = AngryCustomer()
    vip_requester: VipRequester = VipRequester()
    urgent_priority: UrgentPriority = UrgentPriority()
    unsupported_language: UnsupportedLanguage = UnsupportedLanguage()
    empty_message: EmptyMessage = EmptyMessage()
    long_message: LongMessage = LongMessage()
    attachment_needed: AttachmentNeeded = AttachmentNeeded()
    account_specific: AccountSpecific = AccountSpecific()
    repeat_contact: RepeatContact = RepeatContact()
    out_of_scope: OutOfScope = OutOfScope()
    low_confidence: LowConfidence = LowConfidence()
    no_supporting_article: NoSupportingArticle = NoSupportingArticle()
    conflicting_articles: ConflictingArticles = ConflictingArticles()
    several_questions_unanswered: SeveralQuestionsUnanswered = SeveralQuestionsUnanswered()
    unsupported_draft: UnsupportedDraft = UnsupportedDraft()


class Policy(FileModel):
    """``policy.toml``."""

    fields: dict[str, FieldPolicy] = {}
    draft: DraftPolicy = DraftPolicy()
    duplicates: DuplicatePolicy = DuplicatePolicy()
    wording: WordingPolicy = WordingPolicy()
    rules: Rules = Rules()

    def max_error(self, field: str) -> float:
        """Return the error that a field may make."""
        return self.fields.get(field, FieldPolicy()).max_error

    def label_errors(self, field: str) -> dict[str, float]:
        """Return the errors of single labels that are not the field's."""
        return self.fields.get(field, FieldPolicy()).labels

    def mentions(self) -> list[tuple[str, str, str | None]]:
        """Return (where, field, label or None) of everything that must stand in the taxonomy."""
        found: list[tuple[str, str, str | None]] = [(f"fields.{field}", field, None) for field in self.fields]
        for field, stated in self.fields.items():
            found += [(f"fields.{field}.labels.{label}", field, label) for label in stated.labels]
        found += [("draft.needs", field, None) for field in self.draft.needs]
        found.append(("rules.urgent_priority.label", "priority", self.rules.urgent_priority.label))
        for name in Rules.model_fields:
            team = getattr(self.rules, name).team
            if team is not None:
                found.append((f"rules.{name}.team", "team", team))
        return found


def read_policy(path: Path) -> Policy:
    """Read ``policy.toml``; raise `DeskFileError`."""
    return read_toml(path, Policy)
