"""What is new: told from known labels alone, on real n-gram features of made-up desks."""

from pathlib import Path

import numpy as np
import pytest

from models.hashing_encoder import HashingEncoder
from models.text_features import count_ngrams
from retrieval.dense_index import DenseIndex
from triage.classify import TicketClassifier
from triage.fit import fit_field
from triage.fit_novelty import MAX_KNOWN, fit_novelty
from triage.folds import ALL_JUDGE
from triage.generation_files import read_novelty, write_novelty
from triage.novelty import NEAREST, signals
from triage.penalties import WITHOUT_HISTORY, LabelledTexts

TOPICS = {
    "till": "card reader payment till receipt drawer",
    "vat": "vat return tax quarter rate filing",
    "stock": "barcode delivery count shelf product",
    "bank": "bank feed consent transaction statement",
    "login": "password code phone sign account",
    "report": "balance sheet export year profit",
}
LABELS = tuple(TOPICS)
STRANGE = ("the zebra sang opera on mars", "quantum violins taste purple tonight", "my cat wrote a sonnet about snow")


def labelled(rows: list[tuple[str, str]]) -> LabelledTexts:
    texts = [text for text, _ in rows]
    return LabelledTexts(HashingEncoder().encode(texts), count_ngrams(texts), tuple(label for _, label in rows))


def history(each: int, labels: tuple[str, ...] = LABELS) -> LabelledTexts:
    rng = np.random.default_rng(5)
    return labelled(
        [
            (f"our {' '.join(rng.choice(TOPICS[label].split(), 3, replace=False))} does not work {number}", label)
            for number in range(each)
            for label in labels
        ]
    )


DESCRIPTIONS = labelled([(words, label) for label, words in TOPICS.items()])


def test_tickets_of_labels_that_nobody_learnt_are_told_from_the_others() -> None:
    found = fit_novelty("category", LABELS, (history(20), DESCRIPTIONS), WITHOUT_HISTORY, 0.05, ALL_JUDGE)
    assert found is not None
    novelty, report = found
    assert report.n[0] + report.n[1] == 120
    assert report.auroc > 0.9
    assert report.recognised > 0.5
    assert report.flagged <= 0.05
    assert novelty.weights[1] <= 0 >= novelty.weights[2]
    assert "Out of scope" in report.sentence()


def test_a_ticket_like_none_is_left_open_and_one_like_many_is_not() -> None:
    fitted = fit_field("category", LABELS, history(20), DESCRIPTIONS, 0.2)
    found = fit_novelty("category", LABELS, (history(20), DESCRIPTIONS), fitted.report.penalty, 0.05, ALL_JUDGE)
    assert found is not None
    classifier = TicketClassifier({"category": fitted.head}, found[0])
    known = "our card reader payment does not work 7"
    said = classifier.classify(known, HashingEncoder().encode([known])[0])
    assert said.novelty is not None
    assert not said.novelty.out_of_scope
    assert (said.fields["category"].decided, said.fields["category"].value) == (True, "till")
    for text in STRANGE:
        said = classifier.classify(text, HashingEncoder().encode([text])[0])
        assert said.novelty is not None
        assert said.novelty.out_of_scope
        prediction = said.fields["category"]
        assert (prediction.value, prediction.decided) == (None, False)
        assert prediction.factors[-1].name == "out_of_scope"
        assert "unlike past tickets" in prediction.factors[-1].evidence
    by_rule = classifier.classify(STRANGE[0], HashingEncoder().encode([STRANGE[0]])[0], {"category": ("vat", "r", "x")})
    assert (by_rule.novelty, by_rule.fields["category"].value) == (None, "vat")


@pytest.mark.parametrize(("each", "labels"), [(4, LABELS), (20, LABELS[:4]), (0, LABELS)])
def test_too_little_history_or_too_few_labels_tell_nothing(each: int, labels: tuple[str, ...]) -> None:
    rows = history(each, labels) if each else labelled([("x", "till")]).take(np.zeros(0, dtype=np.int64))
    assert fit_novelty("category", LABELS, (rows, DESCRIPTIONS), WITHOUT_HISTORY, 0.05, ALL_JUDGE) is None


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = fit_novelty("category", LABELS, (history(20), DESCRIPTIONS), WITHOUT_HISTORY, 0.05, ALL_JUDGE)
    assert found is not None
    write_novelty(tmp_path, found[0])
    read = read_novelty(tmp_path, HashingEncoder().dimension)
    assert read is not None
    assert (read.field, read.weights, read.threshold) == (found[0].field, found[0].weights, found[0].threshold)
    vector, logits = HashingEncoder().encode(["a till"])[0], np.array([[0.1, 0.2]])
    judged = found[0].judge(vector, logits)
    assert read.judge(vector, logits) == judged
    assert len(judged.alike) == NEAREST
    write_novelty(tmp_path, None)
    assert read_novelty(tmp_path, HashingEncoder().dimension) is None


def test_the_nearest_past_tickets_are_told_by_their_labels() -> None:
    known = history(20)
    found = fit_novelty("category", LABELS, (known, DESCRIPTIONS), WITHOUT_HISTORY, 0.05, ALL_JUDGE)
    assert found is not None
    logits = np.zeros((1, len(LABELS)))
    for row in (0, 7, 50):
        scores, rows = found[0].known.search(known.vectors[[row]], NEAREST)
        assert found[0].judge(known.vectors[row], logits).alike == tuple(known.labels[place] for place in rows[0])
        assert scores[0, 0] == pytest.approx(1.0, abs=1e-5)


def test_signals_are_nearness_and_energy() -> None:
    vectors = np.eye(8, dtype=np.float32)
    found = signals(DenseIndex.build(vectors), vectors[:1], np.array([[800.0, 800.0]]))
    assert found[0] == pytest.approx([1 / NEAREST, 800 + np.log(2)])


def test_the_known_are_thinned_out_evenly() -> None:
    from triage.fit_novelty import _spread

    many = np.arange(2 * MAX_KNOWN + 1, dtype=np.float32)[:, np.newaxis]
    assert len(_spread(many)) <= MAX_KNOWN
    assert _spread(many)[-1] > 2 * MAX_KNOWN - 5
    assert len(_spread(many[:0])) == 0
