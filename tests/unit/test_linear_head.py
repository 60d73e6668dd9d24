"""The head's chances, and that the rotated fit is the plain logistic regression."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from models.linear_head import (
    MAX_ROTATED,
    NEVER,
    SVM_ROUNDS,
    SVM_STRENGTH,
    SVM_TOLERANCE,
    LinearHead,
    fit_head,
    softmax,
)
from models.text_features import SCALE

LABELS = ("billing", "bank", "till", "vat")
NORM = np.sqrt(1 + 2 * SCALE**2)


def rows_of(labels: tuple[str, ...], count: int, features: int, seed: int = 0) -> tuple[sparse.csr_matrix, list[str]]:
    """Rows around one centre per label, half of each row zero, as long as an embedding beside two halves of n-grams."""
    rng = np.random.default_rng(seed)
    codes = np.arange(count) % len(labels)
    centres = rng.normal(size=(len(labels), features))
    dense = (centres[codes] + 1.5 * rng.normal(size=(count, features))) * (rng.random((count, features)) < 0.5)
    dense *= NORM / np.linalg.norm(dense, axis=1, keepdims=True)
    return sparse.csr_matrix(dense.astype(np.float32)), [labels[code] for code in codes]


@pytest.mark.parametrize(
    ("labels", "count", "features"),
    [(LABELS, 60, 300), (LABELS, 200, 12), (LABELS[:2], 40, 100)],
    ids=["more features than rows", "more rows than features", "two classes"],
)
@pytest.mark.parametrize("strength", [0.1, 3.0, 100.0])
def test_chances_are_those_of_a_direct_fit(labels: tuple[str, ...], count: int, features: int, strength: float) -> None:
    matrix, targets = rows_of(labels, count, features)
    unseen, _ = rows_of(labels, 30, features, seed=1)
    direct = LogisticRegression(C=strength, max_iter=10_000, tol=1e-9).fit(matrix.astype(np.float64), targets)
    ours = fit_head(matrix, targets, sorted(labels), strength)
    assert ours.labels == tuple(direct.classes_)
    np.testing.assert_allclose(ours.probabilities(unseen), direct.predict_proba(unseen), atol=1e-3)


@pytest.mark.parametrize("labels", [LABELS, LABELS[:2]], ids=["four classes", "two classes"])
def test_many_rows_are_fitted_by_a_linear_svm(labels: tuple[str, ...]) -> None:
    matrix, targets = rows_of(labels, MAX_ROTATED + 1, 12)
    unseen, _ = rows_of(labels, 200, 12)
    direct = LinearSVC(C=30.0 * SVM_STRENGTH, tol=SVM_TOLERANCE, max_iter=SVM_ROUNDS).fit(matrix, targets)
    ours = fit_head(matrix, targets, sorted(labels), 30.0)
    guesses = [ours.labels[best] for best in ours.logits(unseen).argmax(axis=1)]
    assert guesses == list(direct.predict(unseen))
    margins = direct.decision_function(unseen)
    gaps = margins if len(labels) == 2 else margins[:, 1] - margins[:, 0]
    logits = ours.logits(unseen)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], gaps, atol=1e-3)


def test_the_order_of_labels_does_not_change_their_chances() -> None:
    matrix, targets = rows_of(LABELS, 40, 20)
    there = fit_head(matrix, targets, LABELS, 1.0).probabilities(matrix)
    back = fit_head(matrix, targets, LABELS[::-1], 1.0).probabilities(matrix)
    np.testing.assert_allclose(there, back[:, ::-1], atol=1e-3)


@pytest.mark.parametrize("used", [LABELS[:1], LABELS[1:3], LABELS[1:]], ids=["one class", "two", "three"])
def test_a_label_without_a_row_is_kept_and_never_best(used: tuple[str, ...]) -> None:
    matrix, targets = rows_of(used, 30, 40)
    head = fit_head(matrix, targets, LABELS, 10.0)
    chances = head.probabilities(10 * matrix)
    assert head.labels == LABELS
    assert {LABELS[best] for best in chances.argmax(axis=1)} <= set(used)
    for row, label in enumerate(LABELS):
        if label not in used:
            assert head.bias[row] == NEVER
            assert chances[:, row].max() < 1e-9


def test_one_class_is_certain() -> None:
    matrix, targets = rows_of(LABELS[2:3], 5, 8)
    np.testing.assert_allclose(fit_head(matrix, targets, LABELS, 1.0).probabilities(matrix)[:, 2], 1.0, atol=1e-9)


def test_weights_and_bias_are_float32_of_the_documented_shape() -> None:
    matrix, targets = rows_of(LABELS, 20, 8)
    head = fit_head(matrix, targets, LABELS, 1.0)
    assert (head.weights.shape, head.weights.dtype) == ((4, 8), np.float32)
    assert (head.bias.shape, head.bias.dtype) == ((4,), np.float32)


def test_logits_are_features_times_weights_plus_bias() -> None:
    head = LinearHead(("a", "b"), np.array([[1, 2], [0, -1]], dtype=np.float32), np.array([0.5, 0], dtype=np.float32))
    logits = head.logits(sparse.csr_matrix(np.array([[3, 1]], dtype=np.float32)))
    assert logits.tolist() == [[5.5, -1.0]]
    assert logits.dtype == np.float64


def test_a_target_outside_the_labels_is_refused() -> None:
    matrix, _ = rows_of(LABELS, 2, 4)
    with pytest.raises(KeyError, match="payroll"):
        fit_head(matrix, ["till", "payroll"], LABELS, 1.0)


logit_rows = st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=5).map(np.array)


@settings(max_examples=50, deadline=None)
@given(logit_rows)
def test_chances_sum_to_one_without_overflow(logits: np.ndarray) -> None:
    chances = softmax(logits)
    assert ((chances >= 0) & (chances <= 1)).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(logit_rows, st.floats(0.05, 20.0))
def test_temperature_keeps_the_ranking(logits: np.ndarray, temperature: float) -> None:
    head = LinearHead(LABELS[:3], np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32), temperature)
    features = sparse.csr_matrix(logits)
    chances = head.probabilities(features)
    ranked = np.take_along_axis(chances, np.argsort(head.logits(features), axis=1), axis=1)
    assert (np.diff(ranked, axis=1) >= 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-12)


def test_a_higher_temperature_is_less_sure() -> None:
    features = sparse.csr_matrix(np.array([[2.0, 0.0]]))
    heads = [
        LinearHead(("a", "b"), np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32), t) for t in (0.5, 1.0, 4.0)
    ]
    chances = [head.probabilities(features)[0, 0] for head in heads]
    assert chances == pytest.approx([1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-0.5))])
