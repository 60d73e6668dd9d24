"""The look that rules expressions out: never one that would have matched, and nearly all that would not."""

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import message_wording
from triage.drafting.clauses import phrase_table
from triage.phrase_index import PhraseIndex, first_match, fold, needed_strings
from triage.priority_wording import priority_phrases


def expressions_in(entry: Any) -> list[str]:
    if isinstance(entry, dict):
        return [found for part in entry.values() for found in expressions_in(part)]
    return [part for part in entry if isinstance(part, str)] if isinstance(entry, list) else []


EXPRESSIONS = [
    expression
    for table in (message_wording._table(), phrase_table(), priority_phrases())
    for expression in expressions_in(table)
]
ALL = PhraseIndex({str(number): [expression] for number, expression in enumerate(EXPRESSIONS)}, re.I)


@given(st.data())
def test_what_matches_is_never_ruled_out(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(EXPRESSIONS) - 1))
    words = data.draw(st.from_regex(re.compile(EXPRESSIONS[number], re.I)))
    if re.search(EXPRESSIONS[number], words, re.I):
        assert str(number) in ALL.possible(words)


@pytest.mark.parametrize("letter", sorted({letter for text in EXPRESSIONS for letter in text.lower() if letter > " "}))
def test_every_letter_that_matches_folds_to_the_same(letter: str) -> None:
    every = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x20000))))
    for found in re.findall(re.escape(letter), every, re.I):
        assert fold(found) == fold(letter)


@pytest.mark.parametrize(
    ("expression", "needed"),
    [
        (r"\bhack(?:ed|er)\b", [{"hacked", "hacker"}]),
        (r"\b(?:in|at) court\b", [{"in court", "at court"}]),
        (r"\bsee\b.{0,20}\bcourts?\b", [{"see"}, {"court", "courts"}]),
        (r"authori[sz]ed", [{"authorised", "authorized"}]),
        (r"\d+ days", [{" days"}]),
        (r"\w+|court", []),
        (r"(?:very )*late", [{"late"}]),
        (r"(?:very )+late", [{"very "}, {"late"}]),
        (r"late(?! again)", [{"late"}]),
        (r"(?<=too )late", [{"late"}]),
        (r"[^a]late", [{"late"}]),
        ("GROSS", [{"gross"}]),
    ],
)
def test_an_expression_needs_its_strings(expression: str, needed: list[set[str]]) -> None:
    assert [set(strings) for strings in needed_strings(expression, re.I)] == needed


def test_an_ordinary_ticket_leaves_hardly_any_expression() -> None:
    index = PhraseIndex({"all": expressions_in(phrase_table()["sensitive_topic"])}, re.I)
    text = "The label printer prints every barcode twice since Monday, and the second one is cut off at the edge."
    assert len(index.possible(text).get("all", ())) <= 3
    assert len(expressions_in(phrase_table()["sensitive_topic"])) > 80


@given(st.lists(st.sampled_from(["a+b", "b.", "c|ab", "^b", "cc?", "[ab]c"]), min_size=1, max_size=4), st.text("abc"))
def test_the_first_match_is_that_of_the_patterns_joined(expressions: list[str], text: str) -> None:
    found = first_match([re.compile(expression) for expression in expressions], text)
    joined = re.search("|".join(f"(?:{expression})" for expression in expressions), text)
    assert (found and found.span()) == (joined and joined.span())


def test_patterns_keep_their_order_and_headings() -> None:
    index = PhraseIndex({"one": ["court", "in court"], "two": ["court|judge"], "three": ["solicitor"]})
    found = index.possible("a judge in court")
    assert {heading: [pattern.pattern for pattern in patterns] for heading, patterns in found.items()} == {
        "one": ["court", "in court"],
        "two": ["court|judge"],
    }


def test_a_long_text_takes_time_in_proportion() -> None:
    took = []
    for size in (100_000, 800_000):
        text = ("in court the till " * size)[:size]
        start = time.process_time()
        ALL.possible(text)
        took.append(time.process_time() - start)
    assert took[1] < 40 * max(took[0], 0.005)
