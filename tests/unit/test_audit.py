from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.linear_head import softmax
from models.protocols import FloatArray
from models.text_features import count_ngrams
from triage.audit_classes import fewest_rows, overlapping_labels, weak_labels
from triage.audit_labels import (
    confident_joint,
    contradictions,
    expected_wrong,
    judged_labels,
    suspect_labels,
    wrong_labels,
)
from triage.audit_topics import MOST_TICKETS, nearest_cosine, propose_labels
from triage.folds import stratified_folds
from triage.held_out import HeldOut, read_held_out, write_held_out
from triage.penalties import Fold, LabelledTexts
from triage.risk import ASSURANCE, upper_error_bound

Chances = NDArray[np.float64]
Targets = NDArray[np.int64]


def planted(rows: int = 600, labels: int = 6, wrong: float = 0.05, seed: int = 1) -> tuple[Chances, Targets, Targets]:
    """Chances of a good head, the labels given, and the rows whose label was replaced."""
    random = np.random.default_rng(seed)
    truth = np.arange(rows) % labels
    logits = random.normal(0, 1, (rows, labels))
    logits[np.arange(rows), truth] += 5
    replaced = np.sort(random.choice(rows, round(wrong * rows), replace=False))
    targets = truth.copy()
    targets[replaced] = (truth[replaced] + random.integers(1, labels, len(replaced))) % labels
    return softmax(logits), targets.astype(np.int64), replaced.astype(np.int64)


def one_hot(truth: Sequence[int], labels: int, sure: float = 0.9) -> Chances:
    chances = np.full((len(truth), labels), (1 - sure) / (labels - 1))
    chances[np.arange(len(truth)), truth] = sure
    return chances


def test_planted_wrong_labels_lead_the_list_and_are_counted() -> None:
    chances, targets, replaced = planted()
    wrong = wrong_labels(chances, targets)
    assert wrong.low <= len(replaced) <= wrong.high
    assert wrong.n == len(targets)
    suspects = suspect_labels(chances, targets, wrong.high)
    assert len({suspect.row for suspect in suspects[: len(replaced)]} & {*replaced}) >= 0.9 * len(replaced)
    for suspect in suspects:
        assert suspect.given == targets[suspect.row]
        assert suspect.suggested_chance == chances[suspect.row, suspect.suggested]
        assert suspect.given_chance == chances[suspect.row, suspect.given] < suspect.suggested_chance


def test_clean_labels_get_few_suspects() -> None:
    chances, targets, _ = planted(wrong=0.0)
    wrong = wrong_labels(chances, targets)
    assert wrong.low <= wrong.expected <= 0.02 * len(targets)
    assert len(suspect_labels(chances, targets, wrong.high)) <= 0.02 * len(targets)


def test_the_list_is_as_long_as_asked_and_no_best_guess_is_on_it() -> None:
    chances, targets, _ = planted()
    assert len(suspect_labels(chances, targets, 7.0)) == 7
    everything = suspect_labels(chances, targets, 600.0)
    assert {suspect.row for suspect in everything} == {*np.flatnonzero(chances.argmax(axis=1) != targets).tolist()}


def test_no_suspect_is_not_no_doubt() -> None:
    truth = np.arange(60) % 3
    wrong = wrong_labels(one_hot(truth, 3), truth)
    assert (wrong.expected, wrong.low) == (0.0, 0.0)
    assert 1 < wrong.high < 6


