"""Outcomes into measurements: what each case scored, and the numbers and intervals that follow."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from eval.cases import Case
from eval.measurement import Measurement
from eval.metrics.metric import Metric
from eval.outcomes import Outcome
from eval.resampling import Resamples, percentile_interval, share_interval, value_of
from eval.slices import members, slices_of
from eval.statistics import Array


@dataclass
class Scored:
    """What one metric scored: the numbers of the cases, and a row for each. Kept small: a run may have many cases."""

    cases: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def arrays(self) -> tuple[NDArray[np.int64], Array]:
        """Return case numbers, int64 of shape (n,), and rows, float64 of shape (n, columns)."""
        cases = np.array(self.cases, dtype=np.int64)
        return cases, np.array(self.values, dtype=np.float64).reshape(len(cases), -1 if len(cases) else 1)


@dataclass(frozen=True)
class Scores:
    """What every case of a run scored. Holds no text.

    digests: SHA-256 of each case; reasons: on how many cases each handoff reason was given.
    """

    ids: Sequence[str]
    digests: Sequence[bytes]
    groups: Sequence[str]
    slices: Mapping[str, Sequence[int]]
    by_metric: Mapping[str, Scored]
    reasons: Mapping[str, int]


def collect(outcomes: Iterable[Outcome], metrics: Sequence[Metric], past: Mapping[str, int]) -> Scores:
    """Score outcomes one by one, so that a file of any length can be read; `past` counts past tickets by category."""
    ids: list[str] = []
    digests: list[bytes] = []
    groups: list[str] = []
    reasons: Counter[str] = Counter()
    slices: list[dict[str, str]] = []
    by_metric = {metric.name: Scored() for metric in metrics}
    for number, outcome in enumerate(outcomes):
        ids.append(outcome.case.id)
        digests.append(sha256(outcome.case.model_dump_json().encode()).digest())
        if outcome.suggestion and outcome.suggestion.handoff:
            reasons.update({reason.code for reason in outcome.suggestion.handoff.reasons})
        groups.append(group_of(outcome.case))
        slices.append(slices_of(outcome.case, past))
        for metric in metrics:
            if (row := metric.score(outcome)) is not None:
                by_metric[metric.name].cases.append(number)
                by_metric[metric.name].values.extend(row)
    return Scores(ids, digests, groups, members(slices), by_metric, reasons)


def measure(scores: Scores, metrics: Sequence[Metric], seed: int) -> list[Measurement]:
    """Return every metric over all cases, then the sliced ones over each slice."""
    resamples = Resamples(scores.groups, seed)
    return [*_over_all(scores, metrics, resamples), *_over_slices(scores, metrics, resamples)]


def group_of(case: Case) -> str:
    """Return what a case hangs together with: its stated group, else its requester, else its ticket, else nothing."""
    requester = case.ticket.requester
    if case.group:
        return f"group {case.group}"
    if requester.id or requester.email:
        return f"requester {requester.id or requester.email}"
    return f"ticket {case.ticket.id}" if case.ticket.id else f"case {case.id}"


def _over_all(scores: Scores, metrics: Sequence[Metric], resamples: Resamples) -> Iterator[Measurement]:
    for metric in metrics:
        cases, rows = scores.by_metric[metric.name].arrays()
        yield _measurement(metric, cases, rows, resamples, (len(scores.ids), None))


def _over_slices(scores: Scores, metrics: Sequence[Metric], resamples: Resamples) -> Iterator[Measurement]:
    for name, numbers in scores.slices.items():
        for metric in metrics:
            cases, rows = scores.by_metric[metric.name].arrays()
            inside = np.isin(cases, numbers)
            if metric.sliced and inside.any():
                yield _measurement(metric, cases[inside], rows[inside], resamples, (len(numbers), name))


def _measurement(
    metric: Metric, cases: NDArray[np.int64], rows: Array, resamples: Resamples, part: tuple[int, str | None]
) -> Measurement:
    of, name = part
    value = value_of(metric.statistic, rows) if len(cases) else np.nan
    if not np.isfinite(value):
        return Measurement(name=metric.name, value=None, low=None, high=None, n=0, unscored=of, slice=name)
    resampled = resamples.of(metric.statistic, cases, rows)
    if metric.bounded:
        low, high = share_interval(value, resampled, resamples.groups_among(cases))
    else:
        low, high = percentile_interval(resampled)
    return Measurement(
        name=metric.name, value=value, low=low, high=high, n=len(cases), unscored=of - len(cases), slice=name
    )
