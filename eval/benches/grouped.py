"""Figures over cases that hang together: rewordings of one question, or one question asked twice."""

from collections.abc import Collection, Sequence

import numpy as np

from eval.resampling import Resamples, difference_error, difference_interval, share_interval, value_of
from eval.run_suite import SEED
from eval.statistics import Array, Statistic, mean


class Groups:
    """Intervals over cases of which whole groups are drawn; groups: the name of each case's."""

    def __init__(self, groups: Sequence[str]) -> None:
        self._resamples = Resamples(groups, SEED)
        self._cases = np.arange(len(groups))
        self.count = len(set(groups))

    def share(self, rows: Array, statistic: Statistic = mean) -> dict[str, float | None]:
        """Return a statistic in [0, 1] of rows, shape (cases, columns), with its 95 % interval."""
        value = value_of(statistic, rows)
        low, high = share_interval(value, self._resamples.of(statistic, self._cases, rows), self.count)
        return {"value": value, "low": low, "high": high}

    def lead(self, ours: Array, theirs: Array, statistic: Statistic = mean) -> dict[str, float]:
        """Return how far the first rows are ahead of the second, over the same cases, with its 95 % interval."""
        value = value_of(statistic, ours) - value_of(statistic, theirs)
        change = statistic(ours, self._resamples.weights) - statistic(theirs, self._resamples.weights)
        error = difference_error(change[np.isfinite(change)], self.count, len(ours))
        low, high = difference_interval(value, error, self.count)
        return {"value": value, "low": low, "high": high}


def linked(sets: Sequence[Collection[str]]) -> list[str]:
    """Return a group's name for each set, the same for sets that share a member, or a set with which both do."""
    parent: dict[str, str] = {}

    def root(member: str) -> str:
        while parent.setdefault(member, member) != member:
            member = parent[member]
        return member

    for members in sets:
        first, *others = sorted(members)
        for other in others:
            low, high = sorted((root(first), root(other)))
            parent[high] = low
    return [root(min(members)) for members in sets]
