"""One pass over a run's outcomes: compact numbers for the plots, and the few worst cases whole."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from eval.outcomes import Outcome
from eval.report.worst_cases import WorstCases, is_missed, is_sensitive
from eval.statistics import Array
from triage.suggestions import Prediction

Need = Literal["needed", "not needed", "not stated"]
NEEDS: tuple[Need, ...] = ("needed", "not needed", "not stated")
#: Rank of an expected article that was not found.
NOT_FOUND = 0


@dataclass
class FieldEvidence:
    """What the cases that carry one field gave, in case order: best guess, decided or not.

    confidence: in [0, 1], 0 where an exception was raised; right, decided, failed: 0 or 1; failed: an exception.
    """

    confidence: "array[float]" = field(default_factory=lambda: array("d"))
    right: "array[int]" = field(default_factory=lambda: array("b"))
    decided: "array[int]" = field(default_factory=lambda: array("b"))
    failed: "array[int]" = field(default_factory=lambda: array("b"))
    truths: Counter[str] = field(default_factory=Counter)
    confused: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, truth: str, found: Prediction | None) -> None:
        """Count one case; `found` is None where an exception was raised."""
        self.truths[truth] += 1
        self.confidence.append(found.confidence if found else 0.0)
        self.right.append(found is not None and found.best == truth)
        self.decided.append(found is not None and found.decided)
        self.failed.append(found is None)
        if found is not None and found.best != truth:
            self.confused[truth, found.best] += 1

    def all_rows(self) -> Array:
        """Return confidence and right, shape (n, 2); an exception is a wrong guess without confidence."""
        return np.column_stack([np.array(self.confidence), np.array(self.right, dtype=np.float64)])

    def answered_rows(self) -> Array:
        """Return confidence and right of the cases without an exception, shape (m, 2)."""
        return np.asarray(self.all_rows()[np.array(self.failed, dtype=np.int8) == 0])

    def decides(self) -> tuple[float, float] | None:
        """Return the share of cases that is decided now and the error among those; None where none is."""
        decided = np.array(self.decided, dtype=bool)
        if not decided.any():
            return None
        return float(decided.mean()), float(1 - np.array(self.right)[decided].mean())


@dataclass
class Evidence:
    """What the report shows beside the measurements.

    ranks: for each case that names articles, the rank of the first that was found, else `NOT_FOUND`.
    reasons: how often each was given, by whether the case needed a person.
    missed: id and whether it was sensitive, of each case that should have reached a person and did not.
    milliseconds: per suggestion, exceptions left out.
    """

    fields: dict[str, FieldEvidence]
    n: int = 0
    ranks: "array[int]" = field(default_factory=lambda: array("l"))
    reasons: Counter[tuple[str, Need]] = field(default_factory=Counter)
    missed: list[tuple[str, bool]] = field(default_factory=list)
    milliseconds: "array[float]" = field(default_factory=lambda: array("d"))
    worst: WorstCases = field(default_factory=WorstCases)


def gather(outcomes: Iterable[Outcome], fields: Iterable[str]) -> Evidence:
    """Read outcomes one by one, so that a run of any length fits."""
    evidence = Evidence({name: FieldEvidence() for name in fields})
    for outcome in outcomes:
        evidence.n += 1
        if outcome.suggestion is not None:
            evidence.milliseconds.append(outcome.seconds * 1_000)
        _add_fields(evidence, outcome)
        _add_rank(evidence, outcome)
        _add_handoff(evidence, outcome)
        evidence.worst.add(outcome, list(evidence.fields))
    return evidence


def _add_fields(evidence: Evidence, outcome: Outcome) -> None:
    for name, gathered in evidence.fields.items():
        if name in outcome.case.expect:
            found = outcome.suggestion
            gathered.add(outcome.case.expect[name], found.fields[name] if found else None)


def _add_rank(evidence: Evidence, outcome: Outcome) -> None:
    if expected := outcome.case.expect.get("articles"):
        ranked = [hit.article_id for hit in outcome.suggestion.articles] if outcome.suggestion else []
        evidence.ranks.append(next((rank for rank, id in enumerate(ranked, start=1) if id in expected), NOT_FOUND))


def _add_handoff(evidence: Evidence, outcome: Outcome) -> None:
    stated = outcome.case.expect.get("handoff")
    need: Need = "not stated" if stated is None else "needed" if stated else "not needed"
    if outcome.suggestion is not None and outcome.suggestion.handoff is not None:
        for code in {reason.code for reason in outcome.suggestion.handoff.reasons}:
            evidence.reasons[code, need] += 1
    if is_missed(outcome):
        evidence.missed.append((outcome.case.id, is_sensitive(outcome)))
