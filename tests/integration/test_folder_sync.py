"""A desk folder's articles and the database that serves them: both ways, without losing anybody's edit."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retrieval.articles import Article, file_text
from retrieval.errors import ArticleError
from serve.folder_sync import fetch_folder, publish_folder, served_articles
from serve.served_desk import adopt_folder
from serve.storage.article_store import ArticleStore, Change
from serve.storage.database import Database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ME = Change("key-1", NOW)
FEES = Article("kb-1", "Fees", "Fees are 2 pounds.", "public", "published")
TIMES = Article("kb-2", "Times", "Open from nine.", "public", "published")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ArticleStore]:
    database = Database.open(f"sqlite:///{tmp_path / 'firstline.db'}")
    yield ArticleStore(database)
    database.close()


@pytest.fixture
def folder(tmp_path: Path, store: ArticleStore) -> Path:
    for article in (FEES, TIMES):
        write(tmp_path, article)
    assert adopt_folder(tmp_path, "demo", store, NOW)
    return tmp_path


def write(folder: Path, article: Article) -> None:
    (folder / "articles").mkdir(exist_ok=True)
    (folder / "articles" / f"{article.id}.md").write_text(file_text(article), encoding="utf-8")


def text(folder: Path, id: str) -> str:
    return (folder / "articles" / f"{id}.md").read_text(encoding="utf-8")


def served(store: ArticleStore) -> dict[str, str]:
    found = served_articles("demo", store)
    assert found is not None
    return {document.id: document.text.strip() for document in found[0]}


def test_a_desk_that_was_never_served_is_its_folder(store: ArticleStore) -> None:
    assert served_articles("demo", store) is None


def test_nothing_moves_where_both_sides_agree(folder: Path, store: ArticleStore) -> None:
    assert publish_folder(folder, "demo", store, NOW).unchanged == ["kb-1", "kb-2"]
    assert fetch_folder(folder, "demo", store).unchanged == ["kb-1", "kb-2"]


def test_an_edited_file_is_published_once(folder: Path, store: ArticleStore) -> None:
    write(folder, replace(FEES, markdown="Fees are 3 pounds."))
    assert publish_folder(folder, "demo", store, NOW).written == ["kb-1"]
    assert served(store)["kb-1"] == "Fees are 3 pounds."
    assert publish_folder(folder, "demo", store, NOW).written == []
    assert fetch_folder(folder, "demo", store).written == []


def test_a_new_file_is_published_and_one_that_is_gone_is_not_deleted(folder: Path, store: ArticleStore) -> None:
    write(folder, replace(FEES, id="kb-3"))
    (folder / "articles" / "kb-2.md").unlink()
    assert publish_folder(folder, "demo", store, NOW).written == ["kb-3"]
    assert set(served(store)) == {"kb-1", "kb-2", "kb-3"}


def test_an_edit_in_the_service_is_fetched_once(folder: Path, store: ArticleStore) -> None:
    store.put("demo", replace(FEES, markdown="Fees are 4 pounds."), None, ME)
    assert fetch_folder(folder, "demo", store).written == ["kb-1"]
    assert "Fees are 4 pounds." in text(folder, "kb-1")
    assert fetch_folder(folder, "demo", store).written == []
    assert publish_folder(folder, "demo", store, NOW).written == []


def test_what_was_edited_on_both_sides_is_refused_both_ways_until_somebody_decides(
    folder: Path, store: ArticleStore
) -> None:
    store.put("demo", replace(FEES, markdown="Fees are 4 pounds."), None, ME)
    write(folder, replace(FEES, markdown="Fees are 5 pounds."))
    done = publish_folder(folder, "demo", store, NOW)
    assert (done.written, done.refused) == ([], ["kb-1"])
    assert "Changed on both sides: kb-1" in done.text("published")
    assert fetch_folder(folder, "demo", store).refused == ["kb-1"]
    assert (served(store)["kb-1"], "5 pounds" in text(folder, "kb-1")) == ("Fees are 4 pounds.", True)
    assert publish_folder(folder, "demo", store, NOW, overwrite=True).written == ["kb-1"]
    assert served(store)["kb-1"] == "Fees are 5 pounds."


def test_what_was_deleted_in_the_service_does_not_come_back_with_its_old_file(
    folder: Path, store: ArticleStore
) -> None:
    store.delete("demo", "kb-1", ME)
    assert publish_folder(folder, "demo", store, NOW).written == []
    assert set(served(store)) == {"kb-2"}


def test_a_broken_file_stops_all_before_anything_is_stored(folder: Path, store: ArticleStore) -> None:
    write(folder, replace(FEES, markdown="Fees are 6 pounds."))
    (folder / "articles" / "zz.md").write_text("no front matter", encoding="utf-8")
    with pytest.raises(ArticleError, match=r"zz\.md"):
        publish_folder(folder, "demo", store, NOW)
    assert served(store)["kb-1"] == "Fees are 2 pounds."
