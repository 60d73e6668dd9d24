"""When a person must take over: pure functions over frozen evidence, every reason kept.

Adding a rule is one function here, one entry in `HANDOFF_RULES`, and one class in `policy.Rules`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from retrieval.documents import Hit
from triage.cleaning import MAX_WATCHED, TicketText
from triage.drafting.clauses import LANGUAGES, find_wording
from triage.drafting.conflicts import Conflict
from triage.drafting.policy import Policy
from triage.drafting.wording import addressed_to_machine, anger, own_case, points_at_attachment
from triage.language import Language
from triage.learnt_wording import ReadsLike
from triage.message_kind import Kind
from triage.novelty import Judgement
from triage.suggestions import HandoffReason, Prediction, RepeatOf, Severity, percent

#: So much of a clause is quoted as evidence.
MAX_QUOTE = 160
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


@dataclass(frozen=True)
class Evidence:
    """What the rules may look at. Nothing here comes from a language model.

    hits: the public passages found, best first, or None where no search was made (then search rules stay silent);
    internal: the best passage that only agents may read; chance: that the public ones answer, None where nobody
    reckoned; novelty: whether the ticket is like any past one; reads_like: what the message reads like as a whole.
    questions, unanswered: how many questions the message asks where it asks several, and those that nothing answers;
    ready_reply: whether a saved reply answers where no article does.
    rejected_draft: why the draft was dropped, where one was written and did not stand; conflict: another article that
    says otherwise than the draft. repeats: other tickets of the
    requester about the same matter, the newest first. tags: the requester's and the ticket's.
    """

    kind: Kind
    text: TicketText
    language: Language
    desk_languages: tuple[str, ...]
    fields: Mapping[str, Prediction]
    hits: tuple[Hit, ...] | None = None
    internal: Hit | None = None
    chance: float | None = None
    questions: int = 0
    unanswered: tuple[str, ...] = ()
    ready_reply: bool = False
    rejected_draft: str | None = None
    conflict: Conflict | None = None
    novelty: Judgement | None = None
    reads_like: ReadsLike | None = None
    repeats: tuple[RepeatOf, ...] = ()
    tags: frozenset[str] = frozenset()


Rule = Callable[[Evidence, Policy], tuple[str, str] | None]


def quoted(clause: str) -> str:
    """Return a clause as evidence."""
    return f"“{clause[:MAX_QUOTE]}”"


def human_requested(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The customer asks to speak to a person, or to be called."""
    for match in find_wording(evidence.text.watched, "human_requested", LANGUAGES):
        return quoted(match.clause), "The customer had not asked for a person"
    return _as_a_whole(evidence, ("human_requested",))


