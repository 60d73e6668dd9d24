"""The audit log, on SQLite and on a real PostgreSQL alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from serve.storage.audit_log import AuditEntry, AuditLog
from serve.storage.database import Database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENTRY = AuditEntry("demo", NOON, "key00001", "article.publish", "kb-101", {"revision": 3, "status": "published"})


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


def write(database: Database, *entries: AuditEntry) -> None:
    with database.writing() as connection:
        for entry in entries:
            AuditLog.add(connection, entry)


def test_an_entry_comes_back_as_it_was(database: Database) -> None:
    odd = replace(ENTRY, subject='ünï "quoted"', details={"words": "naïve, {}", "count": 0})
    write(database, ENTRY, odd)
    newest, oldest = AuditLog(database).list("demo", 10)
    assert (replace(newest, id=0), replace(oldest, id=0)) == (odd, ENTRY)
    assert newest.id > oldest.id > 0


def test_a_desk_reads_its_own_entries_only(database: Database) -> None:
    write(database, ENTRY, replace(ENTRY, desk="other"))
    assert [entry.desk for entry in AuditLog(database).list("other", 10)] == ["other"]
    assert AuditLog(database).list("third", 10) == ()


def test_the_log_is_read_a_page_at_a_time_newest_first(database: Database) -> None:
    entries = [replace(ENTRY, at=NOON + timedelta(minutes=n), subject=f"s{n}") for n in range(5)]
    for entry in entries:
        write(database, replace(entry, desk="other"), entry)
    log, seen, before = AuditLog(database), [], None
    while page := log.list("demo", 2, before):
        assert len(page) <= 2
        seen += [entry.subject for entry in page]
        before = page[-1].id
    assert seen == ["s4", "s3", "s2", "s1", "s0"]


def test_an_entry_is_undone_with_the_change_it_tells_of(database: Database) -> None:
    with pytest.raises(Exception, match="without a zone"):
        write(database, ENTRY, replace(ENTRY, at=datetime(2026, 11, 22, 12)))
    assert AuditLog(database).list("demo", 10) == ()
