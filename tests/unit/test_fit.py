import numpy as np
import pytest

from models.hashing_encoder import HashingEncoder
from models.linear_head import MAX_ROTATED, calm_fits, fit_head
from models.text_features import NgramWeights, count_ngrams
from triage.fit import FOLDS, STRENGTHS, LabelledTexts, fit_field, held_out_logits, stratified_folds

LABELS = ("till", "vat", "stock")
DESCRIPTIONS = (("the till", "till"), ("the VAT return", "vat"), ("stock counts", "stock"))
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
    past, descriptions = history(3), labelled(DESCRIPTIONS)
    targets = np.array([LABELS.index(label) for label in past.labels])
    held_out = held_out_logits(LABELS, past, descriptions, targets)
    folds = stratified_folds(targets)
    swapped = tuple(
        LABELS[(target + 1) % 3] if fold == 0 else LABELS[target] for target, fold in zip(targets, folds, strict=True)
    )
    relabelled = LabelledTexts(past.vectors, past.counts, swapped)
    for strength, logits in held_out_logits(LABELS, relabelled, descriptions, targets).items():
        assert logits[folds == 0] == pytest.approx(held_out[strength][folds == 0])


def test_many_rows_are_judged_at_one_strength() -> None:
    few = history(4)
    past = few.take(np.tile(np.arange(len(few.labels)), MAX_ROTATED // len(few.labels) + 1))
    descriptions = labelled(DESCRIPTIONS)
    targets = np.array([LABELS.index(label) for label in past.labels])
    with calm_fits():
        [(strength, logits)] = held_out_logits(LABELS, past, descriptions, targets).items()
    assert strength in STRENGTHS
    assert logits.shape == (len(targets), 3)
    assert (logits.argmax(axis=1) == targets).mean() > 0.99
    # A fold has fewer rows than the limit, and is fitted as the whole will be.
    folds = stratified_folds(targets)
    inside, outside = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    train = past.take(inside) + descriptions
    assert len(train.labels) < MAX_ROTATED
    weights = NgramWeights.fit(train.counts)
    with calm_fits():
        head = fit_head(train.features(weights), train.labels, LABELS, strength, many=True)
    assert logits[outside] == pytest.approx(head.logits(past.take(outside).features(weights)))


def test_no_history_gives_no_threshold_and_knows_the_descriptions() -> None:
    head, report = fit_field("category", LABELS, history(0), labelled(DESCRIPTIONS), 0.1)
    assert head.threshold is None
    assert (report.n, report.labels, report.accuracy, report.ece, report.temperature) == (0, 3, None, None, 1.0)
    assert (report.risk.threshold, report.risk.n, report.risk.reachable) == (None, 0, 1.0)
    chances = head.head.probabilities(labelled(DESCRIPTIONS).features(head.ngrams))
    assert chances.argmax(axis=1).tolist() == [0, 1, 2]


def test_a_separable_toy_set_is_learned() -> None:
    head, report = fit_field("category", LABELS, history(12), labelled(DESCRIPTIONS), 0.1)
    assert (report.n, report.accuracy) == (36, 1.0)
    assert report.accuracy_low is not None
    assert report.accuracy_low > 0.9
    assert head.threshold == report.risk.threshold
    assert report.risk.coverage == 1.0
    unseen = labelled((("card reader is dead", "till"), ("HMRC letter", "vat"), ("barcode missing", "stock")))
    assert head.head.probabilities(unseen.features(head.ngrams)).argmax(axis=1).tolist() == [0, 1, 2]


def test_labels_given_by_lot_decide_nothing() -> None:
    past = history(6)
    lots = np.random.default_rng(3).permutation(past.labels)
    past = LabelledTexts(past.vectors, past.counts, tuple(str(label) for label in lots))
    head, report = fit_field("category", LABELS, past, labelled(DESCRIPTIONS), 0.1)
    assert head.threshold is None
    assert report.risk.reachable > 0.1
    assert report.accuracy is not None
    assert report.accuracy < 0.6


def test_a_label_without_history_is_still_there() -> None:
    head, report = fit_field("category", LABELS, history(4, ("till", "vat")), labelled(DESCRIPTIONS), 0.1)
    assert (report.n, report.labels, head.head.labels) == (8, 3, LABELS)
    chances = head.head.probabilities(labelled((("stock counts", "stock"),)).features(head.ngrams))
    assert chances.shape == (1, 3)
    assert chances.sum() == pytest.approx(1)
    assert chances.argmax() == 2


def test_a_label_without_history_and_description_is_never_the_best_guess() -> None:
    rows = labelled(DESCRIPTIONS[:2])
    head, _ = fit_field("category", LABELS, history(4, ("till", "vat")), rows, 0.1)
    chances = head.head.probabilities(labelled((("stock counts", "stock"),)).features(head.ngrams))
    assert chances[0].argmin() == 2
    assert chances[0, 2] < 0.1


def test_the_report_is_plain_values() -> None:
    _, report = fit_field("category", LABELS, history(0), labelled(DESCRIPTIONS), 0.1)
    assert report.as_json()["risk"] == {"threshold": None, "max_error": 0.1, "coverage": 0.0, "n": 0, "reachable": 1.0}
