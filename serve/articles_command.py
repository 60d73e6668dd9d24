"""``firstline articles publish`` and ``fetch``: a folder's articles and those of the database that serves the desk."""

from datetime import datetime
from pathlib import Path

from retrieval.documents import Document
from serve.errors import DataCommandError
from serve.folder_sync import fetch_folder, publish_folder, served_articles
from serve.served_desk import adopt_folder
from serve.storage.article_store import ArticleStore
from serve.storage.database import Database
from triage.desk_files import read_rules


def publish(folder: Path, database_url: str, overwrite: bool, now: datetime) -> str:
    """Store a folder's edited articles in the database, and say what came of it. Raises `ArticleError`."""
    desk = read_rules(folder).settings.id
    database = Database.open(database_url)
    try:
        store = ArticleStore(database)
        if adopt_folder(folder, desk, store, now):
            return f"{len(store.standings(desk))} articles taken over; from now on the database is what is served"
        done = publish_folder(folder, desk, store, now, overwrite)
    finally:
        database.close()
    return done.text("published: served within a second")


def fetch(folder: Path, database_url: str, overwrite: bool) -> str:
    """Write the articles that were edited in the service into the folder, and say what came of it.

    Raises `DataCommandError` for a desk that was never served.
    """
    desk = read_rules(folder).settings.id
    database = Database.open(database_url)
    try:
        store = ArticleStore(database)
        if not store.revision(desk):
            raise DataCommandError(f"{folder} was never served from this database; there is nothing to fetch")
        return fetch_folder(folder, desk, store, overwrite).text("written")
    finally:
        database.close()


def articles_of_database(folder: Path, database_url: str) -> tuple[tuple[Document, ...], int] | None:
    """Return what the database serves for a folder's desk, and its revision; None where the folder is the truth.

    A SQLite file that is not there is not made.
    """
    if database_url.startswith("sqlite:///") and not Path(database_url.removeprefix("sqlite:///")).exists():
        return None
    database = Database.open(database_url)
    try:
        return served_articles(read_rules(folder).settings.id, ArticleStore(database))
    finally:
        database.close()
