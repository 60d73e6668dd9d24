from typing import Any

import pytest
from pydantic import ValidationError

from triage.tickets import MAX_TEXT, Message, Ticket


def faults(value: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        Ticket.model_validate(value)
    return [(fault["loc"], fault["msg"]) for fault in caught.value.errors()]


def test_a_ticket_without_subject_and_body_is_refused_with_a_remedy() -> None:
    [(where, said)] = faults({"id": "T-1", "messages": [{"author": "customer", "text": "hello"}]})
    assert where == ()
    assert "a ticket needs a subject or a body; send at least one of them" in said


@pytest.mark.parametrize("value", [{"subject": ""}, {"body": ""}, {"subject": " ", "body": "\n"}, {"body": "😀"}])
def test_blank_text_is_a_ticket(value: dict[str, str]) -> None:
    ticket = Ticket.model_validate(value)
    assert (ticket.subject, ticket.body) == (value.get("subject"), value.get("body"))


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"body": "x", "prority": "high"}, ("prority",)),
        ({"body": "x", "requester": {"mail": "jo@bun.example"}}, ("requester", "mail")),
        ({"body": "x", "messages": [{"author": "agent", "text": "y", "html": "z"}]}, ("messages", 0, "html")),
    ],
)
def test_an_unknown_key_is_refused_where_it_stands(value: dict[str, Any], where: tuple[str | int, ...]) -> None:
    assert faults(value) == [(where, "Extra inputs are not permitted")]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_an_attribute_that_is_no_finite_number_is_refused(number: float) -> None:
    assert any(
        where[:2] == ("attributes", "spent") for where, _ in faults({"body": "x", "attributes": {"spent": number}})
    )


def test_attributes_keep_their_types() -> None:
    given = {"vip": True, "seats": 3, "spent": 9.5, "plan": "Counter", "since": None}
    kept = Ticket.model_validate({"body": "x", "attributes": given}).attributes
    assert kept == given
    assert [type(value) for value in kept.values()] == [bool, int, float, str, type(None)]


def test_lone_surrogates_and_control_characters_are_cleaned_away() -> None:
    ticket = Ticket(subject="no \ud800 pair", body="a\x00b\x1b[31mc\td\ne", tags=("x\x00y",))
    assert ticket.subject == "no ? pair"
    assert ticket.body == "ab[31mc\td\ne"
    assert ticket.tags == ("xy",)
    assert ticket.model_dump_json().encode("utf-8")


def test_a_name_that_is_nothing_but_control_characters_is_refused() -> None:
    assert [where for where, _ in faults({"body": "x", "id": "\x00"})] == [("id",)]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"body": "a" * (MAX_TEXT + 1)}, ("body",)),
        ({"subject": "a" * 1_001}, ("subject",)),
        ({"body": "x", "messages": [{"author": "agent", "text": "a" * (MAX_TEXT + 1)}]}, ("messages", 0, "text")),
        ({"body": "x", "attributes": {"a" * 129: 1}}, ("attributes", "a" * 129, "[key]")),
        ({"body": "x", "messages": [{"author": "agent", "text": "y"}] * 501}, ("messages",)),
    ],
)
def test_what_is_too_long_is_refused(value: dict[str, Any], where: tuple[str | int, ...]) -> None:
    assert where in [found for found, _ in faults(value)]


def test_the_longest_text_is_taken_and_length_counts_as_it_was_sent() -> None:
    assert Ticket(body="a" * (MAX_TEXT - 1) + "\x00").body == "a" * (MAX_TEXT - 1)
    assert [where for where, _ in faults({"body": "a" * MAX_TEXT + "\x00"})] == [("body",)]


@pytest.mark.parametrize("language", ["e", "english", "en_GB", "en\n", "-", ""])
def test_a_language_tag_that_is_none_is_refused(language: str) -> None:
    assert [where for where, _ in faults({"body": "x", "language": language})] == [("language",)]


def test_a_time_without_a_zone_is_refused() -> None:
    assert [where for where, _ in faults({"body": "x", "created_at": "2026-11-20T10:00:00"})] == [("created_at",)]


def test_what_a_person_set_is_a_label_by_field() -> None:
    assert Ticket(body="x").set_fields == {}
    assert Ticket(body="x", set_fields={"team": "bo\x00oks"}).set_fields == {"team": "books"}
    assert [where for where, _ in faults({"body": "x", "set_fields": {"team": ""}})] == [("set_fields", "team")]
    assert [where for where, _ in faults({"body": "x", "set_fields": {"team": 3}})] == [("set_fields", "team")]


def test_a_ticket_and_its_messages_do_not_change() -> None:
    ticket = Ticket(body="x", messages=(Message(author="customer", text="y"),))
    with pytest.raises(ValidationError):
        ticket.body = "z"
    with pytest.raises(ValidationError):
        ticket.messages[0].text = "z"
