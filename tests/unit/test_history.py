"""Whose tickets are whose, which are about the same matter, and what a person has set."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.protocols import FloatArray
from triage.drafting.policy import DuplicatePolicy, RepeatContact
from triage.errors import TicketError
from triage.history import (
    InMemoryHistory,
    NoHistory,
    PastContact,
    TicketHistory,
    duplicates_of,
    repeated,
    repeats_of,
    requester_keys,
    same_requester,
)
from triage.set_values import SET_BY_PERSON, values_set
from triage.suggestions import RepeatOf
from triage.taxonomy import Taxonomy
from triage.tickets import Requester, Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
RULE = RepeatContact()
ASKED: FloatArray = np.array([1, 0, 0], dtype=np.float32)
TAXONOMY = Taxonomy.model_validate(
    {
        "category": {"labels": {"till": {"description": "tills"}, "vat": {"description": "VAT"}}},
        "priority": {"labels": {"high": {"description": "soon"}}},
        "team": {"labels": {"books": {"description": "books"}, "trust": {"description": "trust"}}},
    }
)


def alike(cosine: float) -> FloatArray:
    return np.array([cosine, (1 - cosine**2) ** 0.5, 0], dtype=np.float32)


def contact(name: str = "T-1", days: float = 1, cosine: float | None = 0.83) -> PastContact:
    return PastContact(name, NOW - timedelta(days=days), None if cosine is None else alike(cosine))


def found(*contacts: PastContact, rule: RepeatContact = RULE, ticket_id: str | None = "T-9") -> list[str]:
    return [repeat.ticket_id for repeat in repeats_of(ticket_id, ASKED, contacts, NOW, rule)]


def ids(history: TicketHistory, requester: Requester) -> list[str]:
    return sorted(past.ticket_id for past in history.contacts(Ticket(body="x", requester=requester), NOW - WEEK, NOW))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"id": "c-7"}, {"id": "c-7"}, True),
        ({"id": "c-7"}, {"id": "c-8"}, False),
        ({"email": "Jo@Bun.example "}, {"email": "jo@bun.EXAMPLE"}, True),
        ({"email": "STRASSE@x.example"}, {"email": "straße@x.example"}, True),
        ({"email": "jo@bun.example"}, {"email": "joe@bun.example"}, False),
        ({"id": "c-7", "email": "jo@bun.example"}, {"email": "jo@bun.example"}, True),
        ({"id": "c-7", "email": "shop@bun.example"}, {"id": "c-8", "email": "shop@bun.example"}, False),
        ({"id": "c-7", "email": "a@bun.example"}, {"id": "c-7", "email": "b@bun.example"}, True),
        ({"name": "Jo Bun"}, {"name": "Jo Bun"}, False),
        ({"name": "Jo", "email": ""}, {"name": "Jo", "email": " "}, False),
        ({"id": " "}, {"id": " "}, False),
        ({"id": "jo@bun.example"}, {"email": "jo@bun.example"}, False),
        ({}, {}, False),
    ],
)
def test_the_same_requester_has_the_same_id_or_else_address_and_never_only_the_name(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    first, second = Requester(**one), Requester(**other)
    history = InMemoryHistory()
    history.add(first, contact())
    assert same_requester(requester_keys(first), requester_keys(second)) == same
    assert same_requester(requester_keys(second), requester_keys(first)) == same
    assert ids(history, second) == (["T-1"] if same else [])


def test_contacts_are_those_of_the_span_and_of_the_last_word() -> None:
    history, jo, eve = InMemoryHistory(), Requester(id="jo"), Requester(id="eve")
    for name, days in (("at_the_start", 7.0), ("at_the_end", 0.0), ("before", 7.001), ("after", -0.001)):
        history.add(jo, contact(name, days))
    assert ids(history, jo) == ["at_the_end", "at_the_start"]
    history.add(eve, contact("at_the_end"))
    assert (ids(history, jo), ids(history, eve)) == (["at_the_start"], ["at_the_end"])
    history.forget("at_the_start")
    history.forget("never_there")
    assert ids(history, jo) == []


def test_a_requester_whom_nothing_tells_apart_is_not_kept() -> None:
    history = InMemoryHistory()
    history.add(Requester(id="jo"), contact())
    history.add(Requester(name="Jo"), contact())
    assert ids(history, Requester(id="jo")) == []


def test_nothing_is_known_where_there_is_no_history() -> None:
    history: TicketHistory = NoHistory()
    assert ids(history, Requester(id="jo")) == []
    assert history.set_fields("T-1") == {}


def test_a_repeat_says_which_ticket_when_and_how_alike() -> None:
    (repeat,) = repeats_of("T-9", ASKED, [contact("T-12", days=2)], NOW, RULE)
    assert repeat == RepeatOf(ticket_id="T-12", at=NOW - timedelta(days=2), score=0.83)
    assert repeat.text == "on 18 Nov as T-12 (0.83 alike)"
    assert repeated([repeat], 7) == "wrote 2 times about this in 7 days"


@pytest.mark.parametrize(
    ("past", "counts"),
    [
        (contact(cosine=0.6), True),
        (contact(cosine=0.5999), False),
        (contact(cosine=-0.9), False),
        (contact(cosine=None), False),
        (contact(days=7), True),
        (contact(days=7.0001), False),
        (contact(days=0), True),
        (contact(days=-0.0001), False),
        (contact("T-9"), False),
        (PastContact("T-1", NOW, np.array([1, 0], dtype=np.float32)), False),
    ],
)
def test_only_what_is_alike_recent_and_another_ticket_is_a_repeat(past: PastContact, counts: bool) -> None:
    assert found(past) == (["T-1"] if counts else [])


def test_the_desk_says_how_far_back_and_how_alike() -> None:
    past = [contact("near", days=2, cosine=0.9), contact("far", days=20, cosine=0.9), contact("other", cosine=0.5)]
    assert found(*past) == ["near"]
    assert found(*past, rule=RepeatContact(days=30)) == ["near", "far"]
    assert found(*past, rule=RepeatContact(similarity=0.5)) == ["other", "near"]
    assert found(*past, rule=RepeatContact(similarity=0.95)) == []


def test_a_ticket_counts_once_by_its_newest_message_that_is_alike() -> None:
    past = [contact(days=3), contact(days=1), contact(days=0.5, cosine=0.1)]
    assert [repeat.at for repeat in repeats_of(None, ASKED, past, NOW, RULE)] == [NOW - timedelta(days=1)]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-2, 20), st.floats(-1, 1)), max_size=12), st.floats(-1, 1))
@settings(max_examples=100, deadline=None)
def test_a_stricter_rule_finds_no_further_repeat_and_order_does_not_matter(
    rows: list[tuple[int, float, float]], similarity: float
) -> None:
    past = [contact(f"T-{number}", days, cosine) for number, days, cosine in rows]
    wide, strict = RepeatContact(similarity=min(similarity, 0.6)), RepeatContact(similarity=max(similarity, 0.6))
    assert set(found(*past, rule=strict)) <= set(found(*past, rule=wide))
    assert set(found(*past, rule=RepeatContact(days=3))) <= set(found(*past))
    assert "T-2" not in found(*past, ticket_id="T-2", rule=wide)
    times = [repeat.at for repeat in repeats_of(None, ASKED, past, NOW, wide)]
    assert times == sorted(times, reverse=True)
    assert set(found(*reversed(past), rule=wide)) == set(found(*past, rule=wide))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="'T-1' has a time without a zone; give an aware datetime"):
        PastContact("T-1", datetime(2026, 11, 20))


@pytest.mark.parametrize("vector", [[2.0, 0.0], [0.0, 0.0], [float("nan"), 0.0], [[1.0, 0.0]]])
def test_a_vector_that_is_no_unit_vector_is_refused(vector: list[Any]) -> None:
    with pytest.raises(ValueError, match="'T-1' needs a vector of one axis and norm 1, or None"):
        PastContact("T-1", NOW, np.array(vector, dtype=np.float32))


def test_what_a_person_set_counts_and_the_tickets_own_values_win() -> None:
    history = InMemoryHistory()
    history.set_values("T-1", {"team": "books", "category": "vat", "queue": "x", "priority": "asap"})
    values = values_set(Ticket(id="T-1", body="x", set_fields={"team": "trust"}), history, TAXONOMY)
    assert values.values == {"team": "trust", "category": "vat"}
    assert values.settled["team"] == ("trust", SET_BY_PERSON, "a person set team to trust")
    assert values.known == {"team": "books", "category": "vat"}
    assert values.outdated == {"queue": "x", "priority": "asap"}
    for other in (Ticket(id="T-2", body="x"), Ticket(body="x")):
        assert values_set(other, history, TAXONOMY).values == {}
    history.forget("T-1")
    assert history.set_fields("T-1") == {}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"queue": "x"}, "set_fields.queue: unknown field 'queue'; use one of category, priority, team"),
        ({"team": "boks"}, "set_fields.team: unknown team 'boks'; use one of books, trust, or add it"),
    ],
)
def test_a_value_that_the_desk_does_not_have_is_refused(fields: dict[str, str], said: str) -> None:
    with pytest.raises(TicketError) as caught:
        values_set(Ticket(body="x", set_fields=fields), NoHistory(), TAXONOMY)
    assert str(caught.value).startswith(said)


def same(*known: PastContact, own: tuple[str, ...] = ()) -> list[tuple[str, bool]]:
    found = duplicates_of("T-9", ASKED, known, set(own), DuplicatePolicy())
    return [(one.ticket_id, one.same_requester) for one in found]


def test_duplicates_are_the_most_alike_first_whoever_wrote_them() -> None:
    known = [contact("T-1", cosine=0.76), contact("T-2", cosine=0.99), contact("T-3", cosine=0.74)]
    assert same(*known, own=("T-1",)) == [("T-2", False), ("T-1", True)]


def test_closed_tickets_the_ticket_itself_and_other_encoders_are_no_duplicates() -> None:
    closed = PastContact("T-1", NOW, alike(0.9), open=False)
    foreign = PastContact("T-2", NOW, np.array([1, 0], dtype=np.float32))
    assert same(closed, foreign, contact("T-9", cosine=0.99), contact("T-4", cosine=None)) == []


def test_a_duplicate_that_is_told_twice_counts_once() -> None:
    assert same(contact("T-1", cosine=0.9), contact("T-1", cosine=0.9)) == [("T-1", False)]


def test_open_tickets_of_everybody_in_the_span_are_known() -> None:
    history = InMemoryHistory()
    history.add(Requester(id="a"), contact("T-1", days=1))
    history.add(Requester(id="b"), contact("T-2", days=3))
    history.add(Requester(id="c"), PastContact("T-3", NOW, alike(0.9), open=False))
    open_tickets = history.open_tickets(NOW - timedelta(days=2), NOW)
    assert [one.ticket_id for one in open_tickets] == ["T-1"]
    assert NoHistory().open_tickets(NOW - WEEK, NOW) == ()
