"""Reads articles from a file or a whole folder, of every format, and says what could not be read."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from models.protocols import Progress, no_progress
from retrieval.article_files import read_html_file, read_markdown_file
from retrieval.article_records import KEPT_BACK, SUFFIXES, Refuse, Unstated, kind_of, read_records
from retrieval.articles import Article, to_document
from retrieval.documents import Document
from retrieval.errors import ArticleError

MARKDOWN = (".md", ".markdown")
HTML = (".html", ".htm", ".xhtml")
#: Those that may be packed with gzip.
EXPORTS = frozenset(SUFFIXES)
READ = frozenset((*MARKDOWN, *HTML, *SUFFIXES))


@dataclass(frozen=True)
class ArticlesRead:
    """What a source gave, in the order of its files.

    articles and documents belong together, one by one; refusals: what was skipped, each with file, line, problem and
    remedy; left_alone: how many files are of kinds that hold no articles, by suffix.
    """

    articles: tuple[Article, ...]
    documents: tuple[Document, ...]
    refusals: tuple[ArticleError, ...]
    left_alone: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadChoices:
    """How a source is read. now: with a time zone; strict: the first thing that is not right is raised."""

    now: datetime
    unstated: Unstated = KEPT_BACK
    strict: bool = False


def read_source(source: Path, choices: ReadChoices, progress: Progress = no_progress) -> ArticlesRead:
    """Read a file, or every file of a folder and its subfolders.

    A broken file or record is skipped and listed; of two articles with one id the later one is. Raises `ArticleError`
    for a source that does not exist or is of no known format, and at the first refusal where that is asked for.
    """
    paths, left_alone = _files(source)
    refusals: list[ArticleError] = []

    def refuse(error: ArticleError) -> None:
        if choices.strict:
            raise error
        refusals.append(error)

    found: dict[str, tuple[Article, Document]] = {}
    for number, path in enumerate(paths):
        progress("read articles", number, len(paths))
        for article in _articles_of(path, choices, refuse):
            try:
                document = to_document(article)
                if article.id in found:
                    raise _twice(article, found[article.id][0])
            except ArticleError as error:
                refuse(error)
            else:
                found[article.id] = (article, document)
    progress("read articles", len(paths), len(paths))
    articles, documents = (tuple(pair[side] for pair in found.values()) for side in (0, 1))
    return ArticlesRead(articles, documents, tuple(refusals), left_alone)  # type: ignore[arg-type]


def _articles_of(path: Path, choices: ReadChoices, refuse: Refuse) -> Iterator[Article]:
    kind = kind_of(path)
    try:
        if kind in MARKDOWN:
            yield read_markdown_file(path)
        elif kind in HTML:
            yield read_html_file(path)
        else:
            yield from read_records(path, choices.now, choices.unstated, refuse)
    except ArticleError as error:
        refuse(error)


def _files(source: Path) -> tuple[list[Path], dict[str, int]]:
    """Return the files that are read, in order of their paths, and how many others there are by suffix."""
    if source.is_file():
        if not _is_read(source):
            remedy = f"give a folder or a file of the kinds {', '.join(sorted(READ))}"
            raise ArticleError(source, 1, f"files of the kind {kind_of(source)!r} are not read", remedy)
        return [source], {}
    if not source.is_dir():
        raise ArticleError(source, 1, "there is no such file or folder", "check its name")
    paths: list[Path] = []
    others: Counter[str] = Counter()
    # Links to folders are not followed: they may lead in a circle.
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            if _is_read(path):
                paths.append(path)
            else:
                others[path.suffix.lower() or path.name] += 1
    return sorted(paths), dict(sorted(others.items()))


def _is_read(path: Path) -> bool:
    return kind_of(path) in (EXPORTS if path.suffix == ".gz" else READ)


def _twice(article: Article, first: Article) -> ArticleError:
    problem = f"the id {article.id!r} is that of {first.path}:{first.line} already"
    return ArticleError(article.path, article.line, problem, "give one of them another id")
