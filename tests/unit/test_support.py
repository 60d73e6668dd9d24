from pathlib import Path

import pytest

from retrieval.article_files import read_articles
from retrieval.documents import Hit, Passage
from retrieval.passages import split_into_passages
from retrieval.plain_text import to_plain_text
from triage.drafting.answers import runs_of
from triage.drafting.compose import relevant_units
from triage.drafting.support import check_draft, find_support
from triage.suggestions import Draft, DraftSentence, Support

TEXT = (
    "Refunds\nWe do not refund part months. Yearly plans are refunded in full within 14 days.\n"
    "Ask Moira Kettle; you can send 250 e-mails a day."
)
START = 40
PASSAGE = Passage("kb-1#1", "kb-1", (), START, START + len(TEXT), TEXT)
FACTS = (
    "We do not refund part months.",
    "Yearly plans are refunded in full within 14 days.",
    "Ask Moira Kettle; you can send 250 e-mails a day.",
)


def stands(sentence: str) -> Support | None:
    return find_support(sentence, [PASSAGE])


def draft(*facts: str) -> Draft:
    sentences = (
        DraftSentence(text="Hello Jo,", role="greeting"),
        DraftSentence(text="Our article covers this.", role="lead"),
        *(DraftSentence(text=fact, role="fact", starts_line=number == 0) for number, fact in enumerate(facts)),
        DraftSentence(text="Just reply.", role="closing"),
    )
    return Draft(text="as written", sentences=sentences, source="articles")


@pytest.mark.parametrize("fact", FACTS)
def test_a_span_points_at_exactly_the_sentence(fact: str) -> None:
    found = find_support(fact, [PASSAGE])
    assert found is not None
    assert (found.article_id, found.score) == ("kb-1", 1.0)
    assert (" " * START + TEXT)[found.start : found.end] == fact


def test_white_space_is_folded_and_the_span_covers_it() -> None:
    passage = Passage("kb-1#1", "kb-1", (), 7, 20, "one  two\nthree.")
    assert find_support("one two three.", [passage]) == Support(article_id="kb-1", start=7, end=22, score=1.0)


def test_every_unit_of_the_demo_desk_stands_where_its_span_says(project: Path) -> None:
    for document in read_articles(project / "desks" / "demo" / "articles"):
        for passage in split_into_passages(document):
            hit = Hit(passage, document, 1.0, 1.0, 0.0, ())
            runs = list(runs_of(hit))
            assert [block for run in runs for block in run.blocks] == [
                block for block in document.blocks if passage.start <= block.start < passage.end
            ]
            for unit in (unit for run in runs for unit in relevant_units(passage.text, run)):
                found = find_support(unit.text, [passage])
                assert found is not None, unit.text
                assert document.text[found.start : found.end].split() == unit.text.split()


@pytest.mark.parametrize(
    "changed",
    [
        "We do refund part months.",
        "We do not refund whole months.",
        "Yearly plans are refunded in full within 40 days.",
        "Yearly plans are not refunded in full within 14 days.",
        "Ask Maura Kettle; you can send 250 e-mails a day.",
        "Ask Moira Kettle; you can send 2500 e-mails a day.",
        "ask moira kettle; you can send 250 e-mails a day.",
        "",
        " ",
    ],
)
def test_a_changed_number_name_or_negation_stands_nowhere(changed: str) -> None:
    assert find_support(changed, [PASSAGE]) is None


@pytest.mark.parametrize("cut", ["you can send 25", "you can send 250 e-mails a da", "e do not refund part months."])
def test_a_sentence_cut_inside_a_word_or_number_stands_nowhere(cut: str) -> None:
    assert find_support(cut, [PASSAGE]) is None


def test_a_sentence_is_not_put_together_from_two_passages() -> None:
    first, second = Passage("a#1", "a", (), 0, 7, "We do not"), Passage("a#2", "a", (), 8, 20, "refund months.")
    assert find_support("We do not refund months.", [first, second]) is None


def test_a_draft_that_stands_keeps_its_words_and_gets_its_spans() -> None:
    checked, why = check_draft(draft(*FACTS), stands)
    assert why is None
    assert checked is not None
    assert checked.text == "Hello Jo,\n\nOur article covers this.\n\n" + " ".join(FACTS) + "\n\nJust reply."
    assert [len(sentence.support) for sentence in checked.sentences] == [0, 0, 1, 1, 1, 0]
    assert checked.warnings == ()


def test_one_unsupported_sentence_of_three_is_dropped_with_a_warning() -> None:
    checked, why = check_draft(draft(*FACTS[:2], "You can send 999 e-mails a day."), stands)
    assert why is None
    assert checked is not None
    assert "999" not in checked.text
    assert [sentence.text for sentence in checked.sentences if sentence.role == "fact"] == list(FACTS[:2])
    assert checked.warnings == ("unsupported_sentences_dropped",)


def test_support_that_the_writer_claims_counts_for_nothing() -> None:
    claim = Support(article_id="kb-1", start=0, end=9, score=1.0)
    lies = DraftSentence(text="We refund everything.", role="fact", support=(claim,))
    assert check_draft(Draft(text="x", sentences=(lies,), source="model"), stands)[0] is None


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ((FACTS[0], "Changed."), "1 of 2 sentences stood in no cited passage"),
        ((FACTS[0], FACTS[1], "One.", "Two."), "2 of 4 sentences stood in no cited passage"),
        (("Changed.",), "1 of 1 sentences stood in no cited passage"),
        ((), "the draft stated no fact"),
    ],
)
def test_losing_too_much_is_no_draft_and_says_why(facts: tuple[str, ...], why: str) -> None:
    assert check_draft(draft(*facts), stands) == (None, why)


def test_a_table_row_and_numbered_step_stand_as_they_are() -> None:
    text, blocks = to_plain_text(
        "1. Open **Bank**.\n2. Press *Renew*.\n\n| plan | price |\n|---|---|\n| Corner | £9 |\n"
    )
    passage = Passage("kb-2#1", "kb-2", (), 0, len(text), text)
    for block in blocks:
        found = find_support(text[block.start : block.end], [passage])
        assert found is not None
        assert (found.start, found.end) == (block.start, block.end)
