"""What a sentence states to the letter: one value for every way of writing it, and no value where there is none."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.drafting.literals import find_literals


def told(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.value) for one in find_literals(text)]


@pytest.mark.parametrize(
    "same",
    [
        ("two weeks", "14 days", "a fortnight"),
        ("an hour", "60 minutes", "one hour", "60 min"),
        ("half an hour", "30 minutes"),
        ("3 working days", "three business days"),
        ("a year", "12 months"),
        ("15 %", "15 per cent", "fifteen percent"),
        ("£20", "20 pounds", "20 GBP", "£ 20.00"),
        ("5 pm", "17:00", "5 p.m.", "5.00 pm"),
        ("noon", "12:00", "midday"),
        ("1 May 2026", "May 1", "1st of May", "2026-05-01"),
        ("10 MB", "10 megabytes"),
        ("1,200 rows", "1200 rows"),
        ("https://www.x.example/a/", "x.example/a"),
        ("twenty-five users", "25 users"),
    ],
)
def test_two_ways_of_writing_are_one_literal(same: tuple[str, ...]) -> None:
    values = [told(f"It is {words} here.") for words in same]
    assert len(values[0]) == 1
    assert all(value == values[0] for value in values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 days", "5 working days"),
        ("5 days", "5 hours"),
        ("£5", "€5"),
        ("5 am", "5 pm"),
        ("10 MB", "10 GB"),
        ("kb-302", "kb-305"),
        ("1 May", "1 June"),
        ("help@x.example", "sales@x.example"),
        ("+44 20 7946 0000", "+44 20 7946 0001"),
    ],
)
def test_what_differs_is_another_literal(one: str, other: str) -> None:
    assert told(f"It is {one} here.") != told(f"It is {other} here.")


def test_the_first_number_of_a_range_has_the_unit_of_the_second() -> None:
    assert told("It takes 3 to 5 days.") == [("number", "4320 minute"), ("number", "7200 minute")]
    assert told("It takes 3-5 days.") == told("It takes 3 to 5 days.")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Press “Save as” now", [("quote", "save as")]),
        ("error BR-77120 or ask_bank_login", [("code", "br-77120"), ("code", "ask_bank_login")]),
        ("a CSV in DD/MM/YYYY", [("code", "csv"), ("code", "dd/mm/yyyy")]),
        ("every Monday", [("date", "mon")]),
        ("one of the two of you, half of it", []),
        ("the 2nd time", []),
        ("OK, it is fine.", []),
        ("", []),
    ],
)
def test_what_is_a_literal_and_what_is_not(text: str, found: list[tuple[str, str]]) -> None:
    assert told(text) == found


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_literals_stand_where_they_say_and_overlap_only_within_quotes(text: str) -> None:
    found = [one for one in find_literals(text) if one.kind != "quote"]
    for one in found:
        assert text[one.start :].lstrip().startswith(one.words.lstrip()[:1])
    ends = [one.start + len(one.words) for one in found]
    assert all(end <= later.start for end, later in zip(ends, found[1:], strict=False))


@pytest.mark.parametrize("piece", ["1", "1 ", "1,", "a@", "A-", "1:", "“", "one ", "12 to ", "£1", "x.", "A/"])
def test_time_is_linear_in_the_text(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    start = time.process_time()
    find_literals(text)
    assert time.process_time() - start < 5
