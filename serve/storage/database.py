"""Opens the database: SQLite unless a URL says otherwise."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from serve.errors import StartError
from serve.storage.migrate import migrate

#: Milliseconds that a writer waits for another one.
BUSY_TIMEOUT = 5_000


class Database:
    """One database for all desks. Safe from many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # SQLite has one writer, and lets those who wait try by chance: here they wait in turn, without a connection.
        self._turn: AbstractContextManager[object] = Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @classmethod
    def open(cls, url: str) -> "Database":
        """Connect and bring the tables to this version; raise `StartError` where that fails."""
        try:
            engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"), **_pool(url))
        except (SQLAlchemyError, ImportError) as error:
            raise _cannot_open(error) from error
        try:
            if engine.dialect.name == "sqlite":
                _tune_sqlite(engine)
                if engine.url.database:
                    Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
            migrate(engine)
        except (SQLAlchemyError, OSError, StartError) as error:
            engine.dispose()
            raise error if isinstance(error, StartError) else _cannot_open(error) from error
        return cls(engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One short write transaction, committed on leaving."""
        with self._turn, self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                # A transaction that reads first and writes later fails at once when another one wrote meanwhile.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def ping(self) -> None:
        """Raise where the database does not answer."""
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


def _cannot_open(error: Exception) -> StartError:
    name = error.__class__.__name__
    return StartError(f"the database cannot be opened ({name}); check --database and its folder")


def _pool(url: str) -> dict[str, int]:
    """Return how many connections may be open, and for how many seconds one is waited for."""
    in_memory = url in ("sqlite://", "sqlite:///:memory:")
    return {} if in_memory else {"pool_size": 8, "max_overflow": 24, "pool_timeout": 5}


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where `writing` says so
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT}", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
