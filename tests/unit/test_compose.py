import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrieval.documents import Document, Hit
from retrieval.passages import split_into_passages
from retrieval.plain_text import to_plain_text
from triage.drafting.compose import (
    NEAR,
    Voice,
    choose_passages,
    compose,
    greeting,
    lay_out,
    quotable,
    relevant_units,
    sentences_of,
)
from triage.drafting.support import check_draft
from triage.suggestions import DraftSentence

VOICE = Voice("Hello {name},", "Hello,", "Just reply.", "Kind regards,\nBrindle support", 170)
STEPS = "## Renew\n\n1. Open **Bank**.\n2. Choose the account.\n3. Press **Renew**.\n4. Sign in at your bank.\n"
PLANS = "## Plans\n\n| plan | price |\n|---|---|\n| Corner | £9 |\n| Counter | £19 |\n| Parade | £39 |\n"


def hits_of(markdown: str, *scores: float, article: str = "kb-1") -> list[Hit]:
    text, blocks = to_plain_text(markdown)
    document = Document(article, "Your bank", text, blocks)
    passages = split_into_passages(document)
    given_scores = scores or (1.0,) * len(passages)
    hits = [
        Hit(passage, document, score, score, 0.0, ()) for passage, score in zip(passages, given_scores, strict=True)
    ]
    return sorted(hits, key=lambda hit: -hit.score)


def units(question: str, markdown: str) -> list[str]:
    return [unit.text for unit in relevant_units(question, hits_of(markdown)[0])]


def facts(question: str, hits: list[Hit], max_words: int = 170) -> list[str]:
    voice = Voice("Hello {name},", "Hello,", "Just reply.", "", max_words)
    draft, _ = compose(question, None, hits, voice)
    return [sentence.text for sentence in draft.sentences if sentence.role == "fact"]


def test_a_draft_greets_leads_quotes_and_closes() -> None:
    draft, quoted = compose("renew", "Jo Field", hits_of(STEPS), VOICE)
    assert draft.text == (
        "Hello Jo,\n\nThanks for getting in touch. This is from our article “Your bank”.\n\nRenew\n"
        "1. Open Bank.\n2. Choose the account.\n3. Press Renew.\n4. Sign in at your bank.\n\n"
        "Just reply.\n\nKind regards,\nBrindle support"
    )
    assert [passage.id for passage in quoted] == ["kb-1#1"]
    assert draft.source == "articles"


def test_every_quoted_fact_stands_at_its_span() -> None:
    [hit] = hits_of("## Fees\n\nThe fee is 1.4 % today. It was more before.\n\n- Paid monthly.\n")
    checked, why = check_draft(*compose("fee", None, [hit], VOICE))
    assert why is None
    assert checked is not None
    quoted = [sentence for sentence in checked.sentences if sentence.role == "fact"]
    assert [hit.document.text[s.support[0].start : s.support[0].end] for s in quoted] == [s.text for s in quoted]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Jo Field", "Hello Jo,"),
        ("  Jo ", "Hello Jo,"),
        ("Zoë", "Hello Zoë,"),
        ("Ольга Петрова", "Hello Ольга,"),
        ("Anna-Lena Kühn", "Hello Anna-Lena,"),
        ("O'Brien", "Hello O'Brien,"),
        ("D’Arcy Bell", "Hello D’Arcy,"),
        (None, "Hello,"),
        ("", "Hello,"),
        (" \t", "Hello,"),
        ("4711", "Hello,"),
    ],
)
def test_greeting_by_the_first_word_of_a_name_or_without(name: str | None, said: str) -> None:
    assert greeting(name, VOICE) == said


@pytest.mark.parametrize(
    "name",
    [
        "http://x.example {name}",
        "{name}",
        "<img src=x>",
        "www.x.example",
        "jo@bun.example",
        "a" * 60,
        "Click:https://x.example",
        "{closing}",
        "\\1",
    ],
)
def test_hostile_names_are_not_greeted(name: str) -> None:
    assert greeting(name, VOICE) == "Hello,"


def test_numbered_steps_stay_whole_and_in_order_however_few_words_are_left() -> None:
    steps = ["1. Open Bank.", "2. Choose the account.", "3. Press Renew.", "4. Sign in at your bank."]
    assert facts("renew", hits_of(STEPS), max_words=4) == steps
    assert units("nothing that is shared", STEPS) == steps


