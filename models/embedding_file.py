"""The SQLite file of kept vectors: how it is opened, what is a sound one, and the statements."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE
from typing import Any

#: Marks a file as one of ours ("FLEC"), and the layout of its tables.
APPLICATION_ID, SCHEMA = 0x464C4543, 1
#: What using a file may raise. sqlite3 itself cannot decode a message that quotes a damaged name.
FILE_ERRORS = (sqlite3.Error, OSError, UnicodeDecodeError)
PRIVATE = 0o600
#: Five vectors of 384 dimensions fill 96 percent of it, two of 768 three quarters.
PAGE_BYTES = 8192
LAYOUT = (
    "CREATE TABLE vectors (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, checksum INTEGER, vector BLOB)",
    # Apart from the vectors, so that noting a use does not write the vector again.
    "CREATE TABLE uses (id INTEGER PRIMARY KEY, day INTEGER NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA}",
)


def file_name(identity: str) -> str:
    """Return a file name for an encoder's identity: readable, and another for every identity."""
    digest = sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', identity)[:60]}-{digest[:16]}.sqlite"


def journal_of(path: Path) -> Path:
    """Return where SQLite keeps what it must restore when a change is cut short."""
    return path.with_name(f"{path.name}-journal")


@contextmanager
def opened(path: Path, patience: float) -> Iterator[sqlite3.Connection]:
    """Open a file of ours, making it where there is none. Waits `patience` seconds for another process.

    Raises what `FILE_ERRORS` names, as does all that is done with it; `is_damage` tells if the file is wrong.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as connection:
        with suppress(FileNotFoundError):  # set aside by another process just now
            if S_IMODE(path.stat().st_mode) != PRIVATE:
                path.chmod(PRIVATE)
        connection.text_factory = bytes  # damaged cells may not be UTF-8
        connection.execute("PRAGMA secure_delete = ON")
        if _marks(connection) != (APPLICATION_ID, SCHEMA):
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            with _changing(connection):
                _lay_out(connection)
        yield connection


def is_damage(error: Exception) -> bool:
    """Tell a file that is wrong, or has other tables than ours, from one that cannot be used now."""
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return isinstance(error, sqlite3.Error | UnicodeDecodeError)


def count_rows(connection: sqlite3.Connection) -> int:
    """Return how many vectors are kept."""
    return int(connection.execute("SELECT count(*) FROM uses").fetchone()[0])


def select_rows(connection: sqlite3.Connection, hashes: Sequence[bytes], size: int, day: int) -> list[tuple[Any, ...]]:
    """Return these texts' rows whose vector has `size` bytes: hash, checksum, vector, last used before `day`."""
    columns = "hash, checksum, vector, coalesce(day < ?, 1)"
    chosen = f"typeof(vector) = 'blob' AND length(vector) = ? AND {_hash_in(hashes)}"
    query = f"SELECT {columns} FROM vectors LEFT JOIN uses USING (id) WHERE {chosen}"  # noqa: S608
    return connection.execute(query, (day, size, *hashes)).fetchall()


def note_use(connection: sqlite3.Connection, hashes: Sequence[bytes], day: int) -> None:
    """Note that these texts were used on `day` (a proleptic ordinal)."""
    query = f"INSERT OR REPLACE INTO uses SELECT id, ? FROM vectors WHERE {_hash_in(hashes)}"  # noqa: S608
    connection.execute(query, (day, *hashes))


def insert_rows(connection: sqlite3.Connection, rows: Sequence[tuple[bytes, int, bytes]], day: int) -> None:
    """Keep rows of hash, checksum and vector, in the place of any that these texts had."""
    with _changing(connection):
        connection.executemany(
            "INSERT INTO vectors (hash, checksum, vector) VALUES (?, ?, ?) ON CONFLICT (hash)"
            " DO UPDATE SET checksum = excluded.checksum, vector = excluded.vector",
            rows,
        )
        note_use(connection, [row[0] for row in rows], day)


def drop_rows(connection: sqlite3.Connection, max_rows: int) -> None:
    """Keep `max_rows`, and remove those that were not used for the longest time."""
    with _changing(connection):
        surplus = max(0, count_rows(connection) - max_rows)
        for table in ("vectors", "uses"):
            chosen = "SELECT id FROM uses ORDER BY day, id LIMIT ?"
            connection.execute(f"DELETE FROM {table} WHERE id IN ({chosen})", (surplus,))  # noqa: S608


def delete_rows(connection: sqlite3.Connection, hashes: Sequence[bytes]) -> None:
    """Remove these texts' rows and overwrite the place they had."""
    keys = [(key,) for key in hashes]
    with _changing(connection):
        connection.executemany("DELETE FROM uses WHERE id IN (SELECT id FROM vectors WHERE hash = ?)", keys)
        connection.executemany("DELETE FROM vectors WHERE hash = ?", keys)
        connection.execute("REINDEX vectors")  # pages that were split hold copies of hashes in their free parts


@contextmanager
def _changing(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the start, so that no other process can come between reading and writing."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def _marks(connection: sqlite3.Connection) -> tuple[int, int]:
    first, second = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    return int(first), int(second)


def _lay_out(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file; raise `sqlite3.DatabaseError` for any other than ours. Needs the write lock."""
    marks = _marks(connection)
    if marks == (APPLICATION_ID, SCHEMA):  # another process was faster
        return
    if marks != (0, 0) or connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise sqlite3.DatabaseError("not an embedding cache of this version")
    for statement in LAYOUT:
        connection.execute(statement)


def _hash_in(hashes: Sequence[bytes]) -> str:
    return f"hash IN ({','.join('?' * len(hashes))})"
