"""Brings a database to the tables of this version, by Alembic; several processes may try at once.

Alembic is loaded where there is something to change: a service that only starts does not wait for it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from serve.errors import StartError

if TYPE_CHECKING:
    from alembic.config import Config

#: The version that this program's tables are of: that of the last script.
NEWEST = "0003"
SCRIPTS = Path(__file__).with_name("migrations")
#: The version whose tables databases have that were made before versions were kept.
UNVERSIONED = "0001"
#: PostgreSQL lets one process at a time hold a lock of this number.
LOCK = 6_305_617


def alembic_config(connection: Connection | None = None) -> "Config":
    """Return what Alembic needs to know: no file is read, none is written."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config


def version_of(connection: Connection) -> str | None:
    """Return the version that a database's tables are of, None where it has none yet."""
    tables = inspect(connection)
    if tables.has_table("alembic_version"):
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found is not None:
            return str(found)
    return UNVERSIONED if tables.has_table("suggestions") else None


def migrate(engine: Engine) -> None:
    """Bring a database to the newest version; one that is there already is only looked at.

    Raises `StartError` for a database of a newer version.
    """
    with engine.connect() as connection:
        if version_of(connection) == NEWEST:
            return
    from alembic import command

    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        found = version_of(connection)
        if found is not None and found > NEWEST:
            raise StartError(
                f"the database is of version {found}, this program knows {NEWEST}; start a newer program, or restore "
                "a backup that is older"
            )
        if found == UNVERSIONED:
            command.stamp(alembic_config(connection), UNVERSIONED)
        command.upgrade(alembic_config(connection), "head")
        connection.commit()