@pytest.mark.parametrize("between", ["   Wait a minute for the list.", "   - Savings accounts are below."])
def test_steps_stay_whole_with_something_between_them(between: str) -> None:
    markdown = f"## Renew\n\n1. Open Bank.\n2. Choose the account.\n\n{between}\n3. Press Renew.\n"
    found = facts("renew", hits_of(markdown), max_words=7)
    assert [fact for fact in found if fact[0].isdigit()] == [
        "1. Open Bank.",
        "2. Choose the account.",
        "3. Press Renew.",
    ]


def test_a_long_text_is_cut_between_sentences() -> None:
    markdown = "## Fees\n\n" + " ".join(f"Sentence number {n} has six words." for n in range(30))
    found = facts("fees", hits_of(markdown), max_words=20)
    assert found == [f"Sentence number {n} has six words." for n in range(3)]


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How much is Parade?", ["Parade – price: £39"]),
        ("Corner or Counter?", ["Corner – price: £9", "Counter – price: £19"]),
        ("hello", ["Corner – price: £9", "Counter – price: £19", "Parade – price: £39"]),
    ],
)
def test_table_rows_are_chosen_by_the_question(question: str, rows: list[str]) -> None:
    assert units(question, PLANS) == rows


def test_two_rows_are_shown_whichever_is_asked() -> None:
    assert len(units("Corner", "| plan | price |\n|---|---|\n| Corner | £9 |\n| Counter | £19 |\n")) == 2


def test_near_passages_of_the_same_article_follow_in_its_order() -> None:
    markdown = "## One\n\nFirst words.\n\n## Two\n\nSecond words.\n\n## Three\n\nThird words.\n"
    hits = hits_of(markdown, 0.80 - NEAR / 2, 0.80, 0.80 - NEAR * 2)
    other = hits_of("## Other\n\nOther words.\n", 0.79, article="kb-2")
    chosen = choose_passages("words", [hits[0], *other, *hits[1:]], 170)
    assert [hit.passage.headings[-1] for hit, _ in chosen] == ["One", "Two"]


def test_a_further_passage_that_does_not_fit_is_left_out() -> None:
    hits = hits_of("## One\n\nFirst words here.\n\n## Two\n\nSecond words here.\n", 0.8, 0.79)
    assert facts("words", hits, max_words=5) == ["First words here."]
    assert facts("words", hits, max_words=6) == ["First words here.", "Second words here."]


def test_openings_of_articles_with_sections_are_not_quoted() -> None:
    opening, section = hits_of("What this is about.\n\n## Answer\n\nThe answer.\n", 0.9, 0.8)
    assert quotable([opening, section]) == [section]
    alone = hits_of("The whole answer.\n")
    assert quotable(alone) == alone


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ("One is here. Two is there! Three? Four.", ["One is here.", "Two is there!", "Three?", "Four."]),
        ("It costs 1.4 % today. £9 is the least.", ["It costs 1.4 % today.", "£9 is the least."]),
        ("Open brindle.example now. then wait", ["Open brindle.example now. then wait"]),
        ("Press “Send.” Then wait.", ["Press “Send.”", "Then wait."]),
        ("See the list (it is long.) Then wait.", ["See the list (it is long.)", "Then wait."]),
        (" ", []),
    ],
)
def test_a_paragraph_is_split_into_sentences(paragraph: str, sentences: list[str]) -> None:
    assert sentences_of(paragraph) == sentences


@given(st.text(alphabet='aB1 .!?)(”“"£\n', max_size=60))
@example("A.” B")
@settings(max_examples=50, deadline=None)
def test_splitting_loses_no_character(paragraph: str) -> None:
    assert "".join("".join(sentences_of(paragraph)).split()) == "".join(paragraph.split())


def sentence(text: str, role: str, starts_line: bool = True) -> DraftSentence:
    return DraftSentence.model_validate({"text": text, "role": role, "starts_line": starts_line})


def test_lay_out_sets_steps_on_lines_and_sections_apart() -> None:
    laid = lay_out(
        [
            sentence("Hello,", "greeting"),
            sentence("This covers it.", "lead"),
            sentence("A paragraph.", "fact"),
            sentence("It goes on.", "fact", starts_line=False),
            sentence("Steps", "lead"),
            sentence("1. One.", "fact"),
            sentence("2. Two.", "fact"),
            sentence("Bye.", "closing"),
        ]
    )
    assert laid == "Hello,\n\nThis covers it.\n\nA paragraph. It goes on.\n\nSteps\n1. One.\n2. Two.\n\nBye."
    assert lay_out([]) == ""
