"""The life of a ticket in the database, on SQLite and on a real PostgreSQL alike."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier

import numpy as np
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from models.protocols import FloatArray
from serve.errors import InvalidRequest, PreconditionFailed
from serve.storage.database import Database
from serve.storage.suggestion_store import StoredSuggestion
from serve.storage.tables import messages, tickets
from serve.storage.ticket_life import MAX_MESSAGES, StoredTicket, wrote_at
from serve.storage.ticket_rows import EncodedTicket
from serve.storage.ticket_store import TicketFilter, TicketStore
from triage.suggestions import Prediction, Suggestion, Versions
from triage.tickets import Message, Requester, Ticket

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
VECTOR: FloatArray = np.array([0.6, 0.8], dtype=np.float32)
ALL = TicketFilter()
ENCODED = EncodedTicket("hashing:2", VECTOR)
ASKED = Ticket(id="T-1", subject="Codes", body="Where are they?", requester=Requester(id="c-7", email="Jo@Bun.example"))
QUESTION, NOTE, ANSWER, THANKS = (
    Message(author="customer", text="Anybody there?"),
    Message(author="agent", text="Looks odd.", public=False),
    Message(author="agent", text="In the app.", created_at=NOON + HOUR),
    Message(author="customer", text="Thanks, but where?"),
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> TicketStore:
    return TicketStore(database)


def with_messages(*thread: Message) -> Ticket:
    return ASKED.model_copy(update={"messages": thread})


def put(store: TicketStore, ticket: Ticket = ASKED, hours: float = 0, desk: str = "demo") -> StoredTicket:
    return store.put(desk, ticket, ENCODED, NOON + hours * HOUR)


def kept(store: TicketStore, id: str = "T-1", desk: str = "demo") -> StoredTicket:
    found = store.get(desk, id)
    assert found is not None
    return found


def added(store: TicketStore, message: Message, hours: float, id: str = "T-1") -> StoredTicket:
    found = store.add_message("demo", id, message, NOON + hours * HOUR)
    assert found is not None
    return found


def test_a_ticket_lives_from_its_first_word_to_its_solution_and_back(store: TicketStore) -> None:
    first = put(store)
    assert (first.status, first.version, first.first_reply_at, first.resolved_at) == ("open", 1, None, None)
    assert added(store, NOTE, 0.5).first_reply_at is None
    answered = added(store, ANSWER, 2)
    assert (answered.first_reply_at, answered.version) == (NOON + HOUR, 3)
    pending = store.put("demo", ASKED, ENCODED, NOON + 3 * HOUR, status="pending")
    assert (pending.status, pending.ticket.messages, pending.resolved_at) == ("pending", (NOTE, ANSWER), None)
    solved = store.put("demo", ASKED, ENCODED, NOON + 4 * HOUR, status="solved")
    closed = store.put("demo", ASKED, ENCODED, NOON + 5 * HOUR, status="closed")
    assert (solved.resolved_at, closed.resolved_at) == (NOON + 4 * HOUR, NOON + 4 * HOUR)
    reopened = added(store, THANKS, 6)
    assert (reopened.status, reopened.resolved_at, reopened.version) == ("open", None, 7)
    assert (reopened.created_at, reopened.updated_at) == (NOON, NOON + 6 * HOUR)
    assert reopened.first_reply_at == NOON + HOUR
    assert kept(store) == reopened


def test_what_an_agent_or_a_bot_writes_reopens_nothing(store: TicketStore) -> None:
    store.put("demo", ASKED, ENCODED, NOON, status="solved")
    for author in ("agent", "bot", "system"):
        assert added(store, Message(author=author, text="x"), 1).status == "solved"
    assert added(store, QUESTION, 2).status == "open"


@pytest.mark.parametrize("status", ["pending", "solved", "closed"])
def test_a_thread_with_a_new_word_of_the_customer_reopens_unless_a_status_is_told(
    store: TicketStore, status: str
) -> None:
    store.put("demo", with_messages(ANSWER), ENCODED, NOON, status=status)  # type: ignore[arg-type]
    assert put(store, with_messages(ANSWER), 1).status == status
    assert put(store, with_messages(ANSWER, THANKS), 2).status == "open"
    store.put("demo", ASKED, ENCODED, NOON, status="closed")
    told = store.put("demo", with_messages(ANSWER, THANKS, THANKS), ENCODED, NOON, status="closed")
    assert told.status == "closed"


def test_the_same_word_a_hundred_times_is_one_version_and_one_row(store: TicketStore, database: Database) -> None:
    ticket = with_messages(QUESTION, ANSWER).model_copy(update={"attributes": {"b": 1, "a": None}})
    made = {put(store, ticket, hours).version for hours in range(100)}
    assert made == {1}
    assert kept(store).updated_at == NOON
    assert put(store, ticket.model_copy(update={"attributes": {"a": None, "b": 1}})).version == 1
    assert put(store, ticket.model_copy(update={"attributes": {"b": True, "a": None}})).version == 2
    with database.reading() as connection:
        assert len(connection.execute(select(tickets)).all()) == 1
        assert [row.number for row in connection.execute(select(messages))] == [2, 3]


def test_what_is_sent_replaces_and_what_is_not_sent_stays(store: TicketStore) -> None:
    full = Ticket(id="T-1", subject="a", tags=("x",), messages=(QUESTION, ANSWER), set_fields={"team": "books"})
    put(store, full)
    assert kept(store).ticket == full.model_copy(update={"set_fields": {}})
    assert kept(store).set_fields == {"team": "books"}
    put(store, Ticket(id="T-1", body="b"))
    after = kept(store)
    assert (after.ticket.subject, after.ticket.body, after.ticket.tags) == (None, "b", ())
    assert (after.ticket.messages, after.set_fields) == ((QUESTION, ANSWER), {"team": "books"})
    put(store, Ticket(id="T-1", body="b", messages=(ANSWER,), set_fields={"category": "vat"}))
    after = kept(store)
    assert (after.ticket.messages, after.set_fields) == ((ANSWER,), {"category": "vat"})
    put(store, Ticket(id="T-1", body="b", messages=(), set_fields={}))
    after = kept(store)
    assert (after.ticket.messages, after.set_fields, after.first_reply_at) == ((), {}, None)


@pytest.mark.parametrize(
    "thread", [(), (QUESTION,), (ANSWER, QUESTION), (QUESTION, NOTE, THANKS), (QUESTION, NOTE, ANSWER, THANKS)]
)
def test_a_thread_is_replaced_whatever_it_was(store: TicketStore, thread: tuple[Message, ...]) -> None:
    put(store, with_messages(QUESTION, NOTE, ANSWER))
    put(store, with_messages(*thread))
    assert kept(store).ticket.messages == thread


def test_values_that_a_person_set_stand_beside_those_set_before(store: TicketStore) -> None:
    put(store, ASKED.model_copy(update={"set_fields": {"team": "books"}}))
    put(store, Ticket(id="T-1", body="x", set_fields={"team": "books", "priority": "high"}))
    after = store.set_values("demo", "T-1", {"team": "trust", "kind": "request"}, NOON + HOUR)
    assert after is not None
    assert after.set_fields == {"team": "trust", "priority": "high", "kind": "request"}
    assert (after.version, after.updated_at) == (3, NOON + HOUR)
    again = store.set_values("demo", "T-1", {"team": "trust"}, NOON + 2 * HOUR)
    assert again == after == kept(store)
    assert store.set_values("demo", "T-2", {"team": "trust"}) is None


def test_nobody_writes_over_what_they_have_not_seen(store: TicketStore) -> None:
    store.put("demo", ASKED, ENCODED, NOON, if_version=0)
    with pytest.raises(PreconditionFailed, match="known \\(version 1\\); leave out If-None-Match"):
        store.put("demo", ASKED, ENCODED, NOON, if_version=0)
    store.put("demo", with_messages(ANSWER), ENCODED, NOON, if_version=1)
    with pytest.raises(PreconditionFailed, match="at version 2, not 1; read it again"):
        store.put("demo", with_messages(QUESTION), ENCODED, NOON, if_version=1)
    with pytest.raises(PreconditionFailed, match="not known; leave out If-Match"):
        store.put("demo", Ticket(id="T-2", body="x"), ENCODED, NOON, if_version=1)
    assert kept(store).ticket.messages == (ANSWER,)


def test_a_message_for_a_ticket_that_is_not_known_is_not_kept(store: TicketStore, database: Database) -> None:
    assert store.add_message("demo", "T-1", QUESTION, NOON) is None
    with database.reading() as connection:
        assert connection.execute(select(messages)).all() == []


def test_a_ticket_that_is_full_takes_no_further_message(store: TicketStore) -> None:
    put(store, with_messages(*(QUESTION,) * MAX_MESSAGES))
    with pytest.raises(InvalidRequest, match="holds 500 already"):
        store.add_message("demo", "T-1", QUESTION, NOON)
    assert (len(kept(store).ticket.messages), kept(store).version) == (MAX_MESSAGES, 1)


def at_once(jobs: int, work: Callable[[int], object]) -> None:
    """Do as many jobs at the same moment as one can."""
    ready = Barrier(jobs)

    def job(number: int) -> object:
        ready.wait()
        return work(number)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(job, range(jobs)))


def test_messages_that_come_at_once_all_have_their_own_number(store: TicketStore, database: Database) -> None:
    put(store)

    def write(thread: int) -> None:
        for number in range(4):
            added(store, Message(author="customer", text=f"{thread}/{number}"), 1)

    at_once(8, write)
    with database.reading() as connection:
        rows = connection.execute(select(messages).order_by(messages.c.number)).all()
    assert [row.number for row in rows] == list(range(2, 34))
    assert {row.text for row in rows} == {f"{thread}/{number}" for thread in range(8) for number in range(4)}
    assert kept(store).version == 33
    for thread in range(8):
        assert [row.text for row in rows if row.text.startswith(f"{thread}/")] == [f"{thread}/{n}" for n in range(4)]


def test_a_ticket_that_is_told_by_many_at_once_is_made_once(store: TicketStore, database: Database) -> None:
    at_once(8, lambda number: put(store, with_messages(*(QUESTION,) * number)))
    stored = kept(store)
    with database.reading() as connection:
        numbers = [row.number for row in connection.execute(select(messages).order_by(messages.c.number))]
    assert numbers == list(range(2, 2 + len(stored.ticket.messages)))
    assert stored.version == 8


def test_of_two_that_know_the_same_version_one_is_told_so(store: TicketStore) -> None:
    put(store)
    refused = []

    def write(number: int) -> None:
        try:
            store.put("demo", Ticket(id="T-1", body=f"by {number}"), ENCODED, NOON, if_version=1)
        except PreconditionFailed:
            refused.append(number)

    at_once(4, write)
    assert len(refused) == 3
    assert kept(store).version == 2


def test_two_desks_never_mix(store: TicketStore) -> None:
    other = Ticket(id="T-1", body="elsewhere", messages=(NOTE,), set_fields={"team": "x"})
    put(store)
    put(store, other, desk="acme")
    put(store, Ticket(id="T-2", body="only here"), desk="acme")
    store.add_message("demo", "T-1", QUESTION, NOON)
    store.set_values("acme", "T-1", {"team": "y"})
    assert (kept(store).ticket.messages, kept(store).set_fields) == ((QUESTION,), {})
    assert kept(store, desk="acme").ticket == other.model_copy(update={"set_fields": {}})
    assert kept(store, desk="acme").set_fields == {"team": "y"}
    assert store.get("demo", "T-2") is None
    assert store.add_message("demo", "T-2", QUESTION, NOON) is None
    assert [one.id for one in listed(store)] == ["T-1"]
    assert listed(store)[0].ticket.messages == (QUESTION,)
    assert sorted(one.id for one in listed(store, desk="acme")) == ["T-1", "T-2"]


def listed(
    store: TicketStore,
    wanted: TicketFilter = ALL,
    desk: str = "demo",
) -> tuple[StoredTicket, ...]:
    found, more = store.list(desk, wanted, 100)
    assert not more
    return found


def test_tickets_are_listed_by_status_requester_and_time(store: TicketStore) -> None:
    for number, (who, status) in enumerate([("a", "open"), ("b", "solved"), ("a", "solved"), (None, "open")]):
        ticket = Ticket(id=f"T-{number}", body="x", requester=Requester(id=who))
        store.put("demo", ticket, ENCODED, NOON + number * HOUR, status=status)  # type: ignore[arg-type]

    def ids(**wanted: object) -> list[str]:
        return [one.id for one in listed(store, TicketFilter(**wanted))]  # type: ignore[arg-type]

    assert ids() == ["T-3", "T-2", "T-1", "T-0"]
    assert ids(status="solved") == ["T-2", "T-1"]
    assert ids(requester_id="a") == ["T-2", "T-0"]
    assert ids(requester_id="a", status="open") == ["T-0"]
    assert ids(updated_since=(NOON + 2 * HOUR).astimezone(timezone(timedelta(hours=9)))) == ["T-3", "T-2"]
    assert ids(requester_id="x") == []


def pages(store: TicketStore, size: int) -> Iterator[tuple[StoredTicket, ...]]:
    behind, more = None, True
    while more:
        found, more = store.list("demo", ALL, size, behind)
        yield found
        behind = (found[-1].updated_at, found[-1].id) if found else None


def test_a_walk_finds_every_ticket_once_those_of_one_moment_too(store: TicketStore) -> None:
    for number in range(10):
        put(store, Ticket(id=f"T-{number}", body="x"), hours=number // 4)
    found = [one.id for page in pages(store, 3) for one in page]
    assert sorted(found) == sorted(f"T-{number}" for number in range(10))
    assert len(found) == 10


def test_a_walk_finds_every_row_once_while_rows_change(store: TicketStore) -> None:
    """What changes before its turn is at the front by then: it is found by when the walk began."""
    for number in range(12):
        put(store, Ticket(id=f"T-{number:02}", body="x"), hours=number)
    walked: list[str] = []
    for number, page in enumerate(pages(store, 3)):
        if number == 0:
            since = page[0].updated_at
        walked += [one.id for one in page]
        # One that was seen changes, one that is still to come, and there is a new one.
        for id in (walked[0], "T-00", f"N-{number}"):
            put(store, Ticket(id=id, body=f"changed {number}"), hours=20 + number)
    assert len(walked) == len(set(walked))
    assert set(walked) == {f"T-{number:02}" for number in range(1, 12)}
    later = {one.id for one in listed(store, TicketFilter(updated_since=since))}
    assert later >= {"T-00", "T-11", "N-0", "N-1", "N-2", "N-3"}


def test_a_clock_that_is_off_does_no_harm(store: TicketStore) -> None:
    ten = timedelta(minutes=10)
    ahead = ASKED.model_copy(update={"created_at": NOON + ten})
    reply = Message(author="agent", text="x", created_at=NOON + ten)
    stored = store.put("demo", ahead.model_copy(update={"messages": (reply,)}), ENCODED, NOON)
    assert (stored.wrote_at, stored.first_reply_at) == (NOON, NOON)
    late = store.put("demo", ASKED, ENCODED, NOON - ten)
    assert (late.version, late.updated_at, late.created_at) == (2, NOON, NOON)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (NOON - HOUR, NOON - HOUR),
        (NOON, NOON),
        (NOON + HOUR, NOON),
        (None, NOON),
        (datetime(1, 1, 1, tzinfo=UTC), NOON),
    ],
)
def test_when_a_customer_wrote_is_what_the_ticket_says_unless_it_cannot_be(
    said: datetime | None, expected: datetime
) -> None:
    ticket = Ticket(body="x", created_at=said)
    assert wrote_at(ticket, NOON) == expected
    assert wrote_at(ticket, NOON, NOON - 2 * HOUR) == (expected if expected == said else NOON - 2 * HOUR)


def test_times_that_no_calendar_holds_are_no_times(store: TicketStore) -> None:
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    odd = [datetime(1, 1, 1, tzinfo=east), YEAR_ONE, datetime(9999, 12, 31, 23, tzinfo=west)]
    thread = [Message(author="agent", text="x", created_at=at) for at in odd]
    ticket = ASKED.model_copy(update={"messages": tuple(thread), "created_at": odd[0]})
    stored = put(store, ticket)
    assert [message.created_at for message in kept(store).ticket.messages] == [None] * 3
    assert stored.first_reply_at == NOON
    assert put(store, ticket).version == 1
    assert added(store, thread[0], 1).ticket.messages[-1].created_at is None


@pytest.mark.parametrize(
    "id", ["a", "ü" * 128, "🧾" * 128, "a b?c#d%e&f", "../x", "'; DROP TABLE tickets; --", "مرحبا", "\u202eevil", "T:1"]
)
def test_any_id_names_its_own_ticket(store: TicketStore, id: str) -> None:
    put(store, Ticket(id=id, body="x", requester=Requester(id=id, email=id * 7)))
    added(store, QUESTION, 1, id)
    assert kept(store, id).ticket.messages == (QUESTION,)
    assert [one.id for one in listed(store)] == [id]


def suggestion(id: str, category: str | None, ticket: Ticket, vectors: FloatArray | None = None) -> StoredSuggestion:
    versions = Versions(
        engine="1", encoder="hashing:2", generation="000001", knowledge_revision=1, policy="p", taxonomy="t"
    )
    alone = Prediction(value=category, confidence=0.9, decided=category is not None)
    made = Suggestion(
        id=id,
        ticket_id=ticket.id,
        kind="request",
        kind_evidence="x",
        language="en",
        fields={"category": alone},
        due=None,
        disposition="open",
        versions=versions,
        timing_ms={},
    )
    return StoredSuggestion(ticket, made, NOON, "suggest", VECTOR[None] if vectors is None else vectors)


def record(database: Database, store: TicketStore, made: StoredSuggestion) -> StoredTicket:
    with database.writing() as connection:
        return store.record(connection, "demo", made)


def row_of(database: Database) -> tuple[str | None, bytes | None]:
    with database.reading() as connection:
        row = connection.execute(select(tickets)).one()
    return row.encoder, row.vector


def test_a_suggestion_makes_its_ticket_known_and_is_linked(store: TicketStore, database: Database) -> None:
    first = record(database, store, suggestion("s1", "vat", ASKED))
    assert first.last_word is not None
    assert (first.last_word.suggestion_id, first.last_word.category) == ("s1", "vat")
    assert (first.version, first.status) == (1, "open")
    assert row_of(database) == ("hashing:2", VECTOR.tobytes())
    second = record(database, store, suggestion("s2", None, ASKED))
    assert second.last_word is not None
    assert (second.last_word.suggestion_id, second.last_word.category, second.version) == ("s2", None, 1)
    assert kept(store) == second


def test_a_suggestion_takes_no_message_and_no_set_value_from_a_ticket(store: TicketStore, database: Database) -> None:
    store.put(
        "demo", with_messages(QUESTION, ANSWER).model_copy(update={"set_fields": {"team": "x"}}), ENCODED, NOON,
        status="solved",
    )  # fmt: skip
    store.set_values("demo", "T-1", {"team": "y"})
    turned = VECTOR[None, ::-1]
    after = record(database, store, suggestion("s1", "vat", with_messages(QUESTION), turned))
    assert (after.ticket.messages, after.set_fields, after.status) == ((QUESTION, ANSWER), {"team": "y"}, "solved")
    assert row_of(database) == ("hashing:2", VECTOR.tobytes())  # that of all the words that are known
    more = with_messages(QUESTION, ANSWER, THANKS).model_copy(update={"set_fields": {"team": "z"}})
    after = record(database, store, suggestion("s2", "vat", more, turned))
    assert (after.ticket.messages, after.set_fields, after.status) == (more.messages, {"team": "z"}, "open")
    assert row_of(database) == ("hashing:2", turned[0].tobytes())


def test_suggestions_that_come_at_once_make_one_ticket(store: TicketStore, database: Database) -> None:
    at_once(6, lambda number: record(database, store, suggestion(f"s{number}", "vat", with_messages(QUESTION))))
    assert (kept(store).version, kept(store).ticket.messages) == (1, (QUESTION,))


def test_a_suggestion_that_is_not_stored_leaves_no_ticket(store: TicketStore, database: Database) -> None:
    with pytest.raises(DBAPIError), database.writing() as connection:  # noqa: PT012 - it is the second that fails
        store.record(connection, "demo", suggestion("s1", "vat", ASKED))
        connection.execute(text("SELECT nothing"))
    assert store.get("demo", "T-1") is None


def test_a_vector_is_that_of_the_newest_encoder(store: TicketStore, database: Database) -> None:
    put(store)
    other = EncodedTicket("other:2", np.array([0, 1], dtype=np.float32))
    assert store.put("demo", ASKED, other, NOON + HOUR).version == 1
    assert row_of(database)[0] == "other:2"
    store.put("demo", ASKED, EncodedTicket("other:2", None), NOON)
    assert row_of(database)[1] is not None
    store.put("demo", Ticket(id="T-1", body=" "), EncodedTicket("other:2", None), NOON)
    assert row_of(database) == ("other:2", None)


def test_the_store_reads_what_other_code_wrote(store: TicketStore, database: Database) -> None:
    put(store)
    with database.writing() as connection:
        connection.execute(update(tickets).values(ticket='{"body": "b", "tags": ["x"]}', set_fields='{"team": "x"}'))
    stored = kept(store)
    assert (stored.ticket.body, stored.ticket.tags, stored.set_fields) == ("b", ("x",), {"team": "x"})
