"""Sentences in other words than the article's: what is laid beside them, what speaks against them, and who decides."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_search import ENCODER

from models.recent_vectors import RecentVectors
from retrieval.documents import Document, Hit
from retrieval.passages import split_into_passages
from retrieval.plain_text import to_plain_text
from triage.drafting.alignment import Sources, likeness, opposites_of, units_of
from triage.drafting.fit_support import card_of, fit_support, read_rows
from triage.drafting.support import SupportCheck, SupportHead, bundled_head, find_support
from triage.drafting.support_signals import SIGNALS, signals

ARTICLE = (
    "## Renew\n\nEvery 90 days your bank asks for consent again. The Owner can renew it in Settings > Bank.\n\n"
    "1. Open the bank page.\n2. Press “Renew”.\n3. Wait for the green tick.\n\n"
    "## Refunds\n\nWe do not refund part months. You can cancel a yearly plan if you paid 14 days ago or less.\n\n"
    "| plan | price |\n|---|---|\n| Corner | £9 |\n| Counter | £19 |\n"
)
EAGER = replace(bundled_head(), threshold=0.0)


def document(locale: str = "en") -> Document:
    text, blocks = to_plain_text(ARTICLE)
    return Document("kb-1", "Your bank", text, blocks, locale=locale)


def check(head: SupportHead = EAGER, ticket: str = "", locale: str = "en") -> SupportCheck:
    found = document(locale)
    hits = [Hit(passage, found, 1.0, 1.0, 0.0, ()) for passage in split_into_passages(found)]
    return SupportCheck(hits, RecentVectors(ENCODER), ENCODER.encode, ticket, head)


def sources() -> Sources:
    return Sources(units_of(document(), split_into_passages(document())), ENCODER.encode, ENCODER.encode)


def signal(name: str, sentence: str, ticket: str = "") -> float:
    aligned = sources().align(sentence)
    assert aligned is not None
    return float(signals(aligned, document().text, ticket)[SIGNALS.index(name)])


@pytest.mark.parametrize(
    ("sentence", "window"),
    [
        ("The green tick is what you wait for.", "3. Wait for the green tick."),
        ("Counter costs £19.", "Counter – price: £19"),
        ("Part months are not refunded.", "We do not refund part months."),
    ],
)
def test_a_sentence_is_laid_beside_what_says_most_of_it(sentence: str, window: str) -> None:
    aligned = sources().align(sentence)
    assert aligned is not None
    assert aligned.text == window
    assert aligned.near.shape == (len(aligned.words),)
    assert aligned.weights.sum() == pytest.approx(1)


def test_a_sentence_that_joins_two_gets_both() -> None:
    aligned = sources().align("Open the bank page and press Renew.")
    assert aligned is not None
    assert [unit.text for unit in aligned.window] == ["1. Open the bank page.", "2. Press “Renew”."]


def test_there_is_nothing_beside_no_words_or_no_sources() -> None:
    assert sources().align("of the and") is None
    assert Sources([], ENCODER.encode, ENCODER.encode).align("Open the bank page.") is None


def test_units_stand_where_they_say() -> None:
    for unit in units_of(document(), split_into_passages(document())):
        assert document().text[unit.start : unit.end] == unit.text


def test_opposites_are_never_alike_and_the_same_word_always_is() -> None:
    words, others = ["before", "open"], ["after", "open", "before"]
    alike = likeness(words, others, ENCODER.encode(words), ENCODER.encode(others))
    assert alike.shape == (2, 3)
    assert (alike[0, 0], alike[0, 2], alike[1, 1]) == (0, 1, 1)
    assert "after" in opposites_of("before")
    assert all(word in opposites_of(other) for word in ("monthly", "all", "if") for other in opposites_of(word))


@pytest.mark.parametrize(
    ("name", "sentence", "expected"),
    [
        ("literals not in window", "Every 60 days your bank asks for consent.", 1),
        ("literals not in window", "Every 90 days your bank asks for consent.", 0),
        ("literals not in passages", "Your bank asks for consent every three weeks.", 1),
        ("quotes not in passages", "Press “Refresh” on the bank page.", 1),
        ("quotes not in passages", "The Owner renews it under Reports > Bank.", 1),
        ("quotes not in passages", "The Owner renews it under Settings > Bank.", 0),
        ("conditions lost", "You can cancel a yearly plan.", 1),
        ("conditions new", "We do not refund part months unless you ask.", 1),
        ("promises", "We guarantee to renew it for you.", 1),
        ("odd negations", "We refund part months.", 1),
        ("names not in passages", "The consent is renewed by the Manager.", 1),
    ],
)
def test_what_speaks_against_a_sentence_is_seen(name: str, sentence: str, expected: float) -> None:
    assert signal(name, sentence) == expected


def test_what_the_ticket_says_may_be_repeated() -> None:
    sentence = "Your 33 rows are on the bank page, open it."
    assert signal("literals not in passages", sentence) == 1
    assert signal("literals not in passages", sentence, "There are 33 rows missing") == 0


@pytest.mark.parametrize(
    "sentence",
    [
        "Every 60 days your bank asks for consent again.",
        "Press “Refresh” and wait for the green tick.",
        "We will refund part months.",
        "Write to help@elsewhere.example about the bank page.",
    ],
)
def test_what_no_source_holds_is_never_supported_however_eager_the_head(sentence: str) -> None:
    assert check()(sentence) is None


def test_a_sentence_in_other_words_points_at_its_window_and_scores_its_chance() -> None:
    found = check()("Part months are not refunded.")
    assert found is not None
    assert 0 <= found.score < 1
    assert document().text[found.start : found.end] == "We do not refund part months."


def test_half_a_sentence_does_not_stand_there_word_for_word() -> None:
    passages = split_into_passages(document())
    assert find_support("You can cancel a yearly plan", passages) is None
    assert find_support("cancel a yearly plan if you paid 14 days ago or less.", passages) is None
    assert find_support("You can cancel a yearly plan if you paid 14 days ago or less.", passages) is not None
    assert find_support("Open the bank page.", passages) is not None


def test_below_the_threshold_and_in_other_languages_only_quotation_counts() -> None:
    strict = check(replace(EAGER, threshold=1.1))
    foreign = check(locale="de")
    for support in (strict, foreign):
        assert support("Part months are not refunded.") is None
        assert support("We do not refund part months.") is not None


def test_the_head_that_comes_with_it_knows_every_signal_and_prefers_what_stands_there() -> None:
    head = bundled_head()
    assert head.weights.shape == head.means.shape == (len(SIGNALS),)
    assert 0 < head.threshold < 1
    right, wrong = sources().align("Part months are not refunded."), sources().align("Kites are sold on Sundays.")
    assert right is not None
    assert wrong is not None
    assert head.chance(signals(right, document().text)) > head.chance(signals(wrong, document().text))


def test_fitting_tells_sentences_apart_and_its_card_is_read_back(project: Path) -> None:
    rng = np.random.default_rng(7)
    supported = [number % 2 == 0 for number in range(200)]
    found = rng.normal(size=(200, len(SIGNALS))).astype(np.float32)
    found[supported, 0] += 3
    head = fit_support(found, supported, [str(number // 4) for number in range(200)])
    chances = np.array([head.chance(row) for row in found])
    assert 0.85 < (chances[supported] >= head.threshold).mean() < 1
    assert (chances[~np.array(supported)] >= head.threshold).mean() < 0.2
    card = card_of(head)
    assert set(card) == {"means", "scales", "weights", "bias", "threshold"}
    assert list(card["weights"]) == list(SIGNALS)
    rows = read_rows(project / "desks/demo/support.jsonl")
    assert {row.style for row in rows} == {"verbatim", "paraphrase"}
