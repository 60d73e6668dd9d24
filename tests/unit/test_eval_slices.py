from typing import Any

import pytest
from pydantic import ValidationError

from eval.cases import Case
from eval.slices import MAX_VALUES, members, slices_of
from triage.tickets import Ticket

PAST = {"till": 0, "vat": 1, "stock": 29, "outage": 100}


def slices(expect: dict[str, Any] | None = None, slice: dict[str, str] | None = None, **ticket: Any) -> dict[str, str]:
    asked = Ticket.model_validate({"body": "x"} | ticket)
    return slices_of(Case(id="c", ticket=asked, expect=expect or {}, slice=slice or {}), PAST)


def test_language_and_channel_come_from_the_ticket_unless_the_case_says() -> None:
    assert slices(language="DE", channel="chat") == {"language": "de", "channel": "chat", "length": "1–10 words"}
    assert slices() == {"language": "unstated", "channel": "unstated", "length": "1–10 words"}
    stated = slices(slice={"language": "pl", "type": "angry"}, language="de")
    assert (stated["language"], stated["type"]) == ("pl", "angry")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (10, "1–10 words"),
        (11, "11–40 words"),
        (40, "11–40 words"),
        (41, "41–120 words"),
        (120, "41–120 words"),
        (121, "121 words or more"),
    ],
)
def test_length_counts_the_words_of_subject_and_body(words: int, said: str) -> None:
    assert slices(subject="word", body=" ".join(["word"] * (words - 1)))["length"] == said


@pytest.mark.parametrize(
    ("category", "said"),
    [
        ("till", "0 past tickets"),
        ("vat", "1–9 past tickets"),
        ("stock", "10–29 past tickets"),
        ("outage", "100 past tickets or more"),
        ("new", "0 past tickets"),
    ],
)
def test_class_size_is_that_of_the_expected_category(category: str, said: str) -> None:
    assert slices({"category": category})["class_size"] == said


def test_members_are_counted_under_their_names() -> None:
    found = [{"language": "de", "type": "a"}, {"language": "en"}, {"language": "de", "type": "b"}]
    assert members(found) == {"language=de": [0, 2], "language=en": [1], "type=a": [0], "type=b": [2]}


def test_a_key_that_parts_nothing_is_left_out() -> None:
    one = [{"language": "de"}] * 3
    thousand = [{"order": str(number)} for number in range(1_000)]
    assert members([*one, *thousand]) == {}
    assert len(members([{"k": str(number)} for number in range(MAX_VALUES)])) == MAX_VALUES
    assert members([{"k": str(number)} for number in range(MAX_VALUES + 1)]) == {}


def test_a_key_with_an_equals_sign_is_refused_since_names_would_meet() -> None:
    with pytest.raises(ValidationError):
        slices(slice={"a=b": "c"})
