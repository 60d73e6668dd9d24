"""Backups of a database that is in use, and the way back: SQLite by its online backup, PostgreSQL by pg_dump."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import URL, create_engine, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from models.artifact_files import sync_file, sync_folder
from serve.errors import DataCommandError
from serve.storage.migrate import NEWEST
from serve.storage.tables import metadata

SQLITE_MARK, POSTGRES_MARK = b"SQLite format 3\0", b"PGDMP"
#: A backup holds what customers wrote.
PRIVATE = 0o600
#: Seconds that a restore waits for the last one who uses a database.
PATIENCE = 5.0
LOOSE_ENDS = ("-wal", "-shm", "-journal")


def back_up(url: str, out: Path) -> str:
    """Write a backup of a database, as it is at one moment, while others read and write; return what there is to say.

    The file appears whole and checked, or not at all. Raises `DataCommandError`.
    """
    source = _url_of(url)
    if out.exists():
        raise DataCommandError(f"{out} exists already; name another file, or move that one away")
    with _beside(out) as temporary:
        if _is_sqlite(source):
            _copy_sqlite(_file_of(source), temporary)
        else:
            _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={temporary}"], source)
            _run(["pg_restore", "--list", str(temporary)], source)
        _put_in_place(temporary, out)
    return f"{out}: {out.stat().st_size / 1_000_000:,.1f} MB, checked; keep it as safe as the database itself"


def restore(url: str, backup: Path, replace: bool = False) -> str:
    """Make a database what a backup of it was; nobody may use it meanwhile. Returns what there is to say.

    Raises `DataCommandError` where the database holds rows, unless `replace` says that they may go; where it is in
    use; where the file is no sound backup, or one of the other kind or of a newer program.
    """
    target = _url_of(url)
    kind = _kind_of(backup)
    if kind != ("sqlite" if _is_sqlite(target) else "postgresql"):
        raise DataCommandError(f"{backup} is a backup of {kind}; name such a database with --database")
    if kind == "sqlite":
        _restore_sqlite(_file_of(target), backup, replace)
    else:
        _refuse_rows(target, replace)
        wanted = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
        _run(["pg_restore", *wanted, f"--dbname={target.database}", str(backup)], target)
    return f"restored from {backup}; the next start brings its tables up to date where they are older"


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database that is in use, in one step: a copy in several begins anew whenever somebody writes."""
    if not source.is_file():
        raise DataCommandError(f"{source}: there is no such database; check --database")
    try:
        with closing(sqlite3.connect(source, timeout=PATIENCE)) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").close()  # one file, without others beside it
        _check_sqlite(target)
    except sqlite3.Error as error:
        raise DataCommandError(f"{source}: cannot be backed up ({error}); check the disk and try again") from error