def test_the_joint_is_that_of_a_worked_example() -> None:
    # Mean own chances are 0.7 and 0.63: the third row is confidently of label 1, and the last of neither, so that the
    # other two of its label stand for three.
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])
    targets = np.array([0, 0, 0, 1, 1, 1])
    assert confident_joint(chances, targets).tolist() == [[2, 1], [0, 3]]
    assert expected_wrong(chances, targets) == 1


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 6), st.integers(1, 60), st.integers(0, 2**31))
def test_the_joint_keeps_the_rows_of_each_given_label_in_any_order(labels: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    chances, targets = random.dirichlet(np.ones(labels), rows), random.integers(0, labels, rows)
    joint = confident_joint(chances, targets)
    assert joint.min() >= 0
    counted = np.bincount(targets, minlength=labels)
    assert np.allclose(joint.sum(axis=1)[counted > 0], counted[counted > 0])
    order, names = random.permutation(rows), random.permutation(labels)
    renamed = np.argsort(names)[targets]
    assert np.allclose(confident_joint(chances[order], targets[order]), joint)
    assert np.allclose(confident_joint(chances[:, names], renamed), joint[np.ix_(names, names)])


def test_labels_of_too_few_rows_are_neither_suspected_nor_suggested() -> None:
    targets = np.array([0] * 20 + [1] * 20 + [2] * 4)
    chances = one_hot([0] * 19 + [2] + [1] * 20 + [0] * 4, 3)
    assert judged_labels(targets, 3).tolist() == [True, True, False]
    wrong = wrong_labels(chances, targets)
    assert wrong.n == 40
    found = suspect_labels(chances, targets, 10.0)
    assert not [suspect for suspect in found if 2 in (suspect.given, suspect.suggested)]


@pytest.mark.parametrize("rows", [0, 3])
def test_next_to_nothing_is_no_finding(rows: int) -> None:
    chances, targets = np.full((rows, 2), 0.5), np.zeros(rows, dtype=np.int64)
    assert wrong_labels(chances, targets).n == 0
    assert suspect_labels(chances, targets, 0.0) == []
    assert overlapping_labels(chances, targets) == []
    assert weak_labels(chances, targets, 0.05)


def test_one_label_alone_has_no_other_to_suggest() -> None:
    chances, targets = np.ones((30, 1)), np.zeros(30, dtype=np.int64)
    wrong = wrong_labels(chances, targets)
    assert (wrong.expected, suspect_labels(chances, targets, wrong.high)) == (0.0, [])


def test_overlapping_labels_are_found_with_the_tickets_between_them() -> None:
    chances, targets, _ = planted(300, 3, wrong=0.0)
    mixed = np.flatnonzero((targets != 2) & (np.arange(300) // 3 % 8 == 0))
    chances[np.ix_(mixed, [0, 1])] = chances[np.ix_(mixed, [1, 0])]
    chances[9] = [0.51, 0.48, 0.01]
    (pair,) = overlapping_labels(chances, targets)
    assert (pair.first, pair.second, pair.n) == (0, 1, (100, 100))
    own = [chances[targets == 0, 1], chances[targets == 1, 0]]
    assert pair.mass == pytest.approx(np.concatenate(own).mean())
    assert pair.low < pair.mass < pair.high
    best = chances.argmax(axis=1)
    assert pair.mistaken == (((targets == 0) & (best == 1)).sum(), ((targets == 1) & (best == 0)).sum())
    assert pair.between[0] == 9
    assert not overlapping_labels(one_hot(targets, 3), targets)


@pytest.mark.parametrize("max_error", [0.01, 0.05, 0.1, 0.35])
def test_so_few_rows_support_an_error_and_one_fewer_does_not(max_error: float) -> None:
    n = fewest_rows(max_error)
    counts = np.array([n, n - 1])
    bounds = upper_error_bound(np.array([0, 0]), counts, 1 - ASSURANCE)
    assert bounds[0] <= max_error < bounds[1]


def test_weak_labels_are_told_apart() -> None:
    targets = np.array([0] * 50 + [1] * 10 + [2] * 44)
    chances = one_hot([0] * 60 + [2] * 44, 4)
    found = {weak.label: (weak.weakness, weak.rows, weak.predicted) for weak in weak_labels(chances, targets, 0.05)}
    assert found == {3: ("no_history", 0, 0), 1: ("never_predicted", 10, 0), 2: ("too_small", 44, 44)}
    assert [weak.label for weak in weak_labels(chances, targets, 0.05)] == [3, 1, 2]
    assert {weak.label for weak in weak_labels(chances, targets, 0.2)} == {3, 1}


def test_one_text_with_two_labels_is_a_contradiction() -> None:
    texts = ["Where is my card?", "where  IS my\ncard?", "Where is my PIN?", "Where is my pin?", " ", ""]
    assert contradictions(texts, ["card", "pin", "pin", "pin", "a", "b"]) == [(0, 1)]


TOPICS = {
    "parcel": "my parcel was delivered to the wrong address",
    "printer": "the office printer is jammed and prints nothing",
}


def vectors_of(*groups: tuple[Sequence[float], int], seed: int = 3) -> FloatArray:
    random = np.random.default_rng(seed)
    rows = np.vstack([np.tile(centre, (count, 1)) for centre, count in groups])
    rows = rows + random.normal(0, 0.05, rows.shape)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def test_topics_are_proposed_by_name_and_known_ones_are_not() -> None:
    parcel, printer, known, alone = np.eye(8)[:4].tolist()
    vectors = vectors_of((parcel, 5), (known, 4), (printer, 3), (alone, 2))
    texts = [f"Hello, {TOPICS['parcel']} {word}" for word in ("one", "two", "three", "four", "five")]
    texts += ["Hello, my card"] * 4
    texts += [f"Hello, {TOPICS['printer']} {word}" for word in ("six", "seven", "eight")]
    texts += ["Hello, something else", "Hello, something odd"]
    examples = vectors_of((known, 200), seed=4)
    topics = propose_labels(vectors, texts, examples, ["Hello, my card"] * 20)
    assert [sorted(topic.tickets) for topic in topics] == [[0, 1, 2, 3, 4], [9, 10, 11]]
    assert "parcel" in " ".join(topics[0].words)
    assert "printer" in " ".join(topics[1].words)
    for topic in topics:
        assert "hello" not in " ".join(topic.words)
        assert topic.cohesion > 0.9 > topic.nearest_known


def test_without_enough_tickets_nothing_is_proposed() -> None:
    none = np.zeros((0, 8), dtype=np.float32)
    assert propose_labels(none, [], none) == []
    two = vectors_of((np.eye(8)[0].tolist(), 2))
    assert propose_labels(two, ["one", "two"], none) == []


def test_of_too_many_tickets_the_last_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_TICKETS >= 1_000
    monkeypatch.setattr("triage.audit_topics.MOST_TICKETS", 4)
    one, two = np.eye(8)[:2].tolist()
    vectors = vectors_of((one, 5), (two, 4))
    (topic,) = propose_labels(vectors, ["early"] * 5 + ["late"] * 4, vectors[:0])
    assert sorted(topic.tickets) == [5, 6, 7, 8]


def test_the_nearest_known_is_that_of_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    some, known = (random.normal(size=(n, 5)).astype(np.float32) for n in (7, 23))
    monkeypatch.setattr("triage.audit_topics.BLOCK", 4)
    assert np.allclose(nearest_cosine(some, known), (some @ known.T).max(axis=1))
    assert nearest_cosine(some, known[:0]).tolist() == [-1.0] * 7


def test_what_a_head_did_not_see_tells_wrong_labels_of_real_texts(tmp_path: Path) -> None:
    """A real head on n-grams alone, its held-out logits written and read as a generation keeps them."""
    subjects = {
        "card": "my bank card has not arrived by post yet", "login": "the password reset link does not work",
        "refund": "please give back the money of my order", "delivery": "the parcel is late and tracking is stuck",
    }  # fmt: skip
    random = np.random.default_rng(5)
    names, texts = tuple(subjects), []
    truth = np.arange(160) % 4
    for label in truth:
        words = subjects[names[label]].split()
        texts.append(" ".join(random.permutation(words)[: random.integers(4, 8)]))
    targets = truth.copy()
    replaced = random.choice(160, 8, replace=False)
    targets[replaced] = (truth[replaced] + 1) % 4
    counts, nothing = count_ngrams(texts), np.zeros((160, 1), dtype=np.float32)
    rows, folds = LabelledTexts(nothing, counts, tuple(names[at] for at in targets)), stratified_folds(targets)
    logits = np.zeros((160, 4), dtype=np.float32)
    for number in range(5):
        fold = Fold(names, rows.take(np.flatnonzero(folds != number)), rows.take(np.flatnonzero(folds == number)))
        logits[folds == number] = fold.logits(fold.begin(1.0).at(3.0))
    write_held_out(tmp_path, {"category": HeldOut(names, np.arange(160), targets, logits, 1.0)})
    kept = read_held_out(tmp_path)["category"]
    found = suspect_labels(kept.chances(), kept.targets, 8.0)
    assert {suspect.row for suspect in found} == {*replaced.tolist()}
    assert all(suspect.suggested == truth[suspect.row] for suspect in found)
    assert expected_wrong(kept.chances(), kept.targets) == pytest.approx(8, abs=3)
