"""Nothing of a person stays: rows, bytes of the database, kept vectors, files; on SQLite and a real PostgreSQL."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eval_builders import suggestion, without_wording
from sqlalchemy import Table, func, insert, select, text

from models.embedding_cache import EmbeddingCache, hash_of
from models.embedding_store import EmbeddingStore
from models.hashing_encoder import HashingEncoder
from models.protocols import FloatArray, Progress, no_progress
from serve.data_commands import erase, erased_text, retention
from serve.erase_requester import DeskHome, Erased, ErasureOrder, erase_requester, without_replies
from serve.errors import DataCommandError
from serve.services import Stores
from serve.storage.audit_log import AuditLog
from serve.storage.database import Database
from serve.storage.erasure import erase_traces, find_traces
from serve.storage.feedback_store import Feedback
from serve.storage.retention import remove_old
from serve.storage.suggestion_store import StoredSuggestion
from serve.storage.tables import audit_log, feedback, idempotency_keys, messages, suggestions, tickets
from triage.assembly import engine_of, generations_of
from triage.build import build_generation
from triage.desk_files import read_desk
from triage.suggestions import Draft, SimilarTicket, Why
from triage.tickets import Message, Requester, Ticket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ZOE = Requester(id="c-canary-7", name="Zoe Quokkason", email="Zoe@Quokka.example")
BOB = Requester(id="c-8", name="Bob", email="bob@shop.example")
#: What must be found nowhere: the words of ZOE, and what was written to or about her.
CANARIES = ("c-canary-7", "quokka", "canary-")
TABLES = (tickets, messages, suggestions, feedback, idempotency_keys)


def ticket_of(id: str, requester: Requester = ZOE, body: str = "canary-body. Where is the canary-thing?") -> Ticket:
    told = Message(author="customer", text=f"{body} canary-message" if requester is ZOE else "more", created_at=NOW)
    return Ticket(id=id, subject="How is it?", body=body, requester=requester, messages=(told,))


def fill(stores: Stores, desk: str = "demo") -> None:
    """Two tickets of Zoe's and one of Bob's, each with suggestion, feedback and a kept answer."""
    for number, ticket in enumerate((ticket_of("T-1"), ticket_of("T-2"), ticket_of("T-3", BOB, "bob's body"))):
        add(stores, desk, ticket, f"{desk}-s{number}", NOW)
    with stores.database.writing() as connection:
        connection.execute(insert(idempotency_keys), [answer(desk, "one", 200), answer(desk, "two", None)])


def add(stores: Stores, desk: str, ticket: Ticket, id: str, now: datetime) -> None:
    words = "canary-final" if ticket.requester == ZOE else "bob's reply"
    draft = Draft(text=f"{words} draft", sentences=(), source="articles")
    stores.suggestions.add(desk, StoredSuggestion(ticket, suggestion(id=id, ticket_id=ticket.id, draft=draft), now))
    said = Feedback(f"f-{id}", id, ticket.id, "k1", now, "edited", final_text=words, reason=words)
    stores.feedback.add(desk, said)


def answer(desk: str, key: str, status: int | None) -> dict[str, Any]:
    row = {"key_id": f"k-{desk}", "idempotency_key": key, "desk": desk, "fingerprint": "f", "owner": "o"}
    body = b"canary-answer" if status else None
    return row | {"created_at": NOW, "locked_until": NOW, "status": status, "headers": "{}", "body": body}


def count(database: Database, table: Table, desk: str = "demo") -> int:
    with database.reading() as connection:
        return int(connection.execute(select(func.count()).where(table.c.desk == desk)).scalar_one())


def bytes_of(database: Database) -> bytes:
    """All that lies in the files of a database, PostgreSQL's write-ahead log apart."""
    with database.reading() as connection:
        if connection.dialect.name == "sqlite":
            path = Path(str(connection.engine.url.database))
            return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))
        folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
        own = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar_one()
        connection.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("CHECKPOINT"))
        return b"".join(file.read_bytes() for file in sorted((folder / "base" / str(own)).iterdir()))


def found_in(data: bytes) -> set[str]:
    return {canary for canary in CANARIES if canary.encode() in data.lower()}


