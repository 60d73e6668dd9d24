"""Temperature and calibration error against cases that can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import HIGHEST, LOWEST, expected_calibration_error, fit_temperature
from models.linear_head import softmax


def drawn(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and targets drawn from exactly the chances that they give."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, 3))
    targets = (softmax(logits).cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    return logits, np.minimum(targets, 2)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_undoes_the_factor_by_which_logits_are_too_sure(factor: float) -> None:
    logits, targets = drawn(6_000)
    assert fit_temperature(factor * logits, targets) == pytest.approx(factor, rel=0.1)


def test_the_temperature_found_has_no_more_loss_than_its_neighbours() -> None:
    logits, targets = drawn(300, seed=1)

    def loss(temperature: float) -> float:
        return float(-np.log(softmax(logits / temperature)[np.arange(300), targets]).mean())

    best = fit_temperature(logits, targets)
    assert all(loss(best) <= loss(best * step) + 1e-9 for step in (0.5, 0.9, 1.1, 2.0))


def test_no_rows_leave_the_temperature_at_one() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) == 1.0


@pytest.mark.parametrize(("target", "end"), [(0, LOWEST), (1, HIGHEST)], ids=["always right", "always wrong"])
def test_temperature_stops_at_its_bounds(target: int, end: float) -> None:
    logits = np.tile([0.5, 0.0], (20, 1))
    found = fit_temperature(logits, np.full(20, target, dtype=np.int64))
    assert LOWEST <= found <= HIGHEST
    assert found == pytest.approx(end, rel=0.05)


def error_of(confidence: list[float], correct: list[int], bins: int) -> float:
    return expected_calibration_error(np.array(confidence), np.array(correct, dtype=bool), bins)


@pytest.mark.parametrize(
    ("confidence", "correct", "bins", "expected"),
    [
        # (0.6, 0.6): accuracy 1/2, gap 0.1; (0.9, 0.9): accuracy 1, gap 0.1
        ([0.9, 0.6, 0.9, 0.6], [1, 1, 1, 0], 2, 0.1),
        # (0.2, 0.4, 0.6): mean 0.4, accuracy 1/3, gap 1/15; (0.8, 1.0): mean 0.9, accuracy 1, gap 0.1
        ([0.2, 0.4, 0.6, 0.8, 1.0], [0, 0, 1, 1, 1], 2, (3 / 15 + 2 * 0.1) / 5),
        # One bin: mean 0.5, accuracy 1/2
        ([0.0, 1.0], [1, 0], 1, 0.0),
        # More bins than rows: each row is its own bin
        ([0.0, 1.0], [1, 0], 15, 1.0),
        ([1.0, 1.0, 1.0], [1, 1, 1], 15, 0.0),
        ([1.0, 1.0, 1.0], [0, 0, 0], 15, 1.0),
        ([0.7], [1], 15, 0.3),
    ],
)
def test_calibration_error_of_toy_cases(
    confidence: list[float], correct: list[int], bins: int, expected: float
) -> None:
    assert error_of(confidence, correct, bins) == pytest.approx(expected)


def test_perfect_calibration_has_nearly_no_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1.0, 50_000)
    correct = rng.random(50_000) < confidence
    assert expected_calibration_error(confidence, correct) < 0.015
    assert expected_calibration_error(np.minimum(confidence + 0.2, 1.0), correct) > 0.1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 20))
def test_calibration_error_lies_between_zero_and_one(rows: list[tuple[float, bool]], bins: int) -> None:
    confidence, correct = map(list, zip(*rows, strict=True))
    overall = abs(float(np.mean(confidence)) - float(np.mean(correct)))
    error = error_of(confidence, correct, bins)
    assert overall - 1e-9 <= error <= 1 + 1e-9


def test_the_error_of_no_rows_is_not_defined() -> None:
    with pytest.raises(ValueError, match="the calibration error of no rows is not defined"):
        error_of([], [], 15)
