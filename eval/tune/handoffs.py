"""What handoffs and drafts come to at each setting of a rule's threshold, on cases that say who was needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from eval.cases import Case
from eval.replay.summary import Share, share
from models.protocols import Progress, no_progress
from triage.drafting.policy import Policy
from triage.engine import TriageEngine
from triage.outcome import Outcome, disposition
from triage.suggestions import Disposition

#: The thresholds that can be turned without learning anything again, and where they could stand.
DIALS: Mapping[str, tuple[float, ...]] = {
    "no_supporting_article.min_chance": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7),
    "urgent_priority.min_chance": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8),
    "several_questions_unanswered.min_chance": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
}


@dataclass(frozen=True)
class HandoffPoint:
    """What a setting comes to. precision, recall: of handoffs; drafted: drafts for cases that an article answers."""

    value: float
    precision: Share
    recall: Share
    drafted: Share


@dataclass(frozen=True)
class HandoffCurve:
    """A threshold's points, the lowest first; now: the one of the desk's policy."""

    dial: str
    now: HandoffPoint
    points: tuple[HandoffPoint, ...]


def setting(policy: Policy, dial: str) -> float:
    """Return where a threshold stands."""
    rule, name = dial.split(".")
    return float(getattr(getattr(policy.rules, rule), name))


def turned(policy: Policy, dial: str, value: float) -> Policy:
    """Return a policy with a threshold elsewhere."""
    rule, name = dial.split(".")
    changed = getattr(policy.rules, rule).model_copy(update={name: value})
    return policy.model_copy(update={"rules": policy.rules.model_copy(update={rule: changed})})


def handoff_curves(
    engine: TriageEngine, cases: Sequence[Case], now: datetime, progress: Progress = no_progress
) -> list[HandoffCurve]:
    """Return the curve of every threshold whose rule is on, each turned alone."""
    policy = engine.rules.policy
    dials = [dial for dial in DIALS if getattr(policy.rules, dial.split(".")[0]).on]
    values = {dial: sorted({*DIALS[dial], setting(policy, dial)}) for dial in dials}
    asked = [(dial, value) for dial in dials for value in values[dial]]
    became = became_of(engine, [turned(policy, *one) for one in asked], cases, now, progress)
    points = {one: point(one[1], cases, became[number]) for number, one in enumerate(asked)}
    return [
        HandoffCurve(dial, points[dial, setting(policy, dial)], tuple(points[dial, value] for value in values[dial]))
        for dial in dials
    ]


def best_for(curve: HandoffCurve, measure: Callable[[HandoffPoint], Share], target: float) -> HandoffPoint | None:
    """Return the setting that reaches a target with the most drafts, at equal drafts the one nearest to the present.

    measure: what the target is for; None where no setting reaches it.
    """
    able = [one for one in curve.points if (measure(one).value or 0) >= target]
    return max(able, key=lambda one: (one.drafted.value or 0, -abs(one.value - curve.now.value)), default=None)


def point(value: float, cases: Sequence[Case], became: Sequence[Disposition]) -> HandoffPoint:
    """Count what cases came to."""
    both = list(zip(cases, became, strict=True))
    known = [(bool(case.expect["handoff"]), one == "handoff") for case, one in both if "handoff" in case.expect]
    right = sum(needed and given for needed, given in known)
    drafts = [one == "draft" for case, one in both if case.expect.get("answerable")]
    return HandoffPoint(
        value,
        share(right, sum(given for _, given in known)),
        share(right, sum(needed for needed, _ in known)),
        share(sum(drafts), len(drafts)),
    )


def became_of(
    engine: TriageEngine,
    policies: Sequence[Policy],
    cases: Sequence[Case],
    now: datetime,
    progress: Progress = no_progress,
) -> list[list[Disposition]]:
    """Return by policy what becomes of each case; policies: of rules alone. Each case is read and searched for once."""
    engines = [replace(engine, rules=replace(engine.rules, policy=policy)) for policy in policies]
    became: list[list[Disposition]] = [[] for _ in policies]
    progress("cases", 0, len(cases))
    for number, case in enumerate(cases, start=1):
        reading = engine.read(case.ticket, now)
        found = Outcome() if reading.wants_no_reply else engine.find(reading)
        for one, outcomes in zip(engines, became, strict=True):
            outcome = found if reading.wants_no_reply else one.conclude(reading, found)
            outcomes.append(disposition(reading, outcome))
        progress("cases", number, len(cases))
    return became