def test_nothing_of_a_requester_stays_in_the_files_of_the_database(home: DeskHome, stores: Stores) -> None:
    fill(stores)
    for number in range(30):  # so that pages are split, and rows written anew
        stores.tickets.add_message("demo", "T-1", Message(author="agent", text=f"canary-{number} " * 20), NOW)
    assert found_in(bytes_of(stores.database)) == set(CANARIES)
    done = erase_requester(stores.database, home, Requester(id="c-canary-7"), ErasureOrder(NOW))
    assert (done.found.tickets, done.overwritten) == (("T-1", "T-2"), True)
    assert done.counts == {"tickets": 2, "messages": 32, "suggestions": 2, "feedback": 2, "answers": 1}
    assert found_in(bytes_of(stores.database)) == set()
    assert [count(stores.database, table) for table in TABLES] == [1, 1, 1, 1, 1]
    assert stores.tickets.get("demo", "T-3") is not None


def test_the_audit_log_tells_that_somebody_was_erased_and_not_who(home: DeskHome, stores: Stores) -> None:
    fill(stores)
    erase_requester(stores.database, home, ZOE, ErasureOrder(NOW, actor="key-1"))
    (entry,) = AuditLog(stores.database).list("demo", 10)
    assert (entry.actor, entry.action, entry.subject) == ("key-1", "requester.erase", "requester")
    assert entry.details == {"tickets": 2, "messages": 2, "suggestions": 2, "feedback": 2, "answers": 1}


def test_another_desk_keeps_its_own(home: DeskHome, stores: Stores) -> None:
    fill(stores)
    fill(stores, "other")
    erase_requester(stores.database, home, ZOE, ErasureOrder(NOW, overwrite=False))
    assert [count(stores.database, table, "other") for table in TABLES] == [3, 3, 3, 3, 2]


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        (Requester(id="c-1"), {"id", "both", "address"}),
        (Requester(email=" A@x.example"), {"both", "address", "other"}),
        (Requester(id="c-1", email="a@x.example"), {"id", "both", "address"}),
        (Requester(id="c-2"), {"other", "address"}),
        (Requester(id="c-3"), set()),
        (Requester(id="a@x.example"), set()),
    ],
)
def test_who_is_meant_follows_from_id_and_address(
    home: DeskHome, stores: Stores, asked: Requester, gone: set[str]
) -> None:
    written = {
        "id": Requester(id="c-1"),
        "both": Requester(id="c-1", email="a@x.example"),
        "address": Requester(email="A@X.example "),
        "other": Requester(id="c-2", email="a@x.example"),
        "nobody": Requester(name="c-1"),
    }
    for id, requester in written.items():
        add(stores, "demo", ticket_of(id, requester, "body"), f"s-{id}", NOW)
    traces = find_traces(stores.database, "demo", asked)
    assert set(traces.tickets) == gone
    assert set(traces.suggestions) == {f"s-{id}" for id in gone}
    assert traces.other_ids == (("c-1", "c-2") if asked == Requester(email=" A@x.example") else ())


def test_somebody_who_is_named_by_nothing_is_refused(home: DeskHome, stores: Stores) -> None:
    with pytest.raises(DataCommandError, match="nobody was named"):
        erase_requester(stores.database, home, Requester(id=" ", email=""), ErasureOrder(NOW))


def test_a_ticket_that_was_passed_on_stays_and_is_told(home: DeskHome, stores: Stores) -> None:
    add(stores, "demo", ticket_of("T-1"), "s1", NOW)
    add(stores, "demo", ticket_of("T-1", BOB, "mine now"), "s2", NOW)
    done = erase_requester(stores.database, home, ZOE, ErasureOrder(NOW))
    assert (done.found.tickets, done.found.suggestions, done.found.passed_on) == ((), ("s1",), ("T-1",))
    assert "T-1" in done.to_do[-1]
    assert stores.suggestions.get("demo", "s2") is not None