def sensitive_topic(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The text touches a topic that only people answer."""
    topics = policy.rules.sensitive_topic.topics
    matches = find_wording(evidence.text.watched, "sensitive_topic", LANGUAGES)
    found = [match for match in matches if match.topic in topics]
    if not found:
        return _as_a_whole(evidence, topics)
    named = list(dict.fromkeys(match.topic for match in found))
    quotes = dict.fromkeys(f"{match.topic}: “{match.clause[:120]}”" for match in found)
    return "; ".join(tuple(quotes)[:3]), f"No wording about {', '.join(named)} had been found"


def _as_a_whole(evidence: Evidence, reasons: Sequence[str]) -> tuple[str, str] | None:
    """Return what a message without a known phrase reads like."""
    read = evidence.reads_like
    named = read.among(reasons) if read else ()
    if not read or not named:
        return None
    return f"{', '.join(named)}: {read.evidence}", f"The chance had been below {read.needed:.0%}"


def hostile_instructions(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The text gives orders to a machine: nothing that it asks for may happen by itself."""
    for match in addressed_to_machine(evidence.text, policy.rules.hostile_instructions.topics):
        return quoted(match.clause), "The text had held no orders to a machine"
    return None


def angry_customer(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The customer is angry or threatens to leave: a ready-made answer makes it worse."""
    for match in anger(evidence.text, policy.rules.angry_customer.shouting):
        return quoted(match.clause), "The customer had not sounded angry or about to leave"
    return None


def vip_requester(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The requester, or the ticket, is tagged as one that people look after."""
    wanted = {tag.casefold() for tag in policy.rules.vip_requester.tags}
    found = sorted(tag for tag in evidence.tags if tag.casefold() in wanted)
    if not found:
        return None
    return f"tag {', '.join(found)}", f"Neither requester nor ticket had the tag {', '.join(found)}"


def account_specific(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """Only somebody who sees the customer's account or order can answer."""
    for match in own_case(evidence.text, policy.rules.account_specific.topics):
        return f"{match.topic}: {quoted(match.clause)}", "The question had been a general one, not about one’s own case"
    return None


def attachment_needed(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """What matters is in something attached, which nobody has read."""
    enough = policy.rules.attachment_needed.words
    found = points_at_attachment(evidence.text, enough)
    if found is None:
        return None
    match, count = found
    return f"{quoted(match.clause)}, in {count} words", f"The message had said {enough} words or more itself"


def urgent_priority(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The ticket is urgent, or may well be."""
    rule, prediction = policy.rules.urgent_priority, evidence.fields["priority"]
    chance = prediction.chance_of(rule.label)
    if prediction.value != rule.label and chance < rule.min_chance:
        return None
    # What speaks for another label is no evidence here.
    for_it = (f"= {rule.label}", f"+{rule.label}")
    telling = [
        one for one in prediction.factors if one.effect.startswith(("impact", "urgency")) or one.effect in for_it
    ]
    why = "; ".join(f"{factor.name}: {factor.evidence}" for factor in telling)
    said = f"priority {rule.label} at {percent(chance)}" + (f" ({why})" if why else "")
    return said, f"The chance of {rule.label} had been below {rule.min_chance:.0%}"


def unsupported_language(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The ticket is in a language that the desk does not answer in."""
    code = evidence.language.code
    if code == "und" or code in evidence.desk_languages:
        return None
    allowed = ", ".join(evidence.desk_languages)
    return f"language {code} at {percent(evidence.language.confidence)}", f"The ticket had been in {allowed}"


def empty_message(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """There is not a word to read; perhaps something was attached."""
    if evidence.kind != "empty":
        return None
    return "no letter or digit in subject and body", "The ticket had held any text"


def long_message(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """There is more text than the rules read."""
    size = len(evidence.text.everything)
    if size <= MAX_WATCHED:
        return None
    return (
        f"{size:,} characters, of which {MAX_WATCHED:,} were read",
        f"The ticket had at most {MAX_WATCHED:,} characters",
    )


def repeat_contact(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The customer wrote about the same matter before."""
    if not evidence.repeats:
        return None
    told = ", ".join(repeat.text for repeat in evidence.repeats[:3])
    rule = policy.rules.repeat_contact
    far = f"within {rule.days:g} days, or what they wrote had been less than {rule.similarity:.2f} alike"
    return f"wrote about this {told}", f"The customer had not written about this before {far}"


def out_of_scope(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The ticket is like none that the desk has seen."""
    if evidence.novelty is None or not evidence.novelty.out_of_scope:
        return None
    return evidence.novelty.evidence, "Past tickets had been more like it, or one of the desk's labels had fitted"


def low_confidence(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """A field that a draft needs is undecided."""
    open_fields = [field for field in policy.draft.needs if not evidence.fields[field].decided]
    if not open_fields or evidence.kind == "empty":
        return None
    said = ", ".join(
        f"{field}: best guess {evidence.fields[field].best} at {percent(evidence.fields[field].confidence)}"
        for field in open_fields
    )
    return said, f"{', '.join(open_fields)} had been decided within the stated error"


def no_supporting_article(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """No public article answers, as far as its chance tells, or an internal one is much nearer."""
    if evidence.hits is None or evidence.kind == "empty" or evidence.ready_reply:
        return None
    rule = policy.rules.no_supporting_article
    if not evidence.hits:
        return "the search found no public passage", f"A public passage had a chance of {rule.min_chance:.0%}"
    best, internal = max(evidence.hits, key=lambda hit: hit.dense), evidence.internal
    nearest = f"“{best.document.title}”, similarity {best.dense:.3f}"
    if internal and internal.dense > best.dense + rule.internal_lead:
        # Not its title: who may not see the article may still read why there is no draft.
        said = f"an internal article is nearest, similarity {internal.dense:.3f}"
        needed = internal.dense - rule.internal_lead
    elif evidence.chance is not None and evidence.chance < rule.min_chance:
        said = f"a chance of {evidence.chance:.1%} that a public article answers; nearest: {nearest}"
        return said, f"The chance had been {rule.min_chance:.0%} or more"
    elif best.dense < rule.min_score:
        said, needed = f"nearest: {nearest}", rule.min_score
    else:
        return None
    return said, f"“{best.document.title}” had a similarity of {needed:.3f}; it has {best.dense:.3f}"


def conflicting_articles(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """Another article gives another number for what the draft says."""
    found = evidence.conflict
    if found is None:
        return None
    said = f"the draft says {quoted(found.sentence)}, but “{found.title}” says {quoted(found.other)}"
    return said, "The articles had agreed"


def several_questions_unanswered(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """The customer asks several things, and too many of them have no answer in the articles."""
    share = policy.rules.several_questions_unanswered.share
    if not evidence.questions or len(evidence.unanswered) < max(1, share * evidence.questions):
        return None
    told = "; ".join(quoted(question) for question in evidence.unanswered[:3])
    said = f"{len(evidence.unanswered)} of {evidence.questions} questions: {told}"
    return said, f"Fewer than {share:.0%} of the questions had been without an answer"


def unsupported_draft(evidence: Evidence, policy: Policy) -> tuple[str, str] | None:
    """A draft was written, and what it said did not stand in its sources."""
    if evidence.rejected_draft is None:
        return None
    return evidence.rejected_draft, "Every fact of the draft had stood in a cited passage"


HANDOFF_RULES: Mapping[str, Rule] = {
    "sensitive_topic": sensitive_topic,
    "human_requested": human_requested,
    "hostile_instructions": hostile_instructions,
    "angry_customer": angry_customer,
    "vip_requester": vip_requester,
    "urgent_priority": urgent_priority,
    "unsupported_language": unsupported_language,
    "empty_message": empty_message,
    "long_message": long_message,
    "attachment_needed": attachment_needed,
    "account_specific": account_specific,
    "repeat_contact": repeat_contact,
    "out_of_scope": out_of_scope,
    "low_confidence": low_confidence,
    "no_supporting_article": no_supporting_article,
    "conflicting_articles": conflicting_articles,
    "several_questions_unanswered": several_questions_unanswered,
    "unsupported_draft": unsupported_draft,
}


def decide_handoff(evidence: Evidence, policy: Policy) -> tuple[HandoffReason, ...]:
    """Return every reason for a handoff, the gravest first; none means that a draft may be shown."""
    reasons = []
    for code, rule in HANDOFF_RULES.items():
        settings = getattr(policy.rules, code)
        found = rule(evidence, policy) if settings.on else None
        if found:
            reasons.append(
                HandoffReason(code=code, severity=settings.severity, evidence=found[0], would_change=found[1])
            )
    return tuple(sorted(reasons, key=lambda reason: SEVERITIES.index(reason.severity)))


def team_named(reasons: tuple[HandoffReason, ...], policy: Policy) -> tuple[str, str] | None:
    """Return (team, reason) of the gravest reason that names a team of its own, or None."""
    for reason in reasons:
        team: str | None = getattr(policy.rules, reason.code).team
        if team is not None:
            return team, reason.code
    return None
