"""How a field is fitted: folds, the choice of scale and strength, and what is reported."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.hashing_encoder import HashingEncoder
from models.linear_head import MAX_GRAM, CentredRows, HeadFit, calm_fits
from models.text_features import NgramWeights, count_ngrams
from triage.fit import COLD_TEMPERATURE, fit_field, held_out_logits
from triage.folds import FOLDS, FoldPlan, rows_to_choose_by, stratified_folds, thinned
from triage.penalties import (
    BALANCES,
    FEW_ROWS,
    ROUGH,
    SCALES,
    STRENGTHS,
    WITHOUT_HISTORY,
    LabelledTexts,
    Penalty,
    choose_balance,
    choose_penalty,
)

LABELS = ("till", "vat", "stock")
DESCRIPTIONS = (("the till", "till"), ("the VAT return", "vat"), ("stock counts", "stock"))
NONE = np.zeros(0, dtype=np.int64)
WORDS = {
    "till": ("till", "drawer", "card reader", "receipt printer"),
    "vat": ("VAT", "tax return", "HMRC", "reverse charge"),
    "stock": ("stock", "barcode", "delivery", "purchase order"),
}


def labelled(rows: tuple[tuple[str, str], ...]) -> LabelledTexts:
    texts = [text for text, _ in rows]
    vectors = HashingEncoder(64).encode(texts)
    return LabelledTexts(vectors, count_ngrams(texts), tuple(label for _, label in rows))


def history(size: int, labels: tuple[str, ...] = LABELS) -> LabelledTexts:
    rows = ((label, number) for number in range(size) for label in labels)
    return labelled(tuple((f"{WORDS[label][number % 4]} trouble, shop {number}", label) for label, number in rows))


@pytest.mark.parametrize("sizes", [(50, 20, 5), (7, 3, 1), (23,), (4, 4, 4)])
def test_held_out_folds_are_stratified(sizes: tuple[int, ...]) -> None:
    targets = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    folds = stratified_folds(targets)
    for target, size in enumerate(sizes):
        counts = np.bincount(folds[targets == target], minlength=FOLDS)
        assert counts.sum() == size
        assert counts.max() - counts.min() <= 1
    every = np.bincount(folds, minlength=FOLDS)
    assert every.max() - every.min() <= 1


def test_folds_are_the_same_each_time_and_differ_by_seed() -> None:
    targets = np.repeat(np.arange(3), 20)
    assert (stratified_folds(targets) == stratified_folds(targets)).all()
    assert (stratified_folds(targets) != stratified_folds(targets, seed=1)).any()


def test_no_row_is_judged_by_a_head_that_saw_it() -> None:
    past, descriptions = history(10), labelled(DESCRIPTIONS)
    targets = np.array([LABELS.index(label) for label in past.labels])
    penalty, logits = held_out_logits(LABELS, past, descriptions, targets, stratified_folds(targets))
    folds = stratified_folds(targets)
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(folds != number), np.flatnonzero(folds == number)
        train = past.take(inside) + descriptions
        weights = NgramWeights.fit(train.counts)
        rows = CentredRows(train.vectors, weights.transform(train.counts))
        head = HeadFit(rows, train.labels, LABELS, penalty.scale).at(penalty.strength, ROUGH)
        assert logits[outside] == pytest.approx(head.logits(past.take(outside).features(weights)), abs=1e-3)


def test_many_rows_are_judged_side_by_side_as_few_are() -> None:
    few = history(4)
    past = few.take(np.tile(np.arange(len(few.labels)), MAX_GRAM // len(few.labels) + 1))
    targets = np.array([LABELS.index(label) for label in past.labels])
    with calm_fits():
        penalty, logits = held_out_logits(LABELS, past, labelled(DESCRIPTIONS), targets, stratified_folds(targets))
    assert penalty.scale in SCALES
    assert penalty.strength in STRENGTHS
    assert logits.shape == (len(targets), 3)
    assert (logits.argmax(axis=1) == targets).mean() > 0.99


class KnownFold:
    """A fold on which chances get worse with the distance of a penalty from the best one."""

    def __init__(self, scale: float, strength: float, rows: int) -> None:
        self.best, self.rows = (SCALES.index(scale), STRENGTHS.index(strength)), rows
        self.begun: list[float] = []

    def begin(self, scale: float) -> "KnownFits":
        self.begun.append(scale)
        return KnownFits(scale)

    def logits(self, tried: tuple[float, float]) -> np.ndarray:
        away = abs(SCALES.index(tried[0]) - self.best[0]) + abs(STRENGTHS.index(tried[1]) - self.best[1])
        wrong = (np.arange(self.rows) < away + 1).astype(np.int64)
        return 3.0 * np.eye(2)[wrong]


class KnownFits:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    def at(self, strength: float, tolerance: float) -> tuple[float, float]:
        return self.scale, strength


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_search_ends_at_the_best_penalty(scale: float, strength: float) -> None:
    folds = [KnownFold(scale, strength, 40), KnownFold(scale, strength, 30)]
    with ThreadPoolExecutor(1) as threads:
        found = choose_penalty(folds, np.zeros(70, dtype=np.int64), threads)  # type: ignore[arg-type]
    assert (found.scale, found.strength) == (scale, strength)
    assert len(folds[0].begun) == len(set(folds[0].begun))


class BalancedFold:
    """Says the same of every row, except that balance finds `found` of 10 rare rows and loses `lost` of 190 others."""

    targets = np.repeat([0, 1], [190, 10])

    def __init__(self, lost: int, found: int) -> None:
        self.lost, self.found = lost, found

    def logits_at(self, penalty: Penalty) -> np.ndarray:
        wrong = np.zeros(200, dtype=bool)
        wrong[: int(self.lost * penalty.balance)] = True
        wrong[190 + int(self.found * penalty.balance) :] = True
        return 3.0 * np.eye(2)[np.where(wrong, 1 - self.targets, self.targets)]


@pytest.mark.parametrize(
    ("lost", "found", "balance"),
    [(0, 0, 0.0), (0, 10, 1.0), (4, 8, 1.0), (20, 10, 0.0), (10, 0, 0.0)],
    ids=["nothing to gain", "free", "cheap", "dear", "only lost"],
)
def test_rare_labels_are_weighed_up_where_more_is_gained_than_lost(lost: int, found: int, balance: float) -> None:
    folds, penalty = [BalancedFold(lost, found)], Penalty(0.75, 3.0)
    with ThreadPoolExecutor(1) as threads:
        chosen = choose_balance(folds, BalancedFold.targets, penalty, threads)  # type: ignore[arg-type]
    assert chosen == Penalty(0.75, 3.0, balance)


def noisy(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors near one of three axes."""
    vectors = np.eye(8)[places] + 0.45 * rng.normal(size=(len(places), 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def texts_of(places: np.ndarray, rng: np.random.Generator, spread: int) -> list[str]:
    """Words of which the first goes by the place, each place having one of `spread`, and the others mean nothing."""
    return [f"{LABELS[place]} {' '.join(f'w{word}' for word in rng.integers(0, spread, 6))}" for place in places]


def test_ngrams_weigh_more_where_they_tell_more_than_the_vectors() -> None:
    rng = np.random.default_rng(4)
    codes, lots = np.arange(90) % 3, rng.integers(0, 3, 90)
    labels = tuple(LABELS[code] for code in codes)
    told_by_words = LabelledTexts(noisy(lots, rng), count_ngrams(texts_of(codes, rng, 40)), labels)
    told_by_vectors = LabelledTexts(noisy(codes, rng), count_ngrams(texts_of(lots, rng, 40)), labels)
    by_words, _ = held_out_logits(LABELS, told_by_words, told_by_words.take(NONE), codes, stratified_folds(codes))
    by_vectors, _ = held_out_logits(LABELS, told_by_vectors, told_by_vectors.take(NONE), codes, stratified_folds(codes))
    assert by_vectors.scale == SCALES[0]
    assert by_words.scale >= 1.5


def test_too_little_history_chooses_nothing() -> None:
    few, enough = history(FEW_ROWS // 3 - 1), history(FEW_ROWS // 3)
    told = fit_field("category", LABELS, few, labelled(DESCRIPTIONS), 0.1).report
    assert told.penalty == WITHOUT_HISTORY
    assert told.accuracy is not None
    chosen = fit_field("category", LABELS, enough, labelled(DESCRIPTIONS), 0.1).report
    assert chosen.penalty != told.penalty


def test_no_history_gives_no_threshold_and_knows_the_descriptions() -> None:
    fitted = fit_field("category", LABELS, history(0), labelled(DESCRIPTIONS), 0.1)
    head, report = fitted.head, fitted.report
    assert head.threshold is None
    assert (report.n, report.labels, report.accuracy, report.ece) == (0, 3, None, None)
    assert report.temperature == head.head.temperature == COLD_TEMPERATURE
    assert fit_field("priority", LABELS, history(0), labelled(DESCRIPTIONS), 0.1).head.head.temperature == 1
    assert (report.risk.threshold, report.risk.n, report.risk.reachable) == (None, 0, 1.0)
    assert report.penalty == WITHOUT_HISTORY
    chances = head.head.probabilities(labelled(DESCRIPTIONS).features(head.ngrams))
    assert chances.argmax(axis=1).tolist() == [0, 1, 2]


def test_a_separable_toy_set_is_learned() -> None:
    fitted = fit_field("category", LABELS, history(12), labelled(DESCRIPTIONS), 0.1)
    head, report = fitted.head, fitted.report
    assert (report.n, report.accuracy) == (36, 1.0)
    assert report.penalty.scale in SCALES
    assert report.penalty.strength in STRENGTHS
    assert report.penalty.balance in BALANCES
    assert report.accuracy_low is not None
    assert report.accuracy_low > 0.9
    assert head.threshold == report.risk.threshold
    assert report.risk.coverage == 1.0
    unseen = labelled((("card reader is dead", "till"), ("HMRC letter", "vat"), ("barcode missing", "stock")))
    assert head.head.probabilities(unseen.features(head.ngrams)).argmax(axis=1).tolist() == [0, 1, 2]


def test_what_was_said_of_unseen_rows_is_kept_and_gives_the_report_again() -> None:
    fitted = fit_field("category", LABELS, history(12), labelled(DESCRIPTIONS), 0.1)
    held_out, report = fitted.held_out, fitted.report
    assert held_out.rows.tolist() == list(range(36))
    assert [held_out.labels[target] for target in held_out.targets] == list(history(12).labels)
    chances = held_out.chances()
    assert chances.sum(axis=1) == pytest.approx(1)
    assert (chances.argmax(axis=1) == held_out.targets).mean() == report.accuracy
    assert held_out.temperature == report.temperature
    ranks = (-chances).argsort(axis=1, kind="stable")
    best = [held_out.targets[row] in ranks[row, :2] for row in range(36)]
    assert (report.top3, report.top5) == (1.0, 1.0)  # of three labels
    assert report.accuracy <= np.mean(best) <= report.top3
    moved = held_out.of_history(np.arange(100, 136))
    assert (moved.rows[0], moved.rows[-1]) == (100, 135)


def test_the_head_is_fitted_on_all_rows_as_the_report_says() -> None:
    past, descriptions = history(12), labelled(DESCRIPTIONS)
    fitted = fit_field("category", LABELS, past, descriptions, 0.1)
    field_head, report = fitted.head, fitted.report
    rows = past + descriptions
    centred = CentredRows(rows.vectors, field_head.ngrams.transform(rows.counts))
    head = HeadFit(centred, rows.labels, LABELS, report.penalty.scale, report.penalty.balance).at(
        report.penalty.strength
    )
    assert field_head.head.weights == pytest.approx(head.weights, abs=1e-3)
    assert field_head.head.bias == pytest.approx(head.bias, abs=1e-3)
    assert field_head.head.temperature == report.temperature != 1.0


def test_labels_given_by_lot_decide_nothing() -> None:
    past = history(6)
    lots = np.random.default_rng(3).permutation(past.labels)
    past = LabelledTexts(past.vectors, past.counts, tuple(str(label) for label in lots))
    fitted = fit_field("category", LABELS, past, labelled(DESCRIPTIONS), 0.1)
    head, report = fitted.head, fitted.report
    assert head.threshold is None
    assert report.risk.reachable > 0.1
    assert report.accuracy is not None
    assert report.accuracy < 0.6


def test_a_label_without_history_is_still_there() -> None:
    fitted = fit_field("category", LABELS, history(4, ("till", "vat")), labelled(DESCRIPTIONS), 0.1)
    head, report = fitted.head, fitted.report
    assert (report.n, report.labels, head.head.labels) == (8, 3, LABELS)
    chances = head.head.probabilities(labelled((("stock counts", "stock"),)).features(head.ngrams))
    assert chances.shape == (1, 3)
    assert chances.sum() == pytest.approx(1)
    assert chances.argmax() == 2


def test_a_label_without_history_and_description_is_never_the_best_guess() -> None:
    rows = labelled(DESCRIPTIONS[:2])
    head = fit_field("category", LABELS, history(4, ("till", "vat")), rows, 0.1).head
    chances = head.head.probabilities(labelled((("stock counts", "stock"),)).features(head.ngrams))
    assert chances[0].argmin() == 2
    assert chances[0, 2] < 0.1


def test_the_report_is_plain_values() -> None:
    report = fit_field("category", LABELS, history(0), labelled(DESCRIPTIONS), 0.1).report
    assert report.as_json()["risk"] == {"threshold": None, "max_error": 0.1, "coverage": 0.0, "n": 0, "reachable": 1.0}


def test_only_rows_that_may_judge_are_counted_and_choose() -> None:
    past, descriptions = history(10), labelled(DESCRIPTIONS)
    judging = frozenset(range(0, len(past.labels), 2))
    report = fit_field("category", LABELS, past, descriptions, 0.2, FoldPlan(judging=judging)).report
    assert report.n == len(judging)
    targets = np.array([LABELS.index(label) for label in past.labels])
    folds = FoldPlan(judging=judging).folds(targets)
    assert {row for row, fold in enumerate(folds) if fold >= 0} == judging
    _, logits = held_out_logits(LABELS, past, descriptions, targets, folds)
    assert logits.shape == (len(judging), len(LABELS))


def test_without_a_row_that_may_judge_nothing_is_decided() -> None:
    fitted = fit_field("category", LABELS, history(10), labelled(DESCRIPTIONS), 0.2, FoldPlan(judging=frozenset()))
    head, report = fitted.head, fitted.report
    assert (report.n, report.accuracy, head.threshold) == (0, None, None)


def test_a_plan_is_numbered_anew_for_some_of_the_rows() -> None:
    assert FoldPlan(judging=frozenset({1, 4})).among([0, 1, 3, 4]).judging == {1, 3}
    assert FoldPlan(7).among([0, 1]) == FoldPlan(7)


def test_a_long_history_is_learnt_from_whole_and_judged_in_part() -> None:
    rng = np.random.default_rng(8)
    places = rng.integers(0, 2, 26_000)
    vectors = np.column_stack([1.0 - places, places]) + 0.4 * rng.normal(size=(26_000, 2))
    past = LabelledTexts(vectors.astype(np.float32), count_ngrams([""])[np.zeros(26_000, dtype=np.int64)], ())
    past = LabelledTexts(past.vectors, past.counts, tuple(LABELS[place] for place in places))
    fitted = fit_field("category", LABELS[:2], past, past.take(NONE), 0.1)
    assert fitted.report.n == len(fitted.held_out.rows) == 20_800
    assert fitted.report.accuracy == pytest.approx(0.96, abs=0.01)


def test_a_penalty_is_chosen_by_a_draw_of_very_many_labels() -> None:
    few, many = np.arange(600) % 200, np.arange(1_800) % 600
    assert rows_to_choose_by(few).tolist() == list(range(600))
    drawn = rows_to_choose_by(many)
    labels, counts = np.unique(many[drawn], return_counts=True)
    assert (len(labels), set(counts)) == (200, {3})
    assert drawn.tolist() == rows_to_choose_by(many).tolist()


def test_a_field_of_very_many_labels_is_fitted_and_judged() -> None:
    rng = np.random.default_rng(9)
    names = tuple(f"person-{number}" for number in range(260))
    axes = rng.normal(size=(260, 16)).astype(np.float32)
    places = np.arange(780) % 260
    vectors = axes[places] + 0.5 * rng.normal(size=(780, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nothing = count_ngrams([""])[np.zeros(780, dtype=np.int64)]
    past = LabelledTexts(vectors, nothing, tuple(names[place] for place in places))
    report = fit_field("assignee", names, past, past.take(NONE), 0.3).report
    assert (report.n, report.labels) == (780, 260)
    assert report.accuracy is not None
    assert report.top3 is not None
    assert report.top5 is not None
    assert 0.4 < report.accuracy < report.top3 < report.top5


def test_a_very_long_history_is_thinned_and_rare_labels_are_kept_whole() -> None:
    labels = np.array(["common"] * 900 + ["rare"] * 10 + ["common"] * 90)
    rows = np.arange(1_000) * 2
    assert thinned(rows, labels, 1_000).tolist() == rows.tolist()
    kept = thinned(rows, labels, 250)
    assert 250 <= len(kept) <= 260
    assert (labels[kept // 2] == "rare").sum() == 10
    assert np.diff(kept).max() == 8
    assert set(kept) <= set(rows)