def test_an_erasure_that_was_cut_short_goes_on(home: DeskHome, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(stores)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    traces = find_traces(stores.database, "demo", ZOE)
    with monkeypatch.context() as patch:
        patch.setattr("serve.storage.erasure.remove_tickets", stop)
        with pytest.raises(KeyboardInterrupt):
            erase_traces(stores.database, "demo", traces, "k", NOW)
    assert (count(stores.database, suggestions), count(stores.database, tickets)) == (1, 3)
    again = erase_requester(stores.database, home, ZOE, ErasureOrder(NOW, overwrite=False))
    assert (again.counts["tickets"], again.counts["messages"]) == (2, 2)
    assert count(stores.database, audit_log) == 1


def test_rows_go_in_batches_and_all_of_them(home: DeskHome, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.storage.removal.BATCH", 3)
    monkeypatch.setattr("serve.storage.erasure.BATCH", 3)
    for number in range(8):
        for version in range(4):
            add(stores, "demo", ticket_of(f"T-{number}"), f"s{number}-{version}", NOW)
    done = erase_requester(stores.database, home, ZOE, ErasureOrder(NOW, overwrite=False))
    assert done.counts == {"tickets": 8, "messages": 8, "suggestions": 32, "feedback": 32, "answers": 0}
    assert [count(stores.database, table) for table in TABLES] == [0] * 5


def test_replies_to_her_are_taken_out_of_what_was_decided_for_others(home: DeskHome, stores: Stores) -> None:
    why = Why(dense=1.0, lexical=0.0, terms=())
    shown = [SimilarTicket(ticket_id=id, score=0.9, reply=f"canary-reply {id}", why=why) for id in ("H-9001", "H-001")]
    made = suggestion(id="s9", similar=tuple(shown))
    stores.suggestions.add("demo", StoredSuggestion(ticket_of("T-9", BOB, "b"), made, NOW))
    done = erase_requester(stores.database, home, ZOE, ErasureOrder(NOW))
    stored = stores.suggestions.get("demo", "s9")
    assert stored is not None
    assert [one.reply for one in stored.suggestion.similar] == ["[erased]", "canary-reply H-001"]
    assert done.quoted == 1


def test_a_draft_from_a_reply_to_her_goes_too() -> None:
    support = [{"article_id": "ticket:H-1", "start": 0, "end": 1, "score": 1.0}]
    made = {"draft": {"text": "x", "sentences": [{"text": "x", "support": support}], "source": "history"}}
    assert without_replies(made, frozenset({"H-1"}))["draft"]["text"] == "[erased]"
    assert without_replies(made, frozenset({"H-2"})) == made


@dataclass
class Listening:
    """An encoder that remembers what it was given."""

    inner: HashingEncoder = field(default_factory=HashingEncoder)
    heard: set[str] = field(default_factory=set)

    @property
    def identity(self) -> str:
        return self.inner.identity

    @property
    def dimension(self) -> int:
        return self.inner.dimension

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        self.heard |= set(texts)
        return self.inner.encode(texts, progress)


def test_vectors_that_were_kept_of_her_words_are_forgotten_and_no_others(
    home: DeskHome, stores: Stores, listening: Listening
) -> None:
    store = EmbeddingStore(home.var / "embeddings", listening, date(2026, 11, 22), print)
    generation = home.generations.open_current(print)
    encoder = EmbeddingCache(listening, store)
    engine = replace(engine_of(generation, home.folder, home.var), encoder=encoder)
    for ticket in (ticket_of("T-1"), ticket_of("T-3", BOB, "How do I pay? Where is the button? What is it?")):
        decision = engine.decide(ticket, f"s-{ticket.id}", NOW)
        stores.suggestions.add("demo", StoredSuggestion(ticket, decision.suggestion, NOW, vectors=decision.vectors))
    hers = [text for text in listening.heard if "canary" in text]
    others = [text for text in listening.heard if text.strip() and "canary" not in text]
    assert len(hers) >= 4  # of the history's row, its reply, and the ticket: all words, the question
    assert len(store.read([hash_of(text) for text in hers])) == len(hers)
    erase_requester(stores.database, home, ZOE, ErasureOrder(NOW))
    assert store.read([hash_of(text) for text in hers]) == {}
    assert len(store.read([hash_of(text) for text in others[:900]])) == len(others[:900])


def test_files_and_generations_that_hold_her_are_named_and_stay(home: DeskHome, stores: Stores) -> None:
    before = (home.folder / "history.jsonl").read_bytes()
    done = erase_requester(stores.database, home, Requester(email="zoe@quokka.example"), ErasureOrder(NOW))
    assert done.rows == {"history.jsonl": 1}
    assert done.generations == ("000001",)
    assert (home.folder / "history.jsonl").read_bytes() == before
    told = erased_text(done)
    assert "history.jsonl (1 row). Do the same again with --files." in told
    assert "000001. Run `firstline build`" in told
    assert not found_in(told.encode().lower()) - {"c-canary-7"}


def test_rows_of_files_go_where_that_is_asked_for_and_the_rest_stays_to_the_byte(
    home: DeskHome, stores: Stores
) -> None:
    history = home.folder / "history.jsonl"
    kept = [line for line in history.read_bytes().splitlines(keepends=True) if b"canary" not in line]
    fill(stores)
    masked = json.dumps({"id": "T-1", "body": "{NAME_1}", "labels": {"team": "books"}})
    (home.folder / "corrections.jsonl").write_text(f"\n{masked}\n\n")
    case = {"id": "c1", "ticket": {"body": "x", "requester": {"email": "zoe@quokka.example"}}, "expect": {}}
    (home.folder / "cases.jsonl").write_text(json.dumps(case))
    done = erase_requester(stores.database, home, ZOE, ErasureOrder(NOW, files=True))
    assert done.rows == {"history.jsonl": 1, "corrections.jsonl": 1, "cases.jsonl": 1}
    assert history.read_bytes() == b"".join(kept)
    assert (home.folder / "corrections.jsonl").read_bytes() == b"\n\n"
    assert (home.folder / "cases.jsonl").read_bytes() == b""
    assert found_in(b"".join(path.read_bytes() for path in home.folder.rglob("*.jsonl"))) == set()


def test_after_a_build_and_a_purge_no_generation_holds_her(home: DeskHome, stores: Stores) -> None:
    erase_requester(stores.database, home, ZOE, ErasureOrder(NOW, files=True))
    desk = read_desk(home.folder)
    build_generation(desk, HashingEncoder(), home.generations, NOW)
    home.generations.purge(1)
    assert found_in(b"".join(path.read_bytes() for path in home.var.rglob("*") if path.is_file())) == set()
    again = erase_requester(stores.database, home, ZOE, ErasureOrder(NOW))
    assert (again.rows, again.generations, again.to_do) == ({}, (), ())


def test_a_file_that_cannot_be_read_is_told_and_all_else_is_erased(home: DeskHome, stores: Stores) -> None:
    fill(stores)
    (home.folder / "corrections.jsonl").write_text("{not json")
    done = erase_requester(stores.database, home, ZOE, ErasureOrder(NOW))
    assert done.counts["tickets"] == 2
    assert "corrections.jsonl:1: not JSON" in done.to_do[0]


def test_the_command_tells_what_it_did(home: DeskHome, stores: Stores, database_url: str) -> None:
    fill(stores)
    stores.database.close()
    told = erase((home.folder, home.var), database_url, Requester(id="c-canary-7"), True, NOW)
    first = "Removed from the database: 2 tickets, 2 messages, 2 suggestions, 2 pieces of feedback and 1 kept answer."
    assert told.splitlines()[:2] == [first, "Tickets: T-1, T-2"]
    assert "Rows removed from files: history.jsonl 1." in told
    assert retention(home.folder, database_url, 1, NOW + timedelta(days=9)).startswith("Removed: 0 tickets")
    with pytest.raises(DataCommandError, match="--days"):
        retention(home.folder, database_url, 0, NOW)


def test_retention_takes_what_is_done_and_old_and_nothing_else(stores: Stores, database: Database) -> None:
    old, new = NOW - timedelta(days=31), NOW - timedelta(days=29)
    for id, status, at in (
        ("old-closed", "closed", old),
        ("old-solved", "solved", old),
        ("old-open", "open", old),
        ("old-pending", "pending", old),
        ("new-closed", "closed", new),
    ):
        add(stores, "demo", ticket_of(id), f"s-{id}", at)
        stores.tickets.put("demo", ticket_of(id), None, at, status=status)  # type: ignore[arg-type]
    for id, at in (("old", old), ("new", new)):
        alone = StoredSuggestion(ticket_of(f"gone-{id}"), suggestion(id=f"s-{id}", ticket_id=f"gone-{id}"), at)
        stores.suggestions.add("demo", alone)
        with database.writing() as connection:
            connection.execute(tickets.delete().where(tickets.c.id == f"gone-{id}"))
    with database.writing() as connection:
        for key, hours in (("old", 25), ("new", 23)):
            row = answer("demo", key, 200) | {"created_at": NOW - timedelta(hours=hours)}
            connection.execute(insert(idempotency_keys), row)
    counts = remove_old(database, "demo", 30, NOW)
    assert counts == {"tickets": 2, "messages": 2, "suggestions": 3, "feedback": 2, "answers": 1}
    with database.reading() as connection:
        left = set(connection.execute(select(tickets.c.id)).scalars())
        kept = set(connection.execute(select(suggestions.c.id)).scalars())
    assert left == {"old-open", "old-pending", "new-closed"}
    assert kept == {"s-old-open", "s-old-pending", "s-new-closed", "s-new"}
    assert not any(remove_old(database, "other", 0, NOW).values())
    (entry,) = AuditLog(database).list("demo", 10)
    assert entry.details == {**counts, "days": 30}


def test_a_ticket_that_is_reopened_while_retention_runs_stays_with_its_thread(
    stores: Stores, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    import serve.storage.retention as module

    add(stores, "demo", ticket_of("T-1"), "s1", NOW - timedelta(days=99))
    stores.tickets.put("demo", ticket_of("T-1"), None, NOW - timedelta(days=99), status="closed")
    removing = module.remove_suggestions_of

    def reopen(*given: Any) -> None:
        removing(*given)
        stores.tickets.add_message("demo", "T-1", Message(author="customer", text="again"), NOW)

    monkeypatch.setattr(module, "remove_suggestions_of", reopen)
    remove_old(database, "demo", 30, NOW)
    stored = stores.tickets.get("demo", "T-1")
    assert stored is not None
    assert [message.text for message in stored.ticket.messages][1:] == ["again"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, project: Path) -> tuple[DeskHome, Listening]:
    """A desk with a row of Zoe's in its history, built by an encoder whose vectors are kept."""
    root = tmp_path_factory.mktemp("erasure")
    shutil.copytree(project / "desks" / "demo", root / "desk")
    settings = root / "desk" / "desk.toml"
    settings.write_text(settings.read_text().replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"'))
    (root / "desk" / "cases.jsonl").unlink()
    past = {"id": "H-9001", "body": "canary-past", "requester": ZOE.model_dump(mode="json", exclude_none=True)}
    past |= {"labels": {"category": "reports"}, "reply": "canary-reply", "resolved": True}
    with (root / "desk" / "history.jsonl").open("a") as file:
        file.write(json.dumps(past) + "\n")
    desk, listening = read_desk(without_wording(root / "desk")), Listening()
    store = EmbeddingStore(root / "var" / "embeddings", listening, date(2026, 11, 22), print)
    build_generation(desk, EmbeddingCache(listening, store), generations_of(desk.rules.settings, root / "var"), NOW)
    return DeskHome("demo", root / "desk", root / "var"), listening


@pytest.fixture
def listening(built: tuple[DeskHome, Listening]) -> Listening:
    return built[1]


@pytest.fixture
def home(built: tuple[DeskHome, Listening], tmp_path: Path) -> DeskHome:
    shutil.copytree(built[0].folder, tmp_path / "desk")
    shutil.copytree(built[0].var, tmp_path / "var")
    return DeskHome("demo", tmp_path / "desk", tmp_path / "var")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores.of(database)


def test_an_erased_answer_names_counts(home: DeskHome, stores: Stores) -> None:
    done: Erased = erase_requester(stores.database, home, BOB, ErasureOrder(NOW))
    assert erased_text(done).startswith("Removed from the database: 0 tickets, 0 messages")
