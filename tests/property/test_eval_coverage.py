"""Intervals hold the truth about as often as they say: 95 %, here within loose bounds over 200 seeded trials."""

import numpy as np
import pytest

from eval.gates import Gate
from eval.metrics.metric import Metric
from eval.paired_tests import Pair, difference_of
from eval.resampling import Resamples, share_interval, value_of
from eval.statistics import Array, Statistic, macro_f1, mean

TRIALS = 200
DRAWS = 300
CLASSES = 4


def binary(rng: np.random.Generator, n: int, chance: float) -> Array:
    return (rng.random((n, 1)) < chance).astype(np.float64)


def confused(rng: np.random.Generator, n: int, right: float) -> Array:
    truth = rng.choice(CLASSES, size=n, p=[0.5, 0.25, 0.15, 0.1])
    guess = np.where(rng.random(n) < right, truth, rng.integers(CLASSES, size=n))
    return np.column_stack((truth, guess)).astype(np.float64)


def coverage(statistic: Statistic, truth: float, draw: "list[Array]", groups: int | None = None) -> float:
    held = 0
    for number, rows in enumerate(draw):
        names = [str(row % groups if groups else row) for row in range(len(rows))]
        resamples, cases = Resamples(names, number, DRAWS), np.arange(len(rows))
        resampled = resamples.of(statistic, cases, rows)
        low, high = share_interval(value_of(statistic, rows), resampled, resamples.groups_among(cases))
        held += low <= truth <= high
    return held / len(draw)


@pytest.mark.parametrize(("chance", "n"), [(0.75, 100), (0.95, 60)])
def test_shares_such_as_accuracy_and_hit_at_5(chance: float, n: int) -> None:
    rng = np.random.default_rng(1)
    assert 0.90 <= coverage(mean, chance, [binary(rng, n, chance) for _ in range(TRIALS)]) <= 0.99


def test_shares_where_customers_write_several_times() -> None:
    rng = np.random.default_rng(2)
    rows = [binary(rng, 50, 0.7)[np.arange(150) % 50] for _ in range(TRIALS)]
    assert 0.90 <= coverage(mean, 0.7, rows, groups=50) <= 0.99
    # Taken for 150 cases they would promise far too much: the groups are what keeps the promise.
    assert coverage(mean, 0.7, rows) < 0.85


def test_macro_f1() -> None:
    rng = np.random.default_rng(3)
    truth = value_of(macro_f1, confused(rng, 400_000, 0.7))
    assert 0.90 <= coverage(macro_f1, truth, [confused(rng, 150, 0.7) for _ in range(TRIALS)]) <= 0.99


def test_a_paired_difference() -> None:
    rng = np.random.default_rng(4)
    metric, cases, n = Metric("m", "made up", lambda outcome: None), np.arange(120), 120
    held = 0
    for number in range(TRIALS):
        before = binary(rng, n, 0.7)
        change = rng.random((n, 1))
        # Of the right ones 10 % are lost, of the wrong ones 30 % won: 0.7 x -0.1 + 0.3 x 0.3.
        after = np.where(before > 0, change >= 0.1, change < 0.3).astype(np.float64)
        pair = Pair(metric, (cases, cases), (before, after))
        resamples = Resamples([str(case) for case in cases], number, DRAWS)
        found = difference_of(pair, Gate(metric="m"), resamples, 0.05)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.02 <= found.high
    assert 0.90 <= held / TRIALS <= 0.99
