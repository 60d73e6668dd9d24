"""A desk folder's articles and those of the database that serves the desk: over there, and back here."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from models.artifact_files import write_bytes_atomically
from retrieval.article_files import read_file, read_markdown_file
from retrieval.articles import Article, file_text, to_document
from retrieval.documents import Document
from retrieval.errors import ArticleError
from serve.storage.article_store import ArticleStore, Change, StoredArticle
from serve.storage.audit_log import COMMAND_LINE

PAGE = 200


@dataclass
class Synced:
    """What came of it, by id; refused: articles that were changed on both sides since they last agreed."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def text(self, done: str) -> str:
        """Say it in a few lines; done: a word for what happened to those that were written."""
        lines = [f"{len(self.written)} {done}, {len(self.unchanged)} unchanged, {len(self.refused)} refused"]
        if self.refused:
            shown = ", ".join(self.refused[:10]) + (", …" if len(self.refused) > 10 else "")
            lines.append(f"Changed on both sides: {shown}. Use --replace to overwrite them.")
        return "\n".join(lines)


def publish_folder(folder: Path, desk: str, store: ArticleStore, now: datetime, overwrite: bool = False) -> Synced:
    """Store the files that were edited since they last agreed with the database.

    One that was changed there, too, is refused; what only the database has stays. Raises `ArticleError` for a file that
    is no article, before anything is stored.
    """
    done, standings = Synced(), store.standings(desk)
    for article, source, _ in list(_files(folder)):
        known = standings.get(article.id)
        stored = store.get(desk, article.id)
        if known is not None and (known.source == source or (stored and _same(stored.article, article))):
            done.unchanged.append(article.id)
        elif known is not None and known.latest != known.synced and not overwrite:
            done.refused.append(article.id)
        else:
            version = stored.latest if stored else 0
            store.put(desk, article, None, Change(COMMAND_LINE, now, version, source))
            done.written.append(article.id)
    return done


def fetch_folder(folder: Path, desk: str, store: ArticleStore, overwrite: bool = False) -> Synced:
    """Write the articles that were changed in the database since they last agreed with their files.

    A file that was edited, too, is refused; what only the folder has stays.
    """
    done, standings = Synced(), store.standings(desk)
    files = {article.id: (article, source, path) for article, source, path in _files(folder)}
    (folder / "articles").mkdir(exist_ok=True)
    for stored in _all(store, desk):
        article, known = stored.article, standings[stored.article.id]
        here, source, path = files.get(article.id, (None, known.source, folder / "articles" / f"{article.id}.md"))
        if here is not None and (known.latest == known.synced or _same(here, article)):
            done.unchanged.append(article.id)
        elif source != known.source and not overwrite:
            done.refused.append(article.id)
        else:
            data = file_text(article).encode()
            write_bytes_atomically(path, data)
            store.agree(desk, article, sha256(data).hexdigest())
            done.written.append(article.id)
    return done


def served_articles(desk: str, store: ArticleStore) -> tuple[tuple[Document, ...], int] | None:
    """Return what the database serves for a desk, and as of which revision; None where the folder is the truth."""
    served = store.published(desk)
    if served.revision == 0:
        return None
    return tuple(to_document(article) for article in served.articles.values() if article is not None), served.revision


def _files(folder: Path) -> Iterator[tuple[Article, str, Path]]:
    """Yield the folder's articles with the SHA-256 of their files; raise `ArticleError` for an id that comes twice."""
    seen: dict[str, Path] = {}
    for path in sorted((folder / "articles").glob("*.md")):
        article = read_markdown_file(path)
        to_document(article)
        if article.id in seen:
            problem = f"the id {article.id!r} is {seen[article.id].name}'s already"
            raise ArticleError(path, 1, problem, "give one of them another id")
        seen[article.id] = path
        yield replace(article, path=Path()), sha256(read_file(path)).hexdigest(), path


def _all(store: ArticleStore, desk: str) -> Iterator[StoredArticle]:
    after = ""
    while found := store.list(desk, PAGE, after):
        yield from found
        after = found[-1].article.id


def _same(one: Article, other: Article) -> bool:
    """Tell whether two say the same; the number of the version is each side's own."""
    return replace(one, revision=1, updated="") == replace(other, revision=1, updated="")
