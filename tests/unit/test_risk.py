import numpy as np
import pytest
from scipy.stats import binomtest

from triage.risk import ASSURANCE, find_threshold, proportion_interval, upper_error_bound

FALLING = np.linspace(1.0, 0.5, 200)


def test_no_rows_reach_nothing() -> None:
    risk = find_threshold(np.zeros(0), np.zeros(0, dtype=bool), 0.05)
    assert (risk.threshold, risk.coverage, risk.n, risk.reachable) == (None, 0.0, 0, 1.0)
    assert risk.sentence("team") == (
        "team: an error of 5% is not reachable with 0 tickets (nor is any other); it stays undecided"
    )


def test_all_right_decides_everything() -> None:
    risk = find_threshold(FALLING, np.ones(200, dtype=bool), 0.05)
    assert (risk.threshold, risk.coverage, risk.n) == (0.5, 1.0, 200)
    assert risk.sentence("team") == "team: decides 100% of tickets with at most 5% errors"


def test_all_wrong_decides_nothing_and_says_so() -> None:
    risk = find_threshold(FALLING, np.zeros(200, dtype=bool), 0.05)
    assert (risk.threshold, risk.coverage, risk.reachable) == (None, 0.0, 1.0)
    assert "team: an error of 5% is not reachable with 200 tickets (nor is any other)" in risk.sentence("team")


def test_too_few_rows_reach_nothing_however_right_they_are() -> None:
    risk = find_threshold(FALLING[:30], np.ones(30, dtype=bool), 0.01)
    assert risk.threshold is None
    assert 0.01 < risk.reachable < 0.2
    assert "not reachable with 30 tickets" in risk.sentence("team")


def test_the_threshold_stops_before_the_errors_begin() -> None:
    risk = find_threshold(FALLING, np.arange(200) < 120, 0.1)
    assert risk.threshold is not None
    decided = risk.threshold <= FALLING
    assert 120 <= decided.sum() < 140
    assert risk.coverage == decided.mean()


def test_equal_confidences_are_decided_together() -> None:
    confidence = np.repeat([0.9, 0.8, 0.7], 100)
    correct = np.concatenate([np.ones(100), np.tile([1, 1, 1, 0], 25), np.zeros(100)]).astype(bool)
    risk = find_threshold(confidence, correct, 0.05)
    assert (risk.threshold, risk.coverage) == (0.9, 1 / 3)


def test_the_order_of_rows_does_not_matter_even_among_equals() -> None:
    rng = np.random.default_rng(4)
    confidence, correct = np.round(rng.random(300), 1), rng.random(300) < 0.95
    shuffled = rng.permutation(300)
    assert find_threshold(confidence, correct, 0.1) == find_threshold(confidence[shuffled], correct[shuffled], 0.1)


@pytest.mark.parametrize(("errors", "count"), [(0, 1), (0, 70), (1, 70), (3, 40), (39, 40), (40, 40), (500, 10_000)])
@pytest.mark.parametrize("risk", [0.1, 0.1 / 3, 0.01])
def test_the_bound_is_clopper_and_pearsons(errors: int, count: int, risk: float) -> None:
    expected = binomtest(errors, count, alternative="less").proportion_ci(1 - risk, method="exact").high
    assert upper_error_bound(np.array([errors]), np.array([count]), risk)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(0, 0, 0, 1), (0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1)]
)
def test_proportions_have_wilson_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert proportion_interval(successes, n) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("max_error", [0.05, 0.1, 0.2])
def test_the_promise_is_kept_in_nearly_all_draws(max_error: float) -> None:
    rng = np.random.default_rng(20)
    broken = decided = 0
    for _ in range(300):
        confidence = rng.random(400)
        risk = find_threshold(confidence, rng.random(400) >= 0.8 * (1 - confidence) ** 2, max_error)
        if risk.threshold is None:
            continue
        decided += 1
        # The mean of 0.8 (1 - c)² over all confidences c from the threshold up to 1.
        broken += 0.8 * (1 - risk.threshold) ** 2 / 3 > max_error
    assert decided > 150
    assert broken / 300 <= 1 - ASSURANCE + 0.03
