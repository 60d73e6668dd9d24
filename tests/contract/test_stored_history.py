"""What a desk knows of its tickets: in memory and in both databases alike, then what only the stored history does."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

import numpy as np
import pytest
from postgres import fresh_database
from sqlalchemy import delete, update

from models.hashing_encoder import HashingEncoder
from models.protocols import FloatArray
from serve.storage import open_tickets, stored_history
from serve.storage.audit_log import AuditEntry, AuditLog
from serve.storage.database import Database
from serve.storage.stored_history import LOOK, LOOK_AT_ALL, StoredHistory
from serve.storage.tables import tickets
from serve.storage.ticket_life import Status
from serve.storage.ticket_rows import EncodedTicket
from serve.storage.ticket_store import TicketStore
from triage.drafting.policy import DuplicatePolicy
from triage.history import InMemoryHistory, PastContact, TicketHistory, duplicates_of
from triage.tickets import Requester, Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
ENCODER = HashingEncoder(3)
ASKED: FloatArray = np.array([1, 0, 0], dtype=np.float32)
JO, EVE = Requester(id="jo"), Requester(id="eve")


class Known(Protocol):
    """A history that can be told things."""

    @property
    def history(self) -> TicketHistory: ...
    def add(self, requester: Requester, contact: PastContact) -> None: ...
    def set_values(self, ticket_id: str, fields: Mapping[str, str]) -> None: ...
    def forget(self, ticket_id: str) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.history = InMemoryHistory()
        self.add, self.set_values, self.forget = self.history.add, self.history.set_values, self.history.forget


@dataclass
class Clock:
    """Two clocks that stand still until they are moved."""

    seconds: float = 100.0
    start: datetime = NOW + timedelta(days=1)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Stored:
    """A desk's history over the desk's tickets; each change is seen at the next look."""

    database: Database
    desk: str = "demo"
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.store = TicketStore(self.database)
        self.history = StoredHistory(self.database, self.desk, ENCODER, self.clock.now, self.clock)

    def add(self, requester: Requester, contact: PastContact, encoder: str = ENCODER.identity) -> None:
        self.put(Ticket(id=contact.ticket_id, body="x", requester=requester, created_at=contact.at), contact, encoder)

    def put(self, ticket: Ticket, contact: PastContact, encoder: str = ENCODER.identity) -> None:
        status: Status = "open" if contact.open else "solved"
        self.store.put(self.desk, ticket, EncodedTicket(encoder, contact.vector), self.clock.now(), status)
        self.clock.seconds += LOOK

    def set_values(self, ticket_id: str, fields: Mapping[str, str]) -> None:
        found = self.store.get(self.desk, ticket_id)
        ticket = found.ticket if found is not None else Ticket(id=ticket_id, body="x")
        told = ticket.model_copy(update={"set_fields": dict(fields)})
        self.store.put(self.desk, told, None, self.clock.now())

    def forget(self, ticket_id: str) -> None:
        self.erase(ticket_id, AuditEntry(self.desk, self.clock.now(), "cli", "requester.erase", "requester", {}))
        self.clock.seconds += LOOK

    def erase(self, ticket_id: str, *entries: AuditEntry) -> None:
        with self.database.writing() as connection:
            connection.execute(delete(tickets).where(tickets.c.desk == self.desk, tickets.c.id == ticket_id))
            for entry in entries:
                AuditLog.add(connection, entry)

    def close_ticket(self, ticket_id: str) -> None:
        """Close a ticket; the next look sees it."""
        found = self.store.get(self.desk, ticket_id)
        assert found is not None
        self.store.put(self.desk, found.ticket, None, self.clock.now(), "closed")
        self.clock.seconds += LOOK


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def stored(database: Database) -> Stored:
    return Stored(database)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def known(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Known]:
    with ExitStack() as stack:
        if request.param == "memory":
            yield InMemory()
            return
        url = f"sqlite:///{tmp_path / 'firstline.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres")))
        database = Database.open(url)
        stack.callback(database.close)
        yield Stored(database)


def alike(cosine: float) -> FloatArray:
    return np.array([cosine, (1 - cosine**2) ** 0.5, 0], dtype=np.float32)


def contact(name: str = "T-1", days: float = 1, cosine: float | None = 0.83, open: bool = True) -> PastContact:
    vector = None if cosine is None else alike(cosine)
    return PastContact(name, NOW - timedelta(days=days), vector, open=open)


def contacts(history: TicketHistory, requester: Requester) -> Sequence[PastContact]:
    return history.contacts(Ticket(body="x", requester=requester), NOW - WEEK, NOW)


def ids(history: TicketHistory, requester: Requester) -> list[str]:
    return sorted(past.ticket_id for past in contacts(history, requester))


def open_ids(history: TicketHistory, days: float = 7) -> list[str]:
    return sorted(past.ticket_id for past in history.open_tickets(NOW - timedelta(days=days), NOW))


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
        ({"id": "c-7"}, {"email": "jo@bun.example"}, False),
        ({"name": "Jo Bun"}, {"name": "Jo Bun"}, False),
        ({"id": " "}, {"id": " "}, False),
        ({"id": "jo@bun.example"}, {"email": "jo@bun.example"}, False),
        ({"id": "id:x"}, {"id": "id:x"}, True),
        ({}, {}, False),
    ],
)
def test_whose_ticket_it_is_is_the_same_everywhere(
    known: Known, one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    known.add(Requester(**one), contact())
    assert ids(known.history, Requester(**other)) == (["T-1"] if same else [])


def test_contacts_are_those_of_the_span_and_of_the_last_word(known: Known) -> None:
    for name, days in (("at_the_start", 7.0), ("at_the_end", 0.0), ("before", 7.001), ("after", -0.001)):
        known.add(JO, contact(name, days))
    assert ids(known.history, JO) == ["at_the_end", "at_the_start"]
    known.add(EVE, contact("at_the_end"))
    assert (ids(known.history, JO), ids(known.history, EVE)) == (["at_the_start"], ["at_the_end"])
    known.forget("at_the_start")
    known.forget("never_there")
    assert ids(known.history, JO) == []


def test_a_contact_says_what_is_known_of_it(known: Known) -> None:
    for one in (contact("T-1"), contact("T-2", cosine=None), contact("T-3", open=False)):
        known.add(JO, one)
    found = {past.ticket_id: past for past in contacts(known.history, JO)}
    assert [found[name].open for name in ("T-1", "T-2", "T-3")] == [True, True, False]
    vector = found["T-1"].vector
    assert vector is not None
    assert vector.tolist() == alike(0.83).tolist()
    assert found["T-2"].vector is None
    assert found["T-1"].at == NOW - timedelta(days=1)


def test_a_requester_whom_nothing_tells_apart_has_no_contacts(known: Known) -> None:
    known.add(JO, contact())
    known.add(Requester(name="Jo"), contact())
    assert ids(known.history, JO) == []


def test_what_a_person_set_is_known_until_it_is_forgotten(known: Known) -> None:
    known.add(JO, contact())
    assert known.history.set_fields("T-1") == {}
    known.set_values("T-1", {"team": "books", "queue": "x"})
    known.set_values("T-1", {"team": "trust"})
    assert known.history.set_fields("T-1") == {"team": "trust"}
    assert known.history.set_fields("T-2") == {}
    known.forget("T-1")
    assert known.history.set_fields("T-1") == {}


def test_open_tickets_are_those_of_everybody_in_the_span(known: Known) -> None:
    assert open_ids(known.history) == []
    known.add(Requester(id="a"), contact("T-1", days=1))
    known.add(Requester(id="b"), contact("T-2", days=3))
    known.add(Requester(id="c"), contact("T-3", open=False))
    assert open_ids(known.history, days=2) == ["T-1"]
    assert open_ids(known.history) == ["T-1", "T-2"]
    assert open_ids(known.history, days=3) == ["T-1", "T-2"]
    known.add(Requester(id="b"), contact("T-2", days=3, open=False))
    known.add(Requester(id="c"), contact("T-3"))
    assert open_ids(known.history) == ["T-1", "T-3"]
    known.forget("T-1")
    known.forget("never_there")
    assert open_ids(known.history) == ["T-3"]


def test_desks_and_encoders_are_kept_apart(stored: Stored) -> None:
    other = Stored(stored.database, "acme", stored.clock)
    other.add(JO, contact("T-1"))
    other.set_values("T-1", {"team": "x"})
    stored.add(JO, contact("T-2"), encoder="hashing:4")
    stored.add(JO, contact("T-3", cosine=None))
    assert (ids(stored.history, JO), ids(other.history, JO)) == (["T-2", "T-3"], ["T-1"])
    assert [past.vector for past in contacts(stored.history, JO)] == [None, None]
    assert (open_ids(stored.history), open_ids(other.history)) == ([], ["T-1"])
    assert stored.history.set_fields("T-1") == {}
    stored.add(JO, contact("T-2", days=2))
    assert open_ids(stored.history) == ["T-2"]


def test_contacts_are_bounded_and_the_newest(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = {key: query.limit(2) for key, query in stored_history.CONTACTS.items()}  # type: ignore[attr-defined]
    monkeypatch.setattr(stored_history, "CONTACTS", bounded)
    for number in range(4):
        stored.add(JO, contact(f"T-{number}", days=4 - number))
    assert ids(stored.history, JO) == ["T-2", "T-3"]
    assert stored_history.MAX_CONTACTS == 500


def test_an_address_that_no_index_could_hold_is_nobodys(stored: Stored) -> None:
    endless = Requester(email="ﷺ" * 900 + "@x.example")
    stored.add(endless, contact())
    assert ids(stored.history, endless) == []
    assert open_ids(stored.history) == ["T-1"]


def test_changes_show_at_the_next_look_and_not_before(stored: Stored) -> None:
    stored.add(JO, contact("T-1"))
    assert open_ids(stored.history) == ["T-1"]
    stored.add(JO, contact("T-2"))
    stored.clock.seconds -= LOOK / 2
    assert open_ids(stored.history) == ["T-1"]
    stored.history.refresh()
    assert open_ids(stored.history) == ["T-1", "T-2"]
    stored.close_ticket("T-1")
    assert open_ids(stored.history) == ["T-1", "T-2"]  # who refreshes saves others a look for twice the time
    stored.clock.seconds += LOOK
    assert open_ids(stored.history) == ["T-2"]


def test_an_erased_row_is_gone_with_the_next_look_everywhere(stored: Stored) -> None:
    elsewhere = StoredHistory(stored.database, "demo", ENCODER, stored.clock.now, stored.clock)
    for number in range(1, 4):
        stored.add(JO, contact(f"T-{number}"))
    assert open_ids(stored.history) == open_ids(elsewhere) == ["T-1", "T-2", "T-3"]
    for number in (1, 2):
        stored.forget(f"T-{number}")
        assert open_ids(stored.history) == open_ids(elsewhere) == [f"T-{left}" for left in range(number + 1, 4)]


def test_a_row_that_is_gone_without_a_word_is_seen_within_a_minute(stored: Stored) -> None:
    stored.add(JO, contact("T-1"))
    stored.add(JO, contact("T-2"))
    assert open_ids(stored.history) == ["T-1", "T-2"]
    stored.erase("T-1")
    assert ids(stored.history, JO) == ["T-2"]
    stored.clock.seconds += LOOK_AT_ALL
    assert open_ids(stored.history) == ["T-2"]


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_writer_with_another_clock_is_seen_within_a_minute(stored: Stored, minutes: int) -> None:
    other = Stored(stored.database, clock=Clock(start=stored.clock.start + timedelta(minutes=minutes)))
    other.add(JO, contact("T-1"))
    stored.add(JO, contact("T-2"))
    assert open_ids(stored.history) == ["T-1", "T-2"]
    other.add(JO, contact("T-3"))
    stored.add(JO, contact("T-4"))
    assert "T-4" in open_ids(stored.history)
    if minutes > 0:
        assert open_ids(stored.history) == ["T-1", "T-2", "T-3", "T-4"]
    stored.clock.seconds += LOOK_AT_ALL
    assert open_ids(stored.history) == ["T-1", "T-2", "T-3", "T-4"]


def test_a_reader_whose_clock_is_ahead_of_all_others_sees_changes_at_the_next_look(stored: Stored) -> None:
    ahead = Clock(start=stored.clock.start + timedelta(minutes=10))
    elsewhere = StoredHistory(stored.database, "demo", ENCODER, ahead.now, stored.clock)
    for number in range(3):
        stored.add(JO, contact(f"T-{number}"))
        assert open_ids(elsewhere) == [f"T-{one}" for one in range(number + 1)]


def test_a_row_that_is_committed_late_is_seen(stored: Stored) -> None:
    """Its time is that of the request, which waited before it was written."""
    stored.add(JO, contact("T-1"))
    assert open_ids(stored.history) == ["T-1"]
    late = stored.clock.now() - timedelta(seconds=9)
    stored.store.put("demo", Ticket(id="T-2", body="x"), EncodedTicket(ENCODER.identity, ASKED), late)
    with stored.database.writing() as connection:
        connection.execute(update(tickets).where(tickets.c.id == "T-2").values(wrote_at=NOW))
    stored.clock.seconds += LOOK
    assert open_ids(stored.history) == ["T-1", "T-2"]


def test_the_newest_are_kept_where_there_are_too_many(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_history, "MAX_OPEN", 4)
    monkeypatch.setattr(open_tickets, "MAX_RECENT", 2)
    for number in range(8):
        stored.add(JO, contact(f"T-{number}", days=7 - number / 2))
    assert open_ids(stored.history) == ["T-4", "T-5", "T-6", "T-7"]
    for number in range(8, 12):
        stored.add(JO, contact(f"T-{number}", days=0.1))
        found = open_ids(stored.history)
        assert f"T-{number}" in found
        assert len(found) <= 6
    stored.close_ticket("T-11")
    stored.clock.seconds += LOOK_AT_ALL
    assert open_ids(stored.history)[-3:] == ["T-7", "T-8", "T-9"]


def test_many_changes_leave_what_a_fresh_look_finds(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_tickets, "MAX_RECENT", 3)
    random = np.random.default_rng(7)
    for step in range(60):
        name, days, cosine = f"T-{random.integers(12)}", float(random.uniform(0, 7)), float(random.uniform(-1, 1))
        stored.put(Ticket(id=name, body=f"{step}", created_at=NOW - timedelta(days=days)), contact(name, days, cosine))
        if random.random() < 0.4:
            stored.close_ticket(name)
        if random.random() < 0.2:
            stored.forget(f"T-{random.integers(12)}")
        fresh = StoredHistory(stored.database, "demo", ENCODER, stored.clock.now, stored.clock)
        assert told(stored.history) == told(fresh), step


def told(history: StoredHistory) -> set[tuple[object, ...]]:
    found = history.open_tickets(NOW - WEEK, NOW)
    vectors = {one.ticket_id: one.vector for one in found if one.vector is not None}
    return {(one.ticket_id, one.at, *vectors[one.ticket_id].tolist()) for one in found}


def test_only_what_may_be_alike_is_told_where_that_is_asked(stored: Stored) -> None:
    for number, cosine in enumerate([0.2, 0.74, 0.7499, 0.75, 0.9, 1.0, -1.0]):
        stored.add(JO, contact(f"T-{number}", cosine=cosine))
    span = NOW - WEEK, NOW
    rule = DuplicatePolicy(similarity=0.75)
    every = duplicates_of(None, ASKED, stored.history.open_tickets(*span), set(), rule)
    like = stored.history.open_tickets(*span, ASKED, rule.similarity)
    assert duplicates_of(None, ASKED, like, set(), rule) == every
    assert [one.ticket_id for one in every] == ["T-5", "T-4", "T-3"]
    assert "T-0" not in [one.ticket_id for one in like]
    assert stored.history.open_tickets(*span, np.array([1, 0], dtype=np.float32), 0.5) == []
    assert stored.history.open_tickets(NOW, NOW, ASKED, 0.5) == []


def test_of_very_many_that_are_alike_the_most_alike_are_told(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_tickets, "MAX_ALIKE", 3)
    monkeypatch.setattr(open_tickets, "MAX_RECENT", 4)
    for number, cosine in enumerate([0.8, 0.99, 0.9, 0.85, 0.95, 0.97, 0.81]):
        stored.add(JO, contact(f"T-{number}", cosine=cosine))
        stored.history.refresh()
    found = stored.history.open_tickets(NOW - WEEK, NOW, ASKED, 0.75)
    assert sorted(one.ticket_id for one in found) == ["T-1", "T-4", "T-5"]


def test_threads_read_while_one_looks(stored: Stored) -> None:
    stored.add(JO, contact("T-0"))
    stopping, wrong = Event(), list[BaseException]()

    def read() -> None:
        try:
            while not stopping.is_set():
                names = open_ids(stored.history)
                assert "T-0" in names
                assert names == sorted(set(names))
        except BaseException as error:
            wrong.append(error)

    threads = [Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 30):
        stored.add(JO, contact(f"T-{number}", open=number % 2 == 0))
    stopping.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    stored.clock.seconds += LOOK  # one of them may have looked just before the last was written
    assert open_ids(stored.history) == sorted(f"T-{number}" for number in range(0, 30, 2))
