"""A desk as one process serves it: the current generation, the knowledge as it is now, and the way back."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from threading import Lock

from models.protocols import TextEncoder
from retrieval.article_changes import ChangedArticle, Changes
from retrieval.article_files import read_file, read_markdown_file
from retrieval.articles import Article, to_document
from retrieval.documents import Document
from retrieval.errors import ArticleError
from retrieval.live_search import LiveSearch, Snapshot
from retrieval.passages import split_into_passages, text_to_encode
from serve.storage.article_store import ArticleStore, Change, Encoded, hash_of_texts
from triage.assembly import Share, engine_of, generations_of
from triage.compaction import compact
from triage.desk_files import read_rules
from triage.engine import TriageEngine
from triage.errors import GenerationError
from triage.generations import Generation
from triage.history import TicketHistory

log = logging.getLogger("firstline.serve")


@dataclass(frozen=True)
class DeskPlace:
    """Where a desk lies and what it is served with.

    share: see `triage.assembly.engine_of`; history: what the desk knows of its tickets, for an encoder.
    """

    folder: Path
    var: Path
    articles: ArticleStore
    share: Share
    history: Callable[[str, TextEncoder], TicketHistory]


@dataclass(frozen=True)
class _Base:
    """A generation that is served, before any change."""

    engine: TriageEngine
    revision: int
    live: LiveSearch


class ServedDesk:
    """One desk. Safe from many threads: `refresh` in one, all else in all.

    A request takes `engine` once and keeps it: what it names of versions is what it was made with.
    """

    def __init__(self, place: DeskPlace) -> None:
        """Load the newest sound generation. Raises what `triage.assembly.build_engine` raises."""
        self.place = place
        self.settings = read_rules(place.folder).settings
        self.id = self.settings.id
        self._generations = generations_of(self.settings, place.var)
        self._refused: tuple[object, ...] = ()
        self._earlier: dict[tuple[str, int], TriageEngine] = {}
        self._looking_back = Lock()
        generation = self._generations.open_current(log.error)
        self._base = self._open(generation)
        self._engine = _engine(self._base.engine, self._base.live.snapshot)

    @property
    def engine(self) -> TriageEngine:
        """What decides now: one generation, one revision of the knowledge."""
        return self._engine

    @property
    def live(self) -> LiveSearch:
        """The search that follows changes."""
        return self._base.live

    def refresh(self) -> bool:
        """Take in a new generation and what changed in the knowledge; tell whether anything did.

        A generation that is not sound is refused once, and what is served stays.
        """
        current = self._generations.current_name()
        if current != self._base.engine.versions.generation and self._mark_of(current) != self._refused:
            mark = self._mark_of(current)  # as it is before it is read
            try:
                self._base = self._open(self._generations.open(current))
                self._refused = ()
            except Exception as error:
                log.error("generation %s of desk %s is refused: %s", current, self.id, type(error).__name__)
                self._refused = mark
        self._base.live.refresh()
        found = _engine(self._base.engine, self._base.live.snapshot)
        if found.versions == self._engine.versions:
            return False
        self._engine = found
        return True

    def _mark_of(self, generation: str) -> tuple[object, ...]:
        """Return what tells a generation from a later one in its place: numbers that are free again are given again."""
        try:
            found = (self._generations.root / generation).stat()
        except OSError:
            return (generation,)
        return generation, found.st_ino, found.st_ctime_ns

    @property
    def refuses_current(self) -> bool:
        """Whether the current generation was looked at and found unsound, so that another serves."""
        return bool(self._refused) and not self.serves_current

    @property
    def serves_current(self) -> bool:
        """Whether the current generation is what is served: not before it was taken up, and not where it is refused."""
        return self._generations.current_name() == self._base.engine.versions.generation

    def encoded(self, article: Article) -> Encoded:
        """Return the vectors of an article's passages: slow, so never to be called inside a transaction.

        Raises `ArticleError` where the article has no text.
        """
        return self._encoded(to_document(article), self._base.engine.encoder)

    def engine_at(self, generation: str, revision: int) -> TriageEngine:
        """Return what decided at a generation and a revision. Raises `GenerationError` where that is gone."""
        engine = self._engine
        if (engine.versions.generation, engine.versions.knowledge_revision) == (generation, revision):
            return engine
        with self._looking_back:
            if (generation, revision) not in self._earlier:
                if generation not in self._generations.names():
                    raise GenerationError(f"generation {generation} of desk {self.id} is no longer there")
                base = self._open(self._generations.open(generation), revision)
                # One is kept: who looks back at a day's decisions asks for the same again.
                self._earlier = {(generation, revision): _engine(base.engine, base.live.snapshot)}
            return self._earlier[generation, revision]

    def compacted(self, now: datetime) -> Generation:
        """Publish a generation with the knowledge as it is now; every worker, this one too, takes it up by itself."""
        base, encoder = self._base.engine.versions.generation, self._base.engine.encoder
        served = self.place.articles.published(self.id)
        found = [article for article in served.articles.values() if article is not None]
        articles = [self._known_vectors(article, to_document(article), encoder) for article in found]
        made = compact(self._generations.open(base), articles, served.revision, self._generations, now)
        self._generations.purge(self.settings.generations_kept)
        return made

    def _open(self, generation: Generation, until: int | None = None) -> _Base:
        engine = engine_of(generation, self.place.folder, self.place.var, share=self.place.share)
        engine = replace(engine, history=self.place.history(self.id, engine.encoder))
        encoded = partial(self._known_vectors, encoder=engine.encoder)
        changes = StoredChanges(self.place.articles, self.id, engine.search.documents, encoded, until)
        revision = engine.versions.knowledge_revision
        return _Base(engine, revision, LiveSearch(engine.search, revision, changes))

    def _known_vectors(self, article: Article, document: Document, encoder: TextEncoder) -> ChangedArticle:
        """Return an article as it is searched, with vectors from the store where it has them."""
        passages = tuple(split_into_passages(document))
        stored = self.place.articles.vectors(self.id, article, encoder.identity, encoder.dimension)
        texts = hash_of_texts([text_to_encode(document, passage) for passage in passages])
        if stored is None or stored.texts != texts:
            stored = self._encoded(document, encoder)
            self.place.articles.keep(self.id, article, stored)
        return ChangedArticle(document, passages, stored.vectors)

    def _encoded(self, document: Document, encoder: TextEncoder) -> Encoded:
        texts = [text_to_encode(document, passage) for passage in split_into_passages(document)]
        return Encoded(encoder.identity, hash_of_texts(texts), encoder.encode(texts))


class StoredChanges:
    """What changed in a desk's articles, for a `LiveSearch`.

    A base that was built from the folder (revision 0) has no number to count on from: it is compared article by article
    with what is served. until: the revision to stop at, None for none.
    """

    def __init__(
        self,
        articles: ArticleStore,
        desk: str,
        base: Mapping[str, Document],
        encoded: Callable[[Article, Document], ChangedArticle],
        until: int | None = None,
    ) -> None:
        self._articles, self._desk, self._base = articles, desk, base
        self._encoded, self._until = encoded, until

    def since(self, revision: int) -> Changes:
        """Return what changed after a revision; see `retrieval.article_changes.ArticleChanges`."""
        now = self._articles.revision(self._desk) if self._until is None else self._until
        if now <= revision:
            return Changes(now)
        served = (
            self._articles.served(self._desk, revision, now) if revision else self._articles.published(self._desk, now)
        )
        deleted = {id for id, article in served.articles.items() if article is None}
        upserts = []
        for id, article in served.articles.items():
            if article is None:
                continue
            try:
                document = to_document(article)
            except ArticleError:  # checked when it was stored; other code may see it otherwise
                log.error("article %s of desk %s cannot be read and is left out", id, self._desk)
                deleted.add(id)
                continue
            if revision or self._base.get(id) != document:
                upserts.append(self._encoded(article, document))
        if not revision:
            deleted |= self._base.keys() - served.articles.keys()
        return Changes(served.revision, tuple(upserts), frozenset(deleted))


def adopt_folder(folder: Path, desk: str, articles: ArticleStore, now: datetime) -> bool:
    """Take a folder's articles into the database, once; from then on the database is the truth.

    A file that is no article is left out, as a build leaves it out.
    """
    if articles.revision(desk):
        return False
    found: dict[str, tuple[Article, str]] = {}
    for path in sorted((folder / "articles").glob("*.md")):
        try:
            article = read_markdown_file(path)
            to_document(article)
            found.setdefault(article.id, (replace(article, path=Path()), sha256(read_file(path)).hexdigest()))
        except ArticleError as error:
            log.warning("%s:%s is left out: it is no article", path.name, error.line)
    return articles.adopt(desk, found.values(), Change("folder", now))


def _engine(base: TriageEngine, snapshot: Snapshot) -> TriageEngine:
    versions = base.versions.model_copy(update={"knowledge_revision": snapshot.revision})
    return replace(base, search=snapshot.search, versions=versions)
