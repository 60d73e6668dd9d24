"""The database, on SQLite and on a real PostgreSQL alike: migrations, the append-only log, times, transactions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError

from serve.errors import StartError
from serve.storage.database import Database
from serve.storage.migrate import NEWEST, alembic_config, migrate, version_of
from serve.storage.tables import api_keys, audit_log, desks, metadata, suggestions

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENTRY = {"desk": "demo", "at": NOON, "actor": "key", "action": "key.create", "subject": "k1", "details": "{}"}


def test_migrations_make_the_tables_that_the_code_has(database: Database) -> None:
    with database.reading() as connection:
        assert version_of(connection) == NEWEST == ScriptDirectory.from_config(alembic_config()).get_current_head()
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_database_that_is_up_to_date_is_left_alone(database_url: str) -> None:
    for _ in range(2):
        Database.open(database_url).close()


def test_a_database_of_before_versions_keeps_its_rows(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(
            text(
                "INSERT INTO api_keys VALUES ('k', 's', 'demo', 'triage', '2026-01-01 00:00:00', '2027-01-01 00:00:00')"
            )
        )
        connection.commit()
    migrate(engine)
    with engine.connect() as connection:
        row = connection.execute(select(api_keys)).one()
        assert (row.id, row.name, row.revoked_at, row.expires_at) == ("k", "", None, datetime(2027, 1, 1, tzinfo=UTC))
        assert connection.execute(select(suggestions)).all() == []
    engine.dispose()


def test_a_database_of_a_newer_program_is_refused(database_url: str) -> None:
    database = Database.open(database_url)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StartError, match="of version 9999, this program knows"):
        Database.open(database_url)


@pytest.mark.parametrize("change", [update(audit_log).values(actor="other"), delete(audit_log)])
def test_nobody_rewrites_the_audit_log(database: Database, change: object) -> None:
    with database.writing() as connection:
        connection.execute(insert(audit_log), ENTRY)
    with pytest.raises(DBAPIError, match="append-only"), database.writing() as connection:
        connection.execute(change)  # type: ignore[call-overload]
    with database.reading() as connection:
        assert [row.actor for row in connection.execute(select(audit_log))] == ["key"]


def test_times_come_back_in_utc_whatever_zone_they_had(database: Database) -> None:
    abroad = NOON.astimezone(timezone(timedelta(hours=9)))
    with database.writing() as connection:
        connection.execute(insert(audit_log), {**ENTRY, "at": abroad})
    with database.reading() as connection:
        at = connection.execute(select(audit_log.c.at)).scalar_one()
    assert (at, at.tzinfo) == (NOON, UTC)


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"), database.writing() as connection:
        connection.execute(insert(audit_log), {**ENTRY, "at": datetime(2026, 11, 22, 12)})


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    row = {"desk": "demo", "knowledge_revision": 1}
    with pytest.raises(DBAPIError), database.writing() as connection:
        connection.execute(insert(desks), [row, row])
    with database.reading() as connection:
        assert connection.execute(select(desks)).all() == []


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()
