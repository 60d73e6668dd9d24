"""Two runs over the same cases: what a change made worse, and which cases flipped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.errors import ComparisonError
from eval.gates import DEFAULT_GATES, Gates, read_gates
from eval.measure import Scored, Scores
from eval.metrics.all_metrics import all_metrics
from eval.metrics.metric import Metric
from eval.paired_tests import Difference, Pair, difference_of, holm
from eval.resampling import Resamples
from eval.run_record import Run
from eval.run_suite import score
from eval.statistics import mean


@dataclass(frozen=True)
class Flip:
    """A case that one run got right and the other wrong; lost: the later one."""

    metric: str
    case: str
    lost: bool


@dataclass(frozen=True)
class Comparison:
    """What a change did.

    broken: newly lost cases of metrics that may lose none; flips: all cases of the gated metrics that changed;
    silenced: handoff reasons that are no longer given; changed: the versions that differ; unscored: the gates
    of which a run has no scored case.
    """

    error_rate: float
    differences: tuple[Difference, ...]
    broken: tuple[Flip, ...]
    flips: tuple[Flip, ...]
    silenced: tuple[str, ...]
    changed: tuple[str, ...]
    unscored: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """Whether the change must not go in."""
        return bool(self.broken or self.silenced) or any(difference.fails for difference in self.differences)


def compare_runs(before: Run, after: Run, gates: Gates | None = None) -> Comparison:
    """Compare two runs case by case; without gates, against those that come along.

    Raises `ComparisonError` where they are over different cases or a gate names a metric or slice that they do not
    have, `RunError` where a run is damaged.
    """
    gates = gates or read_gates(DEFAULT_GATES)
    metrics = {metric.name: metric for metric in all_metrics(_labels(before, after))}
    _check_names(gates, metrics)
    watched = [metrics[name] for name in dict.fromkeys([*(gate.metric for gate in gates.gate), *gates.never])]
    scores = _collect_both(before, after, watched)
    resamples = Resamples(scores[0].groups, before.header.seed)
    pairs = {metric.name: _pair(metric, *scores) for metric in watched}
    parts = {gate: _within(pairs[gate.metric], gate.slice, scores[0]) for gate in gates.gate}
    scored = sum(part.is_scored for part in parts.values())
    level = gates.error_rate / max(1, scored)
    differences = [difference_of(part, gate, resamples, level) for gate, part in parts.items()]
    ids = scores[0].ids
    flips = tuple(Flip(name, ids[case], lost) for name, pair in pairs.items() for case, lost in pair.flips())
    return Comparison(
        error_rate=gates.error_rate,
        differences=tuple(holm(differences, gates.error_rate)),
        broken=tuple(flip for flip in flips if flip.lost and flip.metric in gates.never),
        flips=flips,
        silenced=silenced_reasons(before, after, scores, gates.silenced),
        changed=changed_versions(before, after),
        unscored=(
            *(gate.name for gate, part in parts.items() if not part.is_scored),
            *(name for name in gates.never if not pairs[name].is_scored),
        ),
    )


def silenced_reasons(before: Run, after: Run, scores: tuple[Scores, Scores], least: int) -> tuple[str, ...]:
    """Return the handoff reasons that fell silent: given on at least so many cases before and on none after, or by a
    rule that is off now, whether a case shows it or not; least 0: none."""
    was, now = (found.reasons for found in scores)
    silent = [code for code, count in was.items() if count >= least and code not in now]
    off = [code for code in before.header.rules if code not in after.header.rules]
    return tuple(dict.fromkeys([*silent, *off])) if least else ()


def changed_versions(before: Run, after: Run) -> tuple[str, ...]:
    """Return which versions differ between two runs."""
    first, second = before.header.versions.model_dump(), after.header.versions.model_dump()
    return tuple(f"{name} {first[name]} → {second[name]}" for name in first if first[name] != second[name])


def _collect_both(before: Run, after: Run, metrics: Sequence[Metric]) -> tuple[Scores, Scores]:
    """Score both runs; the second is numbered like the first."""
    scores, others = score(before, metrics), score(after, metrics)
    first, second = (dict(zip(found.ids, found.digests, strict=True)) for found in (scores, others))
    differing = [id for id in {**first, **second} if first.get(id) != second.get(id)]
    if differing:
        raise ComparisonError(
            f"{before.folder} and {after.folder} are over different cases: {len(differing)} are in one run only or "
            f"have changed, such as {differing[0]!r}; run both over the same file"
        )
    place = {id: number for number, id in enumerate(scores.ids)}
    numbers = np.array([place[id] for id in others.ids], dtype=np.int64)
    return scores, replace(others, by_metric={name: _moved(s, numbers) for name, s in others.by_metric.items()})


def _moved(scored: Scored, numbers: np.typing.NDArray[np.int64]) -> Scored:
    """Renumber the cases and put them into order."""
    cases, rows = scored.arrays()
    order = np.argsort(numbers[cases], kind="stable")
    moved = Scored()
    moved.cases.extend(numbers[cases][order].tolist())
    moved.values.extend(rows[order].ravel().tolist())
    return moved


def _pair(metric: Metric, first: Scores, second: Scores) -> Pair:
    (cases, rows), (other_cases, other_rows) = (scores.by_metric[metric.name].arrays() for scores in (first, second))
    return Pair(metric, (cases, other_cases), (rows, other_rows))


def _within(pair: Pair, slice: str | None, scores: Scores) -> Pair:
    if slice is None:
        return pair
    if slice not in scores.slices:
        raise ComparisonError(f"a gate names the slice {slice!r}; the runs have {', '.join(scores.slices) or 'none'}")
    inside = [np.isin(cases, scores.slices[slice]) for cases in pair.cases]
    return Pair(
        pair.metric,
        (pair.cases[0][inside[0]], pair.cases[1][inside[1]]),
        (pair.rows[0][inside[0]], pair.rows[1][inside[1]]),
    )


def _check_names(gates: Gates, metrics: Mapping[str, Metric]) -> None:
    for name in [*(gate.metric for gate in gates.gate), *gates.never]:
        if name not in metrics:
            raise ComparisonError(f"a gate names {name!r}, which is no metric; use one of {', '.join(metrics)}")
    for name in gates.never:
        if metrics[name].statistic is not mean:
            means = ", ".join(metric.name for metric in metrics.values() if metric.statistic is mean)
            raise ComparisonError(f"never names {name!r}, which has no single cases to lose; use one of {means}")


def _labels(before: Run, after: Run) -> dict[str, list[str]]:
    """Return the labels of both runs: a change may add or drop some."""
    fields = list(dict.fromkeys([*before.header.fields, *after.header.fields]))
    runs = (before.header.fields, after.header.fields)
    return {field: list(dict.fromkeys(label for run in runs for label in run.get(field, {}))) for field in fields}
