"""Articles of a served desk, on SQLite and PostgreSQL: versions, what is served since when, and who may change it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import select

from retrieval.articles import Article
from serve.errors import PreconditionFailed
from serve.storage.article_store import ADOPTED, ArticleStore, Change, Encoded
from serve.storage.database import Database
from serve.storage.tables import audit_log

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ME = Change("key-1", NOW)
REFUNDS = Article("kb-1", "Refunds", "Refunds take 5 days.", audience="public", status="published")
VECTORS = Encoded("hashing-8", "abc", np.eye(8, dtype=np.float32)[:1])


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> ArticleStore:
    store = ArticleStore(database)
    assert store.adopt("demo", [(REFUNDS, "sha")], Change("folder", NOW))
    return store


def served(store: ArticleStore, desk: str = "demo", until: int | None = None) -> dict[str, str]:
    return {id: article.markdown for id, article in store.published(desk, until).articles.items() if article}


def test_a_folder_is_adopted_once(store: ArticleStore) -> None:
    assert not store.adopt("demo", [(replace(REFUNDS, markdown="Later."), "sha")], ME)
    assert (store.revision("demo"), served(store)) == (ADOPTED, {"kb-1": "Refunds take 5 days."})


def test_of_workers_that_adopt_at_once_one_does(database: Database) -> None:
    store = ArticleStore(database)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: store.adopt("demo", [(REFUNDS, "sha")], ME), range(8)))
    assert sorted(found) == [False] * 7 + [True]
    assert served(store) == {"kb-1": "Refunds take 5 days."}


def test_a_published_version_is_served_and_the_one_before_is_kept(store: ArticleStore) -> None:
    made = store.put("demo", replace(REFUNDS, markdown="Refunds take 3 days."), VECTORS, ME)
    assert (made.latest, made.published, made.article.revision, store.revision("demo")) == (2, 2, 2, 2)
    assert served(store) == {"kb-1": "Refunds take 3 days."}
    before = store.get("demo", "kb-1", 1)
    assert before is not None
    assert before.article == REFUNDS


def test_a_draft_changes_nothing_that_is_served(store: ArticleStore) -> None:
    made = store.put("demo", replace(REFUNDS, markdown="Never.", status="draft"), None, ME)
    assert (made.latest, made.published, store.revision("demo")) == (2, 1, ADOPTED)
    assert served(store) == {"kb-1": "Refunds take 5 days."}
    latest = store.get("demo", "kb-1")
    assert latest is not None
    assert latest.article.markdown == "Never."


def test_what_was_deleted_is_gone_and_can_come_back(store: ArticleStore) -> None:
    assert store.delete("demo", "kb-1", ME)
    assert not store.delete("demo", "kb-1", ME)
    assert (store.get("demo", "kb-1"), served(store), store.revision("demo")) == (None, {}, 2)
    assert store.list("demo", 10) == []
    assert store.put("demo", REFUNDS, VECTORS, replace(ME, if_version=0)).latest == 2
    assert served(store) == {"kb-1": "Refunds take 5 days."}


def test_deleting_a_draft_changes_nothing_that_is_served(store: ArticleStore) -> None:
    store.put("demo", Article("kb-2", "Draft", "Not yet."), None, ME)
    assert store.delete("demo", "kb-2", ME)
    assert store.revision("demo") == ADOPTED


def test_every_revision_can_be_looked_at_again(store: ArticleStore) -> None:
    for days in (4, 3):
        store.put("demo", replace(REFUNDS, markdown=f"Refunds take {days} days."), VECTORS, ME)
    store.delete("demo", "kb-1", ME)
    store.put("demo", Article("kb-2", "Fees", "None.", status="published"), VECTORS, ME)
    found = [served(store, until=revision).get("kb-1", "") for revision in range(6)]
    assert found == ["", "Refunds take 5 days.", "Refunds take 4 days.", "Refunds take 3 days.", "", ""]


def test_changes_are_told_from_a_revision_on_and_up_to_another(store: ArticleStore) -> None:
    store.put("demo", Article("kb-2", "Fees", "None.", status="published"), VECTORS, ME)
    store.delete("demo", "kb-1", ME)
    later = store.served("demo", since=2)
    assert (later.revision, later.articles) == (3, {"kb-1": None})
    early = store.served("demo", since=1, until=2)
    assert early.revision == 2
    assert {id: bool(article) for id, article in early.articles.items()} == {"kb-1": True, "kb-2": True}


def test_who_knows_an_older_version_is_refused(store: ArticleStore) -> None:
    store.put("demo", REFUNDS, VECTORS, replace(ME, if_version=1))
    with pytest.raises(PreconditionFailed, match="at version 2, not 1"):
        store.put("demo", REFUNDS, VECTORS, replace(ME, if_version=1))
    with pytest.raises(PreconditionFailed, match="at version 2, not 1"):
        store.delete("demo", "kb-1", replace(ME, if_version=1))
    assert store.revision("demo") == 2


def test_writers_at_once_each_get_a_version_and_a_revision(store: ArticleStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: store.put("demo", REFUNDS, VECTORS, ME).latest, range(16)))
    assert sorted(made) == list(range(2, 18))
    assert store.revision("demo") == 17


def test_desks_do_not_see_each_other(store: ArticleStore) -> None:
    store.adopt("other", [(replace(REFUNDS, markdown="Elsewhere."), "sha")], ME)
    store.put("other", REFUNDS, VECTORS, ME)
    store.delete("other", "kb-1", ME)
    assert (store.get("other", "kb-1"), store.revision("demo"), served(store)) == (
        None, ADOPTED, {"kb-1": "Refunds take 5 days."},
    )  # fmt: skip


def test_vectors_are_those_of_their_encoder(store: ArticleStore) -> None:
    article = store.put("demo", REFUNDS, VECTORS, ME).article
    found = store.vectors("demo", article, "hashing-8", 8)
    assert found is not None
    assert found.texts == "abc"
    assert np.array_equal(found.vectors, VECTORS.vectors)
    assert store.vectors("demo", article, "another", 8) is None
    store.keep("demo", article, replace(VECTORS, texts="def"))
    again = store.vectors("demo", article, "hashing-8", 8)
    assert again is not None
    assert again.texts == "def"


def test_a_list_goes_on_where_a_page_ended(store: ArticleStore) -> None:
    for number in range(2, 6):
        store.put("demo", Article(f"kb-{number}", "Title", "Text."), None, ME)
    first = store.list("demo", 3)
    rest = store.list("demo", 3, first[-1].article.id)
    assert [one.article.id for one in (*first, *rest)] == [f"kb-{number}" for number in range(1, 6)]


def test_every_change_is_in_the_audit_log(store: ArticleStore, database: Database) -> None:
    store.put("demo", REFUNDS, VECTORS, ME)
    store.put("demo", replace(REFUNDS, status="draft"), None, ME)
    store.delete("demo", "kb-1", ME)
    with database.reading() as connection:
        told = [(row.actor, row.action) for row in connection.execute(select(audit_log).order_by(audit_log.c.id))]
    assert told[0] == ("folder", "articles.adopt")
    assert told[1:] == [("key-1", f"article.{action}") for action in ("publish", "draft", "delete")]
