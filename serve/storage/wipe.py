"""Overwrites what was removed: a database keeps the bytes of deleted rows until the place is used again."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from serve.storage.database import Database

#: Those that hold words of customers.
TABLES = ("tickets", "messages", "suggestions", "feedback", "idempotency_keys")
#: How often the end of the write-ahead log is asked for; each time waits for readers as long as a writer waits.
TRIES = 3


def wipe(database: Database) -> bool:
    """Write the tables anew without what was removed from them; False where others were in the way for too long.

    SQLite: the whole file (VACUUM), and its write-ahead log is emptied; nobody can write meanwhile. PostgreSQL: the
    files of `TABLES` (VACUUM FULL); nobody can use a table while it is written. What remains is outside: PostgreSQL's
    own write-ahead log until it comes round, backups, replicas, and blocks of the disk that the file system gave free.
    """
    try:
        with database.reading() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("VACUUM")
                return any(
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0] == 0 for _ in range(TRIES)
                )
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.execute(text("SET lock_timeout = '5s'"))
            try:
                for table in TABLES:
                    alone.execute(text(f"VACUUM (FULL, ANALYZE) {table}"))
            finally:
                alone.execute(text("RESET lock_timeout"))
    except DBAPIError:
        return False
    return True
