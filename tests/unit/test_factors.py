"""Why a best guess leads: its words, weighed by the head itself, and the labels of past tickets like it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hashing_encoder import HashingEncoder
from models.linear_head import LinearHead
from models.protocols import FloatArray
from models.text_features import NgramWeights, count_ngrams, read_ngrams
from triage.classify import FieldHead, TicketClassifier
from triage.factors import MAX_EVIDENCE, MAX_WORDS, TextWords, similar_tickets, telling_words, word_parts
from triage.fit import ALL_JUDGE, WITHOUT_HISTORY, LabelledTexts, fit_field
from triage.fit_novelty import fit_novelty

TOPICS = {
    "till": "reader payment till receipt drawer",
    "vat": "return quarter rate filing submission",
    "stock": "barcode delivery count shelf product",
    "bank": "feed consent transaction statement reconcile",
    "login": "password code phone signin locked",
    "report": "balance sheet export year profit",
}
LABELS = tuple(TOPICS)
ENCODER = HashingEncoder()


def labelled(rows: list[tuple[str, str]]) -> LabelledTexts:
    texts = [text for text, _ in rows]
    return LabelledTexts(ENCODER.encode(texts), count_ngrams(texts), tuple(label for _, label in rows))


@pytest.fixture(scope="module")
def classifier() -> TicketClassifier:
    rng = np.random.default_rng(5)
    rows = [
        (f"please can you see why the {' '.join(rng.choice(TOPICS[label].split(), 3, replace=False))} is wrong", label)
        for _ in range(20)
        for label in LABELS
    ]
    past, told = labelled(rows), labelled([(words, label) for label, words in TOPICS.items()])
    head = fit_field("category", LABELS, past, told, 0.2).head
    found = fit_novelty("category", LABELS, (past, told), WITHOUT_HISTORY, 0.05, ALL_JUDGE)
    assert found is not None
    return TicketClassifier({"category": head}, found[0])


def factors(classifier: TicketClassifier, text: str) -> dict[str, tuple[str, str]]:
    prediction = classifier.classify(text, ENCODER.encode([text])[0]).fields["category"]
    return {factor.name: (factor.effect, factor.evidence) for factor in prediction.factors}


def test_the_words_of_the_ticket_that_tell_are_named_as_they_stand(classifier: TicketClassifier) -> None:
    found = factors(classifier, "Hello, please can you see: the BARCODE and the shelf Product are wrong")
    effect, evidence = found["words"]
    assert effect == "+stock"
    assert {*evidence.split(", ")} == {"BARCODE", "shelf", "Product"}


def test_past_tickets_of_the_same_label_are_counted(classifier: TicketClassifier) -> None:
    effect, evidence = factors(classifier, "please can you see why the barcode shelf product is wrong")[
        "similar_tickets"
    ]
    assert (effect, evidence) == ("+stock", "5 of the 5 most similar past tickets")


def test_factors_change_nothing_else(classifier: TicketClassifier) -> None:
    text = "please can you see why the barcode shelf product is wrong"
    vector = ENCODER.encode([text])[0]
    head = classifier.heads["category"]
    plain = head.predict(head.logits(head.ngrams.row(read_ngrams(text)), vector))
    found = classifier.classify(text, vector).fields["category"]
    assert found.factors
    assert found.model_copy(update={"factors": ()}) == plain


@pytest.mark.parametrize("text", ["", "?!", "the of and is", "zzzz qqqq"])
def test_without_a_telling_word_there_is_no_factor(classifier: TicketClassifier, text: str) -> None:
    assert "words" not in factors(classifier, text)


@given(text=st.text(max_size=300))
def test_evidence_is_the_ticket_s_own_words_and_short(classifier: TicketClassifier, text: str) -> None:
    _, evidence = factors(classifier, f"{text} barcode {text}").get("words", ("", ""))
    shown = evidence.split(", ") if evidence else []
    assert len(evidence) <= MAX_EVIDENCE
    assert len(shown) <= MAX_WORDS
    assert all(word in f"{text} barcode {text}" or word in f"{text} barcode {text}".lower() for word in shown)


def test_a_very_long_word_is_not_shown(classifier: TicketClassifier) -> None:
    found = factors(classifier, f"barcode {'barcodeshelf' * 40}")
    assert found["words"][1] == "barcode"


def head_of(text: str, seed: int = 3) -> tuple[FieldHead, FloatArray]:
    ngrams = NgramWeights.fit(count_ngrams([text, "till receipt bank feed"]))
    weights = np.random.default_rng(seed).normal(size=(3, 4 + len(ngrams.columns))).astype(np.float32)
    return FieldHead(LinearHead(("a", "b", "c"), weights, np.zeros(3, np.float32), 2.0), ngrams, None), weights


@given(words=st.lists(st.sampled_from(["till", "Till", "receipt", "bank", "ä", "x1"]), min_size=1, max_size=12))
def test_words_share_all_that_the_n_grams_say(words: list[str]) -> None:
    text = " ".join(words)
    field_head, _ = head_of(text)
    ngrams = read_ngrams(text)
    row = field_head.ngrams.row(ngrams)
    parts = word_parts(ngrams, row, field_head.head, 4, ("b", "c"))
    logits = field_head.logits(row, np.zeros(4, np.float32))[0]
    assert parts.shape == (len(words),)
    assert parts.sum() == pytest.approx((logits[1] - logits[2]) / 2.0, abs=1e-4)
    repeated = [at for at, word in enumerate(words) if word.lower() in [other.lower() for other in words[:at]]]
    assert not parts[repeated].any()


@pytest.mark.parametrize(("order", "named"), [("order", "seventeen"), ("rarity", "Rarity, seventeen")])
def test_a_word_that_most_tickets_hold_is_not_named(order: str, named: str) -> None:
    ngrams = NgramWeights.fit(count_ngrams([*(f"order {number}" for number in range(40)), "seventeen", "rarity"]))
    weights = np.zeros((2, len(ngrams.columns)), np.float32)
    for word, weight in ((order, 9.0), ("seventeen", 4.0)):
        weights[0, np.searchsorted(ngrams.columns, read_ngrams(word).buckets[0])] = weight
    words = TextWords.of(f"{order.capitalize()} seventeen")
    head = LinearHead(("a", "b"), weights, np.zeros(2, np.float32))
    [factor] = telling_words(words, ngrams, ngrams.row(words.ngrams), head, ("a", "b"))
    assert factor.evidence == named


@pytest.mark.parametrize(
    ("alike", "effect", "evidence"),
    [
        (("a", "a", "b", "a", "a"), "+a", "4 of the 5 most similar past tickets"),
        (("a", "b", "a", "c", "d"), "+a", "2 of the 5 most similar past tickets"),
        (("b", "b", "b", "a", "a"), "-a", "3 of the 5 most similar past tickets were b"),
        (("b", "b", "a", "c", "d"), "", ""),
        (("b", "c", "d", "e", "a"), "", ""),
        ((), "", ""),
    ],
)
def test_similar_tickets_speak_for_or_against(alike: tuple[str, ...], effect: str, evidence: str) -> None:
    found = similar_tickets(alike, "a")
    assert [(factor.effect, factor.evidence) for factor in found] == ([(effect, evidence)] if effect else [])


def test_a_field_with_one_label_has_no_runner_up(classifier: TicketClassifier) -> None:
    head = classifier.heads["category"]
    words = TextWords.of("barcode")
    assert telling_words(words, head.ngrams, head.ngrams.row(words.ngrams), head.head, ("stock",)) == ()
