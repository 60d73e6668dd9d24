"""Keys at rest, on SQLite and on a real PostgreSQL alike: what is kept, what is not, who is refused."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from serve.security.keys import KeyOptions, KeyStore, id_of, new_key
from serve.security.rate_limits import RateLimiter
from serve.storage.audit_log import AuditLog
from serve.storage.database import Database
from serve.storage.tables import metadata

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = NOW + timedelta(days=30)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


def everything_in(database: Database, url: str) -> bytes:
    """All that lies in a database: SQLite's files as they are, and every row of every table."""
    stored = b""
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///"))
        stored = b"".join(path.read_bytes() for path in sorted(file.parent.glob(f"{file.name}*")))
    with database.reading() as connection:
        rows = [tuple(row) for table in metadata.sorted_tables for row in connection.execute(select(table))]
    return stored + repr(rows).encode()


def test_no_key_lies_in_the_database_or_the_logs_after_use(
    database: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys, limits, key = KeyStore(database), RateLimiter(database), new_key()
    keys.add(key, "demo", ("triage",), NOW, END, KeyOptions("Grafana", 50))
    caller = keys.find(key, NOW)
    assert caller is not None
    limits.take(caller, NOW)
    keys.list("demo")
    keys.revoke("demo", caller.key_id, NOW)
    assert keys.find(key, NOW) is None
    found = everything_in(database, database_url)
    assert id_of(key).encode() in found
    for secret in (key, key[3:], key[11:], key[11:27]):
        assert secret.encode() not in found
        assert secret not in caplog.text


def test_what_is_known_of_a_key_is_all_but_the_key(database: Database) -> None:
    keys, first, second = KeyStore(database), new_key(), new_key()
    keys.add(first, "demo", ("suggest", "admin"), NOW, END, KeyOptions("Anna's board", 90))
    keys.add(second, "demo", ("triage",), NOW + timedelta(hours=1), END)
    keys.add(new_key(), "other", ("triage",), NOW, END)
    named, plain = keys.list("demo")
    assert (named.id, named.desk, named.name, named.per_minute) == (id_of(first), "demo", "Anna's board", 90)
    assert (named.scopes, named.created_at, named.expires_at) == (("admin", "suggest"), NOW, END)
    assert (plain.id, plain.name, plain.per_minute, plain.revoked_at) == (id_of(second), "", None, None)
    assert not set(vars(named).values()) & {first, second}


def test_a_caller_knows_its_budget(database: Database) -> None:
    keys, small, usual = KeyStore(database), new_key(), new_key()
    keys.add(small, "demo", ("triage",), NOW, END, KeyOptions(per_minute=7))
    keys.add(usual, "demo", ("triage",), NOW, END)
    assert [caller and caller.per_minute for caller in (keys.find(small, NOW), keys.find(usual, NOW))] == [7, None]


def test_a_key_is_revoked_once_and_by_its_own_desk_only(database: Database) -> None:
    keys, key = KeyStore(database), new_key()
    keys.add(key, "demo", ("triage",), NOW, END)
    assert not keys.revoke("other", id_of(key), NOW)
    assert not keys.revoke("demo", "00000000", NOW)
    assert keys.find(key, NOW) is not None
    later = NOW + timedelta(hours=1)
    assert keys.revoke("demo", id_of(key), later)
    assert keys.revoke("demo", id_of(key), later + timedelta(hours=1))
    assert [info.revoked_at for info in keys.list("demo")] == [later]
    assert KeyStore(database).find(key, later) is None


def test_making_and_revoking_stand_in_the_audit_log_without_the_name(database: Database) -> None:
    keys, key = KeyStore(database), new_key()
    keys.add(key, "demo", ("triage", "admin"), NOW, END, KeyOptions("Anna's board", 90, "key00001"))
    for _ in range(2):
        keys.revoke("demo", id_of(key), NOW + timedelta(hours=1), "key00002")
    keys.revoke("other", id_of(key), NOW)
    revoked, made = AuditLog(database).list("demo", 10)
    assert (made.at, made.actor, made.action, made.subject) == (NOW, "key00001", "key.create", id_of(key))
    assert made.details == {"scopes": "admin triage", "expires_at": "2026-12-22T12:00:00+00:00", "per_minute": 90}
    assert (revoked.actor, revoked.action, revoked.subject) == ("key00002", "key.revoke", id_of(key))
    assert AuditLog(database).list("other", 10) == ()


def test_keys_that_ran_out_stay_on_record(database: Database) -> None:
    keys, old = KeyStore(database), new_key()
    keys.add(old, "demo", ("triage",), NOW, NOW + timedelta(days=1))
    keys.add(new_key(), "demo", ("triage",), END, END + timedelta(days=1))
    assert [info.state(END) for info in keys.list("demo")] == ["expired", "valid"]
    assert keys.find(old, END) is None
