"""What a field decides at each error that could be stated, on past tickets that its head had not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from eval.replay.summary import Share, share
from triage.held_out import HeldOut
from triage.risk import find_threshold

#: Errors that are tried.
STEPS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


@dataclass(frozen=True)
class FieldPoint:
    """A stated error, and what comes of it. threshold: None where none keeps it; coverage: of held-out tickets;
    error: of the decided ones, as measured."""

    max_error: float
    threshold: float | None
    coverage: Share
    error: Share


@dataclass(frozen=True)
class FieldCurve:
    """A field's points, the smallest error first; now: the one that its policy states."""

    field: str
    now: FieldPoint
    points: tuple[FieldPoint, ...]


def field_curve(field: str, held_out: HeldOut, max_error: float, steps: Sequence[float] = STEPS) -> FieldCurve:
    """Return the curve of a field; held-out rows judge thresholds found on them, by a bound that pays for it."""
    return FieldCurve(field, _point(held_out, max_error), tuple(_point(held_out, step) for step in steps))


def wanted_error(curve: FieldCurve, coverage: float) -> FieldPoint | None:
    """Return the smallest stated error that decides so large a share, None where none does."""
    return next((one for one in curve.points if (one.coverage.value or 0) >= coverage), None)


def _point(held_out: HeldOut, max_error: float) -> FieldPoint:
    chances = held_out.chances()
    confidence = chances.max(axis=1)
    right = chances.argmax(axis=1) == held_out.targets
    found = find_threshold(confidence, right, max_error)
    decided = confidence >= (2 if found.threshold is None else found.threshold)
    count = int(decided.sum())
    return FieldPoint(max_error, found.threshold, share(count, len(right)), share(int((decided & ~right).sum()), count))
