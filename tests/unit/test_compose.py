"""The writer without a model: what it quotes, in which order, and what it says around that."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.hashing_encoder import HashingEncoder
from models.recent_vectors import RecentVectors
from retrieval.documents import Document, Hit
from retrieval.passages import split_into_passages
from retrieval.plain_text import to_plain_text
from triage.drafting.answers import runs_of
from triage.drafting.asked import Asked, questions_in, quotable_words
from triage.drafting.compose import (
    Addressee,
    Voice,
    compose,
    greeting,
    lay_out,
    quotable,
    relevant_units,
    sentences_of,
    thanks,
)
from triage.drafting.support import SupportCheck, check_draft
from triage.suggestions import Draft, DraftSentence

ENCODER = HashingEncoder()
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
    return [unit.text for run in runs_of(hits_of(markdown)[0]) for unit in relevant_units(question, run)]


def ask(question: str, hits: Sequence[Hit], chance: float = 1.0) -> Asked:
    return Asked(question, ENCODER.encode([question])[0], tuple(hits), chance)


def write(asked: Sequence[Asked], voice: Voice = VOICE, missing: Sequence[Asked] = ()) -> Draft:
    return compose(asked, Addressee(), voice, RecentVectors(ENCODER), missing)[0]


def facts(question: str, hits: list[Hit], max_words: int = 170) -> list[str]:
    voice = Voice("Hello {name},", "Hello,", "Just reply.", "", max_words)
    return facts_in(write([ask(question, hits)], voice))


def facts_in(draft: Draft) -> list[str]:
    return [sentence.text for sentence in draft.sentences if sentence.role == "fact"]


def test_a_draft_greets_leads_quotes_and_closes() -> None:
    asked, to = [ask("renew", hits_of(STEPS))], Addressee("Jo Field", "Re: bank is quiet")
    draft, quoted = compose(asked, to, VOICE, RecentVectors(ENCODER))
    assert draft.text == (
        "Hello Jo,\n\nThanks for getting in touch about “bank is quiet”. "
        "This is from our article “Your bank”.\n\nRenew\n"
        "1. Open Bank.\n2. Choose the account.\n3. Press Renew.\n4. Sign in at your bank.\n\n"
        "Just reply.\n\nKind regards,\nBrindle support"
    )
    assert [hit.passage.id for hit in quoted] == ["kb-1#1"]
    assert draft.source == "articles"


def test_every_quoted_fact_stands_at_its_span() -> None:
    [hit] = hits_of("## Fees\n\nThe fee is 1.4 % today. It was more before.\n\n- Paid monthly.\n")
    draft, cited = compose([ask("fee", [hit])], Addressee(), VOICE, RecentVectors(ENCODER))
    checked, why = check_draft(draft, SupportCheck(cited, RecentVectors(ENCODER), ENCODER.encode))
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


def test_the_rows_that_are_asked_for_are_quoted() -> None:
    assert facts("price of Parade", hits_of(PLANS)) == ["Parade – price: £39"]
    assert {"Corner – price: £9", "Counter – price: £19"} <= set(facts("Corner or Counter", hits_of(PLANS)))


BULLETS = "## Fees\n\nWhat it costs:\n\n- Corner is £9\n- Counter is £19\n- Parade is £39\n"


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("How much is Parade?", ["What it costs:", "- Parade is £39"]),
        ("hello", ["What it costs:", "- Corner is £9", "- Counter is £19", "- Parade is £39"]),
    ],
)
def test_of_many_bullets_those_are_quoted_that_share_words_with_the_question(question: str, quoted: list[str]) -> None:
    assert units(question, BULLETS) == quoted


def test_of_two_bullets_both_are_quoted() -> None:
    assert len(units("Corner", "- Corner is £9\n- Counter is £19\n")) == 2


def test_sections_of_the_same_article_follow_in_its_order_and_those_of_others_do_not() -> None:
    markdown = "## One\n\nRenew the bank.\n\n## Two\n\nRenew the bank consent.\n\n## Three\n\nLunch is at noon.\n"
    hits = hits_of(markdown, 0.79, 0.80, 0.1)
    other = hits_of("## Other\n\nRenew the bank consent now.\n", 0.79, article="kb-2")
    assert facts("renew the bank consent", [hits[0], *other, *hits[1:]]) == [
        "Renew the bank.",
        "Renew the bank consent.",
    ]


def test_a_further_section_that_does_not_fit_is_left_out() -> None:
    hits = hits_of("## One\n\nRenew bank now.\n\n## Two\n\nRenew bank then.\n", 0.8, 0.79)
    assert facts("renew bank now", hits, max_words=5) == ["Renew bank now."]
    assert facts("renew bank now", hits, max_words=6) == ["Renew bank now.", "Renew bank then."]


def test_two_procedures_of_a_section_are_two_runs_each_with_what_leads_to_it() -> None:
    markdown = "## Pay\n\nBy card\n\n1. Open it.\n2. Press Pay.\n\nBy cash\n\n1. Take the money.\n2. Count it.\n"
    runs = [run.text.splitlines() for run in runs_of(hits_of(markdown)[0])]
    assert runs == [["By card", "1. Open it.", "2. Press Pay."], ["By cash", "1. Take the money.", "2. Count it."]]


def test_a_question_that_another_article_answers_gets_its_own_part_in_the_customers_words() -> None:
    bank, fees = hits_of(STEPS), hits_of("The fee is £9 a month.\n", article="kb-2")
    whole = ask("How do I renew the bank? And what is the fee each month?", [*bank, *fees])
    asked = [whole, ask("How do I renew the bank?", bank), ask("And what is the fee each month?", fees)]
    draft = write(asked)
    assert "You also asked: “And what is the fee each month?” This is from our article “Your bank”." in draft.text
    assert facts_in(draft)[-1] == "The fee is £9 a month."
    unsure = write([*asked[:2], replace(asked[2], chance=0.4)])
    assert "You also asked" not in unsure.text


def test_a_question_without_an_answer_is_named_and_one_that_must_not_be_repeated_is_not() -> None:
    asked = [ask("renew", hits_of(STEPS))]
    missing = [ask("Do you sell kites?", []), ask("Is https://x.example yours?", [])]
    draft = write(asked, missing=missing)
    assert "I could not find an answer to “Do you sell kites?” in our articles." in draft.text
    assert "x.example" not in draft.text


def test_what_the_article_asks_for_is_asked_for() -> None:
    markdown = (
        "## Doubled\n\nWe look into a second charge.\n\nTell us the date of the payment.\n\nKites fly on Sundays.\n"
    )
    assert facts("second charge look into", hits_of(markdown)) == [
        "We look into a second charge.",
        "Tell us the date of the payment.",
    ]


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("till is down", "Thanks for getting in touch about “till is down”."),
        ("RE: Fwd: till is down ", "Thanks for getting in touch about “till is down”."),
        ("", "Thanks for getting in touch."),
        ("Re:", "Thanks for getting in touch."),
        ("go to http://x.example/pay", "Thanks for getting in touch."),
        ("mail me@x.example", "Thanks for getting in touch."),
        ("<b>now</b>", "Thanks for getting in touch."),
        ("[click](x)", "Thanks for getting in touch."),
        ("say “yes” to all", "Thanks for getting in touch."),
        ("word " * 30, "Thanks for getting in touch."),
        ("two\u202elines", "Thanks for getting in touch."),
    ],
)
def test_the_subject_is_said_back_unless_it_could_do_harm(subject: str, said: str) -> None:
    assert thanks(subject) == said


@given(st.text(max_size=80))
@settings(max_examples=100, deadline=None)
def test_what_is_said_back_is_one_line_that_holds_no_mark_of_a_language(words: str) -> None:
    said = quotable_words(words)
    assert said is None or (
        said.isprintable() and not set("<>{}[]|`“”") & set(said) and said in " ".join(words.split())
    )


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        ("How do I renew it? What does it cost to renew?", ("How do I renew it?", "What does it cost to renew?")),
        ("How do I renew it? Why?", ()),
        ("Can I renew it early? And when? Who may press the button?",
         ("Can I renew it early? And when?", "Who may press the button?")),
        ("It broke.\nhow do i mend it\nwhere is the shop near me", ("how do i mend it", "where is the shop near me")),
        ("It broke. How do I mend it?", ()),
        ("How are you today? Can you help me with this? How do I mend it?", ()),
        (" ".join(f"What is number {n} for me?" for n in range(5)), ()),
        ("", ()),
    ],
)  # fmt: skip
def test_a_message_with_several_questions_is_taken_apart(text: str, questions: tuple[str, ...]) -> None:
    assert questions_in(text) == questions


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
