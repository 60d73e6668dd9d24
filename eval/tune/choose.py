"""A setting for each stated target, from the curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from eval.cases import Case
from eval.tune.fields import FieldCurve, wanted_error
from eval.tune.handoffs import HandoffCurve, HandoffPoint, became_of, best_for, point, turned
from triage.engine import TriageEngine


@dataclass(frozen=True)
class Targets:
    """What is wanted. errors, coverages: by field; recall, precision: of handoffs; None: whatever it comes to."""

    errors: Mapping[str, float] = field(default_factory=dict)
    coverages: Mapping[str, float] = field(default_factory=dict)
    recall: float | None = None
    precision: float | None = None


@dataclass(frozen=True)
class Tuned:
    """All that was found. settings: what is proposed, by path in policy.toml; unmet: targets that no setting reaches;
    together: what handoffs come to now, and with all proposed thresholds of rules."""

    fields: tuple[FieldCurve, ...]
    handoffs: tuple[HandoffCurve, ...]
    settings: Mapping[tuple[str, ...], float]
    unmet: tuple[str, ...]
    together: tuple[HandoffPoint, HandoffPoint]
    cases: int


def choose(
    engine: TriageEngine,
    cases: Sequence[Case],
    now: datetime,
    fields: tuple[FieldCurve, ...],
    handoffs: tuple[HandoffCurve, ...],
    targets: Targets,
) -> Tuned:
    """Return the curves with a setting for each target."""
    settings: dict[tuple[str, ...], float] = {("fields", name, "max_error"): e for name, e in targets.errors.items()}
    unmet = []
    for one in fields:
        if (coverage := targets.coverages.get(one.field)) is None:
            continue
        if (wanted := wanted_error(one, coverage)) is None:
            unmet.append(f"no stated error lets {one.field} decide {coverage:.0%}")
        else:
            settings["fields", one.field, "max_error"] = wanted.max_error
    policy = engine.rules.policy
    best = [(curve, _best(curve, targets)) for curve in handoffs]
    if handoffs and not any(setting for _, setting in best):
        unmet.append("no threshold of a rule, turned alone, reaches the target for handoffs")
    for curve, setting in best:
        if setting is not None and setting.value != curve.now.value:
            settings["rules", *curve.dial.split(".")] = setting.value
            policy = turned(policy, curve.dial, setting.value)
    became = became_of(engine, [engine.rules.policy, policy], cases, now)
    both = point(0, cases, became[0]), point(0, cases, became[1])
    return Tuned(fields, handoffs, settings, tuple(unmet), both, len(cases))


def _best(curve: HandoffCurve, targets: Targets) -> HandoffPoint | None:
    if targets.recall is not None:
        return best_for(curve, lambda one: one.recall, targets.recall)
    if targets.precision is not None:
        return best_for(curve, lambda one: one.precision, targets.precision)
    return curve.now
