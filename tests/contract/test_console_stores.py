"""What the console reads and keeps, on SQLite and on PostgreSQL: sessions, the queue, what is counted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from serve.security.keys import KeyStore, id_of, new_key
from serve.security.sessions import LASTS, SessionStore
from serve.storage.database import Database
from serve.storage.feedback_store import Feedback, FeedbackFilter, FeedbackStore
from serve.storage.insight_store import InsightStore
from serve.storage.queue_store import QueueFilter, QueueStore
from serve.storage.suggestion_store import StoredSuggestion, SuggestionStore
from serve.storage.ticket_store import TicketStore
from triage.suggestions import Due, Handoff, HandoffReason, Prediction, Suggestion, Versions
from triage.tickets import Message, Requester, Ticket

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
VERSIONS = Versions(
    engine="1", encoder="e", generation="000001", knowledge_revision=1, policy="sha256:0", taxonomy="sha256:0"
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database.open(database_url)
    yield database
    database.close()


def hours(count: float) -> datetime:
    return NOON + timedelta(hours=count)


def predicted(value: str) -> Prediction:
    return Prediction(value=value, confidence=0.9, decided=True)


def store(
    database: Database, number: int, due: float | None = None, category: str = "vat", **more: object
) -> StoredSuggestion:
    id = f"T-{number:02d}"
    said = Suggestion(
        id=f"s-{number:02d}",
        ticket_id=id,
        kind="request",
        kind_evidence="nothing says otherwise",
        language="en",
        fields={"category": predicted(category), "priority": predicted("high"), "team": predicted("books")},
        due=None if due is None else Due(respond_by=hours(due), resolve_by=hours(due + 10)),
        disposition="draft",
        versions=VERSIONS,
        timing_ms={},
    ).model_copy(update=more)
    ticket = Ticket(id=id, subject=f"Question {number}", body="100% of _it_", requester=Requester(email="jo@a.example"))
    made = StoredSuggestion(ticket, said, hours(number / 10), vectors=np.eye(1, 4, dtype=np.float32))
    SuggestionStore(database, TicketStore(database)).add("demo", made)
    return made


ALL_OPEN = QueueFilter()


def ids(database: Database, wanted: QueueFilter = ALL_OPEN, desk: str = "demo") -> list[str]:
    """All pages of two, put together."""
    found: list[str] = []
    behind = None
    while True:
        page = QueueStore(database).page(desk, wanted, NOON, 2, behind)
        found += [row.ticket.id for row in page.rows]
        behind = page.next
        if behind is None:
            return found


def test_the_queue_is_sorted_page_by_page(database: Database) -> None:
    for number, due in ((1, 5), (2, 1), (3, None), (4, 1), (5, -2)):
        store(database, number, due)
    assert ids(database) == ["T-05", "T-02", "T-04", "T-01", "T-03"]
    assert ids(database, QueueFilter(order="newest")) == ["T-05", "T-04", "T-03", "T-02", "T-01"]
    assert ids(database, QueueFilter(order="oldest")) == ["T-01", "T-02", "T-03", "T-04", "T-05"]
    assert ids(database, desk="other") == []


def test_the_queue_is_filtered_by_what_holds_now(database: Database) -> None:
    tickets = TicketStore(database)
    for number, due in ((1, 5), (2, -1), (3, 3)):
        store(database, number, due, category="vat" if number < 3 else "stock")
    tickets.put("demo", Ticket(id="T-09", body="unread"), None, NOON)
    assert ids(database, QueueFilter(category="vat")) == ["T-02", "T-01"]
    tickets.set_values("demo", "T-01", {"category": "stock"})
    assert ids(database, QueueFilter(category="vat")) == ["T-02"]
    assert ids(database, QueueFilter(category="stock", priority="high", team="books")) == ["T-03", "T-01"]
    assert ids(database, QueueFilter(late=True)) == ["T-02"]
    assert ids(database, QueueFilter(disposition="unread")) == ["T-09"]
    assert ids(database, QueueFilter(disposition="draft")) == ["T-02", "T-03", "T-01"]
    tickets.set_status("demo", "T-02", "pending", NOON)
    assert ids(database, QueueFilter(status="pending")) == ["T-02"]
    assert ids(database, QueueFilter(status="waiting")) == ["T-02", "T-03", "T-01", "T-09"]
    tickets.set_status("demo", "T-02", "solved", NOON)
    assert ids(database, QueueFilter(status="all", order="oldest"))[-1] == "T-03"
    assert QueueStore(database).counts("demo", NOON) == {"draft": 2, "unread": 1, "all": 3, "late": 0}


@pytest.mark.parametrize(
    ("words", "found"),
    [("question", 2), ("QUESTION 2", 1), ("100%", 2), ("100% _it_", 2), ("1%0", 0), ("_t_", 0), ("a_example", 0),
     ("jo@a", 2), ("T-02", 1), ("nothing", 0)],
)  # fmt: skip
def test_a_search_takes_words_as_they_are(database: Database, words: str, found: int) -> None:
    store(database, 1)
    store(database, 2)
    assert len(ids(database, QueueFilter(search=words))) == found


def test_a_first_reply_puts_the_solution_next(database: Database) -> None:
    store(database, 1, 5)
    tickets = TicketStore(database)
    tickets.add_message("demo", "T-01", Message(author="agent", text="Hello", created_at=NOON), NOON)
    stored = tickets.get("demo", "T-01")
    assert stored is not None
    assert stored.due_at == hours(15)
    assert QueueStore(database).page("demo", QueueFilter(), NOON, 5).rows[0].ticket.due_at == hours(15)


def test_what_is_new_and_what_is_next_in_a_list(database: Database) -> None:
    for number in (1, 2, 3):
        store(database, number, number)
    queue, tickets = QueueStore(database), TicketStore(database)
    middle = tickets.get("demo", "T-02")
    assert middle is not None
    assert queue.neighbours("demo", QueueFilter(), NOON, middle) == ("T-01", "T-03")
    assert queue.neighbours("demo", QueueFilter(order="newest"), NOON, middle) == ("T-03", "T-01")
    assert queue.since("demo", QueueFilter(), NOON, hours(0.2)) == 1
    tickets.add_message("demo", "T-01", Message(author="customer", text="and now?"), hours(5))
    assert queue.since("demo", QueueFilter(), NOON, hours(0.2)) == 2


def test_sessions_come_and_go_with_keys(database: Database) -> None:
    keys, sessions = KeyStore(database), SessionStore(database, clock=lambda: clock[0])
    clock = [0.0]
    key = new_key()
    keys.add(key, "demo", ["suggest", "admin"], NOON, hours(1_000))
    caller = keys.find(key, NOON)
    assert caller is not None
    token = sessions.open(caller, "Ann", NOON)
    found = sessions.find(token, NOON)
    assert found is not None
    assert (found.agent, found.caller, found.is_lead, found.expires_at) == ("Ann", caller, True, NOON + LASTS)
    assert sessions.find(token + "x", NOON) is None
    assert sessions.find("", NOON) is None
    assert sessions.find(token, NOON + LASTS) is None
    again = sessions.open(caller, "Ann", NOON, instead_of=token)
    assert sessions.find(token, NOON) is None
    keys.revoke("demo", id_of(key), NOON)
    clock[0] = 1.0
    assert sessions.find(again, NOON) is None
    with database.reading() as connection:
        dump = str(connection.exec_driver_sql("SELECT * FROM sessions").all())
    assert again not in dump
    assert key not in dump


def test_a_session_ends_with_a_key_that_runs_out(database: Database) -> None:
    keys, sessions = KeyStore(database), SessionStore(database)
    key = new_key()
    keys.add(key, "demo", ["suggest"], NOON, hours(2))
    caller = keys.find(key, NOON)
    assert caller is not None
    token = sessions.open(caller, "Ann", NOON)
    assert sessions.find(token, hours(1)) is not None
    assert sessions.find(token, hours(2)) is None


def test_what_was_taken_back_counts_for_nothing(database: Database) -> None:
    made = store(database, 1)
    feedback = FeedbackStore(database)
    said = Feedback("f1", made.suggestion.id, "T-01", "k1", NOON, "edited", final_text="x", seconds=3.5)
    feedback.add("demo", said)
    assert feedback.of_suggestion("demo", made.suggestion.id) == said
    assert feedback.undo("demo", "f1", "k2", NOON) is None  # somebody else's
    assert feedback.undo("other", "f1", "k1", NOON) is None
    assert feedback.undo("demo", "f1", "k1", NOON) is not None
    assert feedback.undo("demo", "f1", "k1", hours(1)) is not None  # twice is once
    assert feedback.of_suggestion("demo", made.suggestion.id) is None
    assert feedback.list("demo", FeedbackFilter(), 5) == ((), False)
    assert feedback.approve("demo", "f1", "k1", NOON) is None
    feedback.add("demo", Feedback("f2", made.suggestion.id, "T-01", "k1", NOON, "accepted"))
    feedback.approve("demo", "f2", "lead", NOON)
    assert feedback.undo("demo", "f2", "k1", NOON) is None
    assert feedback.list("demo", FeedbackFilter(corrections=True), 5) == ((), False)


def test_what_is_counted_is_read_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.storage.insight_store.PAGE", 2)
    reason = HandoffReason(code="no_supporting_article", severity="medium", evidence="x", would_change="y")
    handoff = Handoff(reasons=(reason,), team="books", summary="")
    for number in range(5):
        store(database, number, 1, handoff=handoff, disposition="handoff")
    FeedbackStore(database).add("demo", Feedback("f1", "s-01", "T-01", "k1", NOON, "rejected", reason="tone"))
    with database.writing() as connection:  # a row of before
        connection.exec_driver_sql("UPDATE suggestions SET facts = NULL WHERE id = 's-02'")
    seen = InsightStore(database).read("demo", NOON)
    assert [one.id for one in seen.decisions] == [f"s-{number:02d}" for number in range(5)]
    assert all(one.facts["reasons"] == ("no_supporting_article",) or one.facts["reasons"] == ["no_supporting_article"]
               for one in seen.decisions)  # fmt: skip
    assert [one.verdict for one in seen.opinions] == ["rejected"]
    assert len(seen.tickets) == 5
    assert seen.tickets[0].requester == "jo@a.example"
    assert InsightStore(database).read("other", NOON).tickets == []
    gaps = InsightStore(database).gaps("demo", ["s-03", "s-01", "none"])
    assert [gap.ticket_id for gap in gaps] == ["T-03", "T-01"]
    assert gaps[0].vector.shape == (4,)
