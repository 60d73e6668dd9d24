"""Brings a database to the tables of this version, by Alembic; several processes may try at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from serve.errors import StartError

SCRIPTS = Path(__file__).with_name("migrations")
#: The version whose tables databases have that were made before versions were kept.
UNVERSIONED = "0001"
#: PostgreSQL lets one process at a time hold a lock of this number.
LOCK = 6_305_617


def alembic_config(connection: Connection | None = None) -> Config:
    """Return what Alembic needs to know: no file is read, none is written."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config


def newest_version() -> str:
    """Return the version that this program's tables are of."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


def version_of(connection: Connection) -> str | None:
    """Return the version that a database's tables are of, None where it has none yet."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None and inspect(connection).has_table("suggestions"):
        return UNVERSIONED
    return found


def migrate(engine: Engine) -> None:
    """Bring a database to the newest version; one that is there already is only looked at.

    Raises `StartError` for a database of a newer version.
    """
    newest = newest_version()
    with engine.connect() as connection:
        if version_of(connection) == newest:
            return
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        found = version_of(connection)
        if found is not None and found > newest:
            raise StartError(
                f"the database is of version {found}, this program knows {newest}; start a newer program, or restore "
                "a backup that is older"
            )
        if found == UNVERSIONED:
            command.stamp(alembic_config(connection), UNVERSIONED)
        command.upgrade(alembic_config(connection), "head")
        connection.commit()
