"""Feedback at rest, on SQLite and on a real PostgreSQL alike: desks apart, pages, approvals and their log."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from serve.storage.audit_log import AuditLog
from serve.storage.database import Database
from serve.storage.feedback_store import Feedback, FeedbackFilter, FeedbackStore

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERYTHING = FeedbackFilter()
SAID = Feedback(
    id="f0",
    suggestion_id="s0",
    ticket_id="T-1",
    key_id="k1",
    created_at=NOON,
    verdict="edited",
    agent="Amélie",
    final_text="Bonjour, „so“ geht es.",
    fields={"team": "books", "category": "vat"},
    reason="wrong team",
    kept_ratio=0.25,
)


def test_what_was_said_comes_back_whole(store: FeedbackStore) -> None:
    bare = Feedback(id="f1", suggestion_id="s1", ticket_id=None, key_id="k1", created_at=NOON, verdict="rejected")
    for said in (SAID, bare):
        store.add("demo", said)
        assert store.get("demo", said.id) == said


def test_another_desk_sees_lists_and_approves_nothing(store: FeedbackStore) -> None:
    store.add("demo", SAID)
    assert store.get("other", "f0") is None
    assert store.list("other", EVERYTHING, 10) == ((), False)
    assert store.approve("other", "f0", "k9", NOON) is None
    assert store.withdraw("other", "f0", "k9", NOON) is None
    assert store.get("demo", "f0") == SAID


def test_pages_give_every_row_once_newest_first_though_times_are_equal(store: FeedbackStore) -> None:
    times = [NOON + timedelta(seconds=number // 3) for number in range(10)]
    for number, at in enumerate(times):
        store.add("demo", replace(SAID, id=f"f{number}", created_at=at))
    found: list[Feedback] = []
    more = True
    while more:
        behind = (found[-1].created_at, found[-1].id) if found else None
        page, more = store.list("demo", EVERYTHING, 4, behind)
        assert len(page) == 4 or not more
        found += page
        store.add("demo", replace(SAID, id=f"new{len(found)}", created_at=NOON + timedelta(hours=len(found))))
    assert [said.id for said in found] == [f"f{number}" for number in range(9, -1, -1)]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (FeedbackFilter(verdict="edited"), ["f3", "f0"]),
        (FeedbackFilter(approved=True), ["f1", "f0"]),
        (FeedbackFilter(approved=False), ["f3", "f2"]),
        (FeedbackFilter(since=NOON + timedelta(minutes=2)), ["f3", "f2"]),
        (FeedbackFilter("edited", False, NOON), ["f3"]),
    ],
)
def test_a_list_holds_what_was_asked_for(store: FeedbackStore, wanted: FeedbackFilter, ids: list[str]) -> None:
    for number, verdict in enumerate(("edited", "accepted", "rejected", "edited")):
        at = NOON + timedelta(minutes=number)
        store.add("demo", replace(SAID, id=f"f{number}", verdict=verdict, created_at=at))  # type: ignore[arg-type]
    for id in ("f0", "f1"):
        store.approve("demo", id, "lead", NOON)
    assert [said.id for said in store.list("demo", wanted, 10)[0]] == ids


def test_an_approval_stands_until_it_is_withdrawn_and_both_are_in_the_log(
    store: FeedbackStore, database: Database
) -> None:
    store.add("demo", SAID)
    first = store.approve("demo", "f0", "lead-1", NOON)
    assert first == replace(SAID, approved_at=NOON, approved_by="lead-1")
    assert store.approve("demo", "f0", "lead-2", NOON + timedelta(hours=1)) == first
    assert store.withdraw("demo", "f0", "lead-2", NOON) == SAID
    assert store.withdraw("demo", "f0", "lead-2", NOON) == SAID
    log = AuditLog(database).list("demo", 10)
    assert [(entry.actor, entry.action, entry.subject, dict(entry.details)) for entry in log] == [
        ("lead-2", "feedback.withdraw", "f0", {}),
        ("lead-1", "feedback.approve", "f0", {}),
    ]


def test_all_that_was_approved_comes_oldest_first_over_page_ends(
    store: FeedbackStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.storage.feedback_store.PAGE", 2)
    for number in range(7):
        store.add("demo", replace(SAID, id=f"f{number}", created_at=NOON + timedelta(minutes=number // 4)))
        if number != 3:
            store.approve("demo", f"f{number}", "lead", NOON)
    assert [said.id for said in store.approved("demo")] == ["f0", "f1", "f2", "f4", "f5", "f6"]
    assert list(store.approved("other")) == []


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> FeedbackStore:
    return FeedbackStore(database)