def _check_sqlite(path: Path) -> None:
    """Raise `DataCommandError` where a file is no sound database of this program, or of a newer one."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            found = connection.execute("PRAGMA integrity_check").fetchall()
            versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.Error as error:
            raise DataCommandError(f"{path} is no sound database of Firstline ({error})") from error
    if found != [("ok",)]:
        raise DataCommandError(f"{path} is damaged ({found[0][0]}); take another backup")
    if len(versions) != 1 or versions[0][0] > NEWEST:
        raise DataCommandError(f"{path} was made by a newer program than this, which knows {NEWEST}")


def _restore_sqlite(target: Path, backup: Path, replace: bool) -> None:
    with _beside(target) as temporary:
        shutil.copyfile(backup, temporary)
        try:
            _check_sqlite(temporary)
        except DataCommandError as error:
            raise DataCommandError(str(error).replace(str(temporary), str(backup))) from error
        with _alone(target, replace) if target.exists() else nullcontext():
            for end in LOOSE_ENDS:  # of the old file; with the new one they would damage it
                target.with_name(f"{target.name}{end}").unlink(missing_ok=True)
            _put_in_place(temporary, target)


@contextmanager
def _alone(target: Path, replace: bool) -> Iterator[None]:
    """Hold a database so that nobody else can use it; raise `DataCommandError` where somebody does, or it has rows.

    A file that is damaged can be replaced only, and nobody can hold it.
    """
    with closing(sqlite3.connect(target, timeout=PATIENCE, isolation_level=None)) as connection:
        try:
            # Leaving the write-ahead log takes that no other connection is open, an idle one included.
            connection.execute("PRAGMA journal_mode=DELETE").close()
            connection.execute("BEGIN EXCLUSIVE").close()
            rows = _rows_of(connection)
        except sqlite3.OperationalError as error:
            raise DataCommandError(f"{target} is in use ({error}); stop `firstline serve` first") from error
        except sqlite3.DatabaseError:
            rows = 1
        if rows and not replace:
            raise DataCommandError(f"{target} holds rows, which would be lost; back it up, then restore with --replace")
        yield


def _rows_of(connection: sqlite3.Connection) -> int:
    known = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    names = [table.name for table in metadata.sorted_tables if table.name in known]
    return sum(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names)  # noqa: S608


def _refuse_rows(target: URL, replace: bool) -> None:
    engine = create_engine(target)
    try:
        with engine.connect() as connection:
            known = set(inspect(connection).get_table_names())
            tables = [table for table in metadata.sorted_tables if table.name in known]
            rows = sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)
    except DBAPIError as error:
        raise DataCommandError("the database cannot be reached; check --database") from error
    finally:
        engine.dispose()
    if rows and not replace:
        raise DataCommandError("the database holds rows, which would be lost; back it up, then restore with --replace")


def _run(command: list[str], url: URL) -> None:
    """Run a program of PostgreSQL against a database; its password goes by the environment, which nobody else sees."""
    program = shutil.which(command[0])
    if program is None:
        raise DataCommandError(
            f"{command[0]} is not on the PATH; install PostgreSQL's client programs, of the server's version or newer"
        )
    done = subprocess.run([program, *command[1:]], env=_environment(url), capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        told = "; ".join(done.stderr.strip().splitlines()[:2]) or "it did not say why"
        raise DataCommandError(f"{command[0]} failed: {told}")


def _environment(url: URL) -> dict[str, str]:
    query = {name: value for name, value in url.query.items() if isinstance(value, str)}
    known: Mapping[str, str | None] = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port) if url.port else query.get("port"),
        "PGUSER": url.username,
        "PGPASSWORD": str(url.password) if url.password else None,
        "PGDATABASE": url.database,
        "PGSSLMODE": query.get("sslmode"),
    }
    return {**os.environ, **{name: value for name, value in known.items() if value}}


def _url_of(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        told = "--database is no URL; write for instance sqlite:///var/firstline.db"
        raise DataCommandError(told) from error


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _file_of(url: URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise DataCommandError("the database is only in memory; there is no file of it")
    return Path(url.database)


def _kind_of(backup: Path) -> str:
    try:
        with backup.open("rb") as file:
            begins = file.read(len(SQLITE_MARK))
    except OSError as error:
        raise DataCommandError(f"{backup} cannot be read ({error.strerror})") from error
    if begins == SQLITE_MARK:
        return "sqlite"
    if begins.startswith(POSTGRES_MARK):
        return "postgresql"
    raise DataCommandError(f"{backup} is no backup that `firstline database backup` made")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Make a private file beside another, for what is to take its place; gone at the end where it did not."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            yield Path(name)
        finally:
            for end in ("", *LOOSE_ENDS):
                Path(f"{name}{end}").unlink(missing_ok=True)
    except OSError as error:
        told = f"{path}: cannot be written ({error.strerror}); check the folder and the disk"
        raise DataCommandError(told) from error


def _put_in_place(temporary: Path, path: Path) -> None:
    temporary.chmod(PRIVATE)
    sync_file(temporary)
    temporary.replace(path)
    sync_folder(path.parent)
