"""The head's chances, and that its fit is the multinomial logistic regression: convex, exact, and of any size."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from models.linear_head import NEVER, CentredRows, HeadFit, LinearHead, Point, softmax
from models.text_features import join_features

LABELS = ("billing", "bank", "till", "vat")
DIMENSION = 8


class Rows:
    """Rows around one centre per label: unit vectors, and sparse n-grams of norm 1, as many as `features`."""

    def __init__(self, labels: tuple[str, ...], count: int, features: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        codes = np.arange(count) % len(labels)
        centres = np.random.default_rng(7).normal(size=(len(LABELS), DIMENSION + features))
        dense = centres[codes] + 1.5 * rng.normal(size=(count, DIMENSION + features))
        vectors, ngrams = dense[:, :DIMENSION], dense[:, DIMENSION:] * (rng.random((count, features)) < 0.3)
        self.vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        norms = np.linalg.norm(ngrams, axis=1, keepdims=True)
        self.ngrams = sparse.csr_matrix((ngrams / np.where(norms == 0, 1, norms)).astype(np.float32))
        self.targets = [labels[code] for code in codes]

    def take(self, places: np.ndarray) -> "Rows":
        taken = object.__new__(Rows)
        taken.vectors, taken.ngrams = self.vectors[places], self.ngrams[places]
        taken.targets = [self.targets[place] for place in places]
        return taken

    def features(self, scale: float = 1.0) -> sparse.csr_matrix:
        return join_features(self.vectors, self.ngrams * np.float32(scale))

    def fit(self, labels: tuple[str, ...] = LABELS, scale: float = 1.0, max_gram: int = 10_000) -> HeadFit:
        return HeadFit(CentredRows(self.vectors, self.ngrams, max_gram), self.targets, labels, scale)


UNSEEN = Rows(LABELS, 40, 60, seed=1).features()


def objective(rows: Rows, weights: np.ndarray, bias: np.ndarray, strength: float, scale: float) -> float:
    """What a fit minimises, divided by the strength, for weights on scaled features: written out in float64."""
    logits = rows.features(scale).toarray().astype(np.float64) @ weights.T + bias
    codes = [LABELS.index(target) for target in rows.targets]
    losses = np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)) + logits.max(axis=1)
    return float((losses - logits[np.arange(len(codes)), codes]).sum() + (weights**2).sum() / (2 * strength))


def point_of(rows: Rows, scale: float, seed: int) -> Point:
    rng = np.random.default_rng(seed)
    shares = rng.normal(size=(len(rows.targets), len(LABELS))).astype(np.float32)
    gram = CentredRows(rows.vectors, rows.ngrams).gram(scale)
    assert gram is not None
    return Point(shares, gram @ shares, rng.normal(size=len(LABELS)).astype(np.float32))


@pytest.mark.parametrize("max_gram", [0, 10_000], ids=["products", "gram matrix"])
@pytest.mark.parametrize(
    ("labels", "count", "features"),
    [(LABELS, 60, 300), (LABELS, 300, 12), (LABELS[:2], 40, 100)],
    ids=["more features than rows", "more rows than features", "two classes"],
)
@pytest.mark.parametrize(("scale", "strength"), [(1.0, 0.1), (0.5, 3.0), (2.0, 100.0)])
def test_chances_are_those_of_scikit_learn(
    max_gram: int, labels: tuple[str, ...], count: int, features: int, scale: float, strength: float
) -> None:
    rows, unseen = Rows(labels, count, features), Rows(labels, 30, features, seed=1)
    scaled = rows.features(scale).astype(np.float64)
    # Of two labels scikit-learn fits one row of weights; as two opposite rows they cost half as much.
    inverse_penalty = strength * (2 if len(labels) == 2 else 1)
    direct = LogisticRegression(C=inverse_penalty, max_iter=10_000, tol=1e-9).fit(scaled, rows.targets)
    ours = rows.fit(tuple(sorted(labels)), scale, max_gram).at(strength)
    assert ours.labels == tuple(direct.classes_)
    # The head is used on n-grams as they are: the scale has gone into its weights.
    expected = direct.predict_proba(unseen.features(scale).astype(np.float64))
    np.testing.assert_allclose(ours.probabilities(unseen.features()), expected, atol=1e-3)


@pytest.mark.parametrize(("scale", "strength"), [(0.5, 0.3), (1.5, 30.0)])
def test_no_other_weights_have_a_lower_loss(scale: float, strength: float) -> None:
    rows = Rows(LABELS, 50, 60)
    head = rows.fit(scale=scale).at(strength, 1e-9)
    weights = head.weights.astype(np.float64)
    weights[:, DIMENSION:] /= scale
    bias = head.bias.astype(np.float64)
    lowest = objective(rows, weights, bias, strength, scale)
    rng = np.random.default_rng(3)
    for size in (1e-3, 1e-2, 1e-1):
        for _ in range(20):
            moved = weights + size * rng.normal(size=weights.shape), bias + size * rng.normal(size=bias.shape)
            assert objective(rows, *moved, strength, scale) > lowest


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([0.25, 1.0, 2.0]), st.sampled_from([0.1, 3.0, 100.0]), st.integers(0, 1_000))
def test_the_gradient_is_that_of_the_written_out_loss(scale: float, strength: float, seed: int) -> None:
    rows = Rows(LABELS, 30, 40)
    fit, centred = rows.fit(scale=scale), CentredRows(rows.vectors, rows.ngrams)
    point, way = point_of(rows, scale, seed), point_of(rows, scale, seed + 1)
    freedom = np.sqrt(0.1 * centred.squared_length(scale))
    mean = np.concatenate([centred.mean_vector, scale * centred.mean_ngrams])

    def written_out(length: float) -> float:
        moved = point.plus(way, length)
        weights = centred.weights(moved.shares, scale).T.astype(np.float64)
        weights[:, DIMENSION:] /= scale
        return objective(rows, weights, freedom * moved.bias - weights @ mean, strength, scale)

    loss, chances = fit.state(point, strength)
    assert loss == pytest.approx(written_out(0.0), rel=1e-4)
    slope = (written_out(1e-3) - written_out(-1e-3)) / 2e-3
    gradient = fit.gradient(point, chances, strength)
    assert gradient.dot(way) == pytest.approx(slope, rel=1e-2, abs=1e-2 * np.sqrt(way.dot(way)))
    assert gradient.dot(gradient) > 0


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 1.0), st.sampled_from([0.1, 3.0, 100.0]), st.integers(0, 1_000))
def test_the_loss_is_convex(share: float, strength: float, seed: int) -> None:
    rows = Rows(LABELS, 30, 40)
    fit = rows.fit()
    here, there = point_of(rows, 1.0, seed), point_of(rows, 1.0, seed + 1)
    between = there.plus(here, share).plus(there, -share)
    ends = share * fit.state(here, strength)[0] + (1 - share) * fit.state(there, strength)[0]
    assert fit.state(between, strength)[0] <= ends * (1 + 1e-5)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(24)), st.sampled_from([0.3, 10.0]))
def test_the_order_of_rows_does_not_matter(order: list[int], strength: float) -> None:
    rows = Rows(LABELS, 24, 60)
    there = rows.fit().at(strength).probabilities(UNSEEN)
    mixed = rows.take(np.array(order)).fit().at(strength).probabilities(UNSEEN)
    np.testing.assert_allclose(mixed, there, atol=1e-3)


def test_the_order_of_labels_does_not_matter() -> None:
    rows = Rows(LABELS, 40, 60)
    there = rows.fit().at(3.0).probabilities(UNSEEN)
    back = rows.fit(LABELS[::-1]).at(3.0).probabilities(UNSEEN)
    np.testing.assert_allclose(there, back[:, ::-1], atol=1e-3)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 4), st.sampled_from([0.3, 3.0, 30.0]))
def test_rows_given_several_times_are_as_many_times_the_strength(times: int, strength: float) -> None:
    rows = Rows(LABELS, 24, 60)
    copies = rows.take(np.tile(np.arange(24), times))
    copied = copies.fit().at(strength).probabilities(UNSEEN)
    np.testing.assert_allclose(copied, rows.fit().at(times * strength).probabilities(UNSEEN), atol=1e-3)


@pytest.mark.parametrize("strength", [0.3, 30.0])
def test_turned_and_shifted_vectors_give_the_same_chances(strength: float) -> None:
    rows, unseen = Rows(LABELS, 40, 60), Rows(LABELS, 40, 60, seed=1)
    there = rows.fit().at(strength).probabilities(unseen.features())
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(DIMENSION, DIMENSION)))[0].astype(np.float32)
    for part in (rows, unseen):
        part.vectors = part.vectors @ turn + np.float32(0.5)
    np.testing.assert_allclose(rows.fit().at(strength).probabilities(unseen.features()), there, atol=1e-3)


def test_at_scale_zero_the_ngrams_are_not_looked_at() -> None:
    head = Rows(LABELS, 40, 60).fit(scale=0.0).at(10.0)
    assert not head.weights[:, DIMENSION:].any()
    assert head.weights[:, :DIMENSION].any()


def test_one_strength_after_another_gives_what_each_alone_gives() -> None:
    rows = Rows(LABELS, 60, 60)
    strengths = (0.1, 1.0, 30.0, 3.0)
    fit = rows.fit()
    for strength in strengths:
        after, alone = fit.at(strength), rows.fit().at(strength)
        np.testing.assert_allclose(after.probabilities(UNSEEN), alone.probabilities(UNSEEN), atol=1e-3)


def test_a_weaker_penalty_fits_the_rows_better_with_longer_weights() -> None:
    rows = Rows(LABELS, 60, 60)
    fit, own = rows.fit(), [LABELS.index(target) for target in rows.targets]
    heads = [fit.at(strength) for strength in (0.1, 1.0, 10.0, 100.0)]
    losses = [-np.log(head.probabilities(rows.features())[np.arange(60), own]).sum() for head in heads]
    assert all(later < earlier for earlier, later in pairwise(losses))
    assert all(later > earlier for earlier, later in pairwise([np.linalg.norm(head.weights) for head in heads]))


@pytest.mark.parametrize("used", [LABELS[:1], LABELS[1:3], LABELS[1:]], ids=["one label", "two", "three"])
def test_a_label_without_a_row_is_kept_and_never_best(used: tuple[str, ...]) -> None:
    rows = Rows(used, 30, 40)
    head = rows.fit().at(10.0)
    chances = head.probabilities(10 * rows.features())
    assert head.labels == LABELS
    assert {LABELS[best] for best in chances.argmax(axis=1)} <= set(used)
    for row, label in enumerate(LABELS):
        if label not in used:
            assert head.bias[row] == NEVER
            assert chances[:, row].max() < 1e-9


def test_one_label_is_certain() -> None:
    rows = Rows(LABELS[2:3], 5, 8)
    chances = rows.fit().at(1.0).probabilities(rows.features())
    np.testing.assert_allclose(chances[:, 2], 1.0, atol=1e-9)


@pytest.mark.parametrize("max_gram", [0, 10_000], ids=["products", "gram matrix"])
@pytest.mark.parametrize("features", [0, 5])
def test_rows_without_ngrams_are_told_apart_by_their_vectors(features: int, max_gram: int) -> None:
    rows = Rows(LABELS, 80, 60)
    rows.ngrams = sparse.csr_matrix((80, features), dtype=np.float32)
    head = rows.fit(max_gram=max_gram).at(10.0)
    direct = LogisticRegression(C=10.0, max_iter=10_000, tol=1e-9).fit(rows.vectors.astype(np.float64), rows.targets)
    order = [LABELS.index(label) for label in direct.classes_]
    expected = direct.predict_proba(rows.vectors)
    np.testing.assert_allclose(head.probabilities(rows.features())[:, order], expected, atol=1e-3)


@pytest.mark.parametrize("strength", [0.1, 100.0])
def test_equal_rows_get_the_shares_of_their_labels(strength: float) -> None:
    rows = Rows(LABELS[:1], 1, 20).take(np.zeros(8, dtype=np.int64))
    rows.targets = ["till"] * 5 + ["vat"] * 2 + ["bank"]
    chances = rows.fit().at(strength).probabilities(rows.features()[:1])[0]
    np.testing.assert_allclose(chances, [0, 1 / 8, 5 / 8, 2 / 8], atol=1e-3)


def test_many_labels_of_one_row_each_are_learned() -> None:
    names = tuple(f"label {number}" for number in range(60))
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(60, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ngrams = sparse.csr_matrix(np.eye(60, dtype=np.float32))
    head = HeadFit(CentredRows(vectors, ngrams), names, names).at(30.0)
    assert head.probabilities(join_features(vectors, ngrams)).argmax(axis=1).tolist() == list(range(60))


def test_weights_and_bias_are_float32_of_the_documented_shape() -> None:
    head = Rows(LABELS, 20, 12).fit().at(1.0)
    assert (head.weights.shape, head.weights.dtype) == ((4, DIMENSION + 12), np.float32)
    assert (head.bias.shape, head.bias.dtype) == ((4,), np.float32)


@pytest.mark.parametrize("order", ["C", "F"])
def test_weights_lie_feature_by_feature_whoever_made_them(order: str) -> None:
    weights = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32, order=order)
    head = LinearHead(("a", "b"), weights, np.zeros(2, dtype=np.float32))
    assert head.weights.flags.f_contiguous
    assert head.weights.tolist() == weights.tolist()


def test_logits_are_features_times_weights_plus_bias() -> None:
    head = LinearHead(("a", "b"), np.array([[1, 2], [0, -1]], dtype=np.float32), np.array([0.5, 0], dtype=np.float32))
    logits = head.logits(sparse.csr_matrix(np.array([[3, 1]], dtype=np.float32)))
    assert logits.tolist() == [[5.5, -1.0]]
    assert logits.dtype == np.float64


def test_one_text_has_the_logits_that_it_has_among_others() -> None:
    rng = np.random.default_rng(8)
    head = LinearHead(("a", "b", "c"), rng.normal(size=(3, 9)).astype(np.float32), np.ones(3, dtype=np.float32))
    vectors = rng.normal(size=(4, 5)).astype(np.float32)
    ngrams = sparse.csr_matrix(np.array([[0, 2, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 3, 0]], dtype=np.float32))
    together = head.logits(join_features(vectors, ngrams))
    alone = np.vstack([head.logits_of_one(vectors[row], ngrams[row]) for row in range(4)])
    assert alone == pytest.approx(together, abs=1e-5)


def test_a_target_outside_the_labels_is_refused() -> None:
    rows = Rows(LABELS, 2, 4)
    rows.targets = ["till", "payroll"]
    with pytest.raises(KeyError, match="payroll"):
        rows.fit()


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


def test_balance_weighs_the_rows_of_a_rare_label_as_if_they_stood_there_more_often() -> None:
    rng = np.random.default_rng(6)
    vectors = rng.normal(size=(6, 4)).astype(np.float32)
    ngrams = sparse.csr_matrix(rng.random((6, 5)).astype(np.float32))
    rare, common = ["a"] * 2, ["b"] * 4
    balanced = HeadFit(CentredRows(vectors, ngrams), rare + common, ("a", "b"), balance=1.0).at(4.0)
    twice = [0, 1, *range(6)]
    repeated = HeadFit(CentredRows(vectors[twice], ngrams[twice]), ["a"] * 4 + common, ("a", "b")).at(4.0 * 3 / 4)
    assert balanced.weights == pytest.approx(repeated.weights, abs=2e-3)
    assert balanced.bias == pytest.approx(repeated.bias, abs=2e-3)
