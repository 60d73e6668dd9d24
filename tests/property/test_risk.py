import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from triage.risk import find_threshold, upper_error_bound

Rows = tuple[NDArray[np.float64], NDArray[np.bool_]]
targets = st.sampled_from([0.02, 0.05, 0.1, 0.2, 0.35, 0.5])


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    confidence = np.round(rng.random(draw(st.integers(0, 400))), draw(st.sampled_from([1, 2, 12])))
    return confidence, rng.random(len(confidence)) < np.maximum(confidence, draw(st.floats(0, 1)))


@given(rows(), targets)
@settings(max_examples=50, deadline=None)
def test_a_threshold_keeps_its_error_on_the_rows_it_was_found_on(found: Rows, max_error: float) -> None:
    confidence, correct = found
    risk = find_threshold(confidence, correct, max_error)
    assert risk.n == len(confidence)
    if risk.threshold is None:
        assert risk.coverage == 0
        assert risk.reachable == 1 or find_threshold(confidence, correct, risk.reachable).threshold is not None
        assert find_threshold(confidence, correct, risk.reachable - 0.01).threshold is None
        return
    decided = confidence >= risk.threshold
    assert risk.coverage == decided.mean()
    assert (~correct[decided]).mean() < max_error
    assert risk.reachable == max_error


@given(rows(), targets, targets)
@settings(max_examples=50, deadline=None)
def test_a_lower_error_never_gives_more_coverage(found: Rows, one: float, other: float) -> None:
    strict, loose = (find_threshold(*found, max_error) for max_error in sorted((one, other)))
    assert strict.coverage <= loose.coverage


@given(rows(), targets, st.floats(0.01, 1))
@settings(max_examples=50, deadline=None)
def test_only_the_order_of_confidences_counts(found: Rows, max_error: float, factor: float) -> None:
    confidence, correct = found
    risk, scaled = (find_threshold(confidence * by, correct, max_error) for by in (1.0, factor))
    assert (scaled.coverage, scaled.reachable) == (risk.coverage, risk.reachable)


@given(st.integers(0, 50), st.integers(1, 500), st.floats(0.01, 0.4))
@settings(max_examples=50, deadline=None)
def test_the_bound_lies_above_the_rate_and_rises_with_errors(errors: int, more: int, risk: float) -> None:
    count = errors + more
    fewer, bound = upper_error_bound(np.array([max(errors - 1, 0), errors]), np.array([count, count]), risk)
    assert errors / count <= bound <= 1
    assert fewer <= bound
