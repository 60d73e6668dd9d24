"""Head and matrix together: the algebra of the pool, and a weight that never costs anything on held-out rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.calibration import fit_temperature
from models.linear_head import softmax
from triage.priority_fusion import DEFAULT_WEIGHT, FEW_ROWS, agreement, fit_weight, fuse, log_loss

LABELS = ("urgent", "high", "normal", "low")
RANKED = LABELS[::-1]
logits = arrays(np.float64, (4,), elements=st.floats(-8, 8))
said = st.sampled_from([*LABELS, None])
weights = st.floats(0, 8)


def drawn(rows: int, weight: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of a head, agreements of a matrix that says something of half the rows, targets drawn from their pool."""
    rng = np.random.default_rng(seed)
    head = rng.normal(size=(rows, 4))
    heard = [LABELS[rng.integers(4)] if rng.random() < 0.5 else None for _ in range(rows)]
    agreements = np.array([agreement(LABELS, label, RANKED) for label in heard])
    chances = softmax(fuse(head, agreements, weight))
    return head, agreements, (chances.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, 3)


@pytest.mark.parametrize(
    ("label", "expected"),
    [("urgent", [0, -1, -2, -3]), ("normal", [-2, -1, 0, -1]), (None, [0, 0, 0, 0])],
)
def test_agreement_falls_with_each_rank(label: str | None, expected: list[int]) -> None:
    assert agreement(LABELS, label, RANKED).tolist() == expected


def test_without_ranks_every_other_label_loses_alike() -> None:
    assert agreement(LABELS, "high", None).tolist() == [-1, 0, -1, -1]
    assert agreement(LABELS, None, None).tolist() == [0, 0, 0, 0]


@given(logits, said)
def test_a_weight_of_nothing_leaves_chances_alone(head: np.ndarray, label: str | None) -> None:
    assert np.array_equal(fuse(head, agreement(LABELS, label, RANKED), 0.0), head)


@given(logits, weights)
def test_a_matrix_that_says_nothing_leaves_chances_alone(head: np.ndarray, weight: float) -> None:
    assert np.array_equal(fuse(head, agreement(LABELS, None, RANKED), weight), head)


@given(logits, st.sampled_from(LABELS), weights, weights, st.sampled_from([RANKED, None]))
def test_the_chance_of_the_matrix_label_never_falls_with_weight(
    head: np.ndarray, label: str, one: float, other: float, ranked: tuple[str, ...] | None
) -> None:
    agreements, place = agreement(LABELS, label, ranked), LABELS.index(label)
    less, more = (softmax(fuse(head, agreements, weight)[np.newaxis])[0, place] for weight in sorted((one, other)))
    assert more >= less - 1e-12


@given(logits, weights, st.integers(0, 3), st.integers(0, 3))
def test_a_more_pressing_matrix_label_never_lowers_the_expected_rank(
    head: np.ndarray, weight: float, one: int, other: int
) -> None:
    def expected_rank(place: int) -> float:
        agreements = agreement(RANKED, RANKED[place], RANKED)
        return float(softmax(fuse(head, agreements, weight)[np.newaxis])[0] @ np.arange(4))

    assert expected_rank(max(one, other)) >= expected_rank(min(one, other)) - 1e-9


@given(st.integers(FEW_ROWS, 80), st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_desk_is_never_worse_for_it_on_its_held_out_rows(rows: int, seed: int) -> None:
    head, agreements, _ = drawn(rows, 0.0, seed)
    targets = np.random.default_rng(seed + 1).integers(0, 4, rows)
    fitted = fit_weight(head, agreements, targets)
    alone = log_loss(head / fit_temperature(head, targets), targets)
    assert fitted.weight >= 0
    assert log_loss(fuse(head, agreements, fitted.weight) / fitted.temperature, targets) <= alone


@pytest.mark.parametrize("weight", [0.5, 1.5, 3.0])
def test_the_weight_that_made_the_targets_is_found_again(weight: float) -> None:
    fitted = fit_weight(*drawn(4_000, weight, seed=3))
    assert fitted.weight / fitted.temperature == pytest.approx(weight, rel=0.15)
    assert fitted.temperature == pytest.approx(1.0, rel=0.15)


def test_factors_that_mislead_or_say_nothing_weigh_nothing() -> None:
    head, agreements, targets = drawn(800, 1.5, seed=4)
    assert fit_weight(head, -agreements, targets).weight == 0.0
    assert fit_weight(head, np.zeros_like(head), targets).weight == 0.0


def test_chance_weighs_nothing_nineteen_times_in_twenty() -> None:
    weighed = [fit_weight(*drawn(120, 0.0, seed)).weight > 0 for seed in range(40)]
    assert sum(weighed) <= 6


def test_too_little_history_leaves_the_default() -> None:
    head, agreements, targets = drawn(FEW_ROWS - 1, 3.0, seed=5)
    assert fit_weight(head, agreements, targets).weight == DEFAULT_WEIGHT
    none = fit_weight(head[:0], agreements[:0], targets[:0])
    assert (none.weight, none.temperature) == (DEFAULT_WEIGHT, 1.0)
