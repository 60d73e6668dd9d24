"""Search that follows the knowledge: an index that never changes, what changed since, and what must not come back."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from models.protocols import FloatArray
from retrieval.article_changes import ArticleChanges, ChangedArticle
from retrieval.documents import Document, Hit
from retrieval.errors import DamagedIndexError
from retrieval.lexical_index import count_words
from retrieval.passages import text_to_encode
from retrieval.search import PassageSearch

#: Past either, the base should be built anew: the changes are searched one by one, and weigh words as the base does.
MAX_CHANGED_SHARE = 0.05
MAX_CHANGED_PASSAGES = 1_000


@dataclass(frozen=True)
class Snapshot:
    """All that one search sees. Whoever searches twice for one answer takes it once and searches in it.

    revision: of the knowledge; changed: how many passages came or went since the base was built; left_out: ids of
    articles whose passages or vectors do not fit the base: neither their old nor their new text is found.
    """

    search: PassageSearch
    revision: int
    base_passages: int
    changed: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def needs_compaction(self) -> bool:
        """Whether so much changed that the base should be built anew."""
        return self.changed > min(MAX_CHANGED_PASSAGES, MAX_CHANGED_SHARE * self.base_passages)


class LiveSearch:
    """A `PassageSearch` that follows changes. Safe from many threads: `refresh` in one, `find` in all.

    The ranking is that of `PassageSearch`, over the base's rows and the changed ones together. Where the base is exact
    the cosines are those of a search built anew; BM25 stands in `LexicalIndex.with_changes`.
    """

    def __init__(self, base: PassageSearch, revision: int, changes: ArticleChanges) -> None:
        """base: as of `revision`. Asks for changes at once: what was deleted since is never served."""
        self._changes = changes
        self._changing = Lock()
        self._base = _Base(base, revision)
        self._latest: _Latest
        self._latest, self._snapshot = self._base.followed(changes)

    @property
    def snapshot(self) -> Snapshot:
        """What is searched now."""
        return self._snapshot

    @property
    def documents(self) -> Mapping[str, Document]:
        """The articles that can be found now, by id."""
        return self._snapshot.search.documents

    @property
    def needs_compaction(self) -> bool:
        """Whether so much changed that the base should be built anew."""
        return self._snapshot.needs_compaction

    def find(
        self,
        query: str,
        vector: FloatArray,
        limit: int = 10,
        allowed: Callable[[Document], bool] = lambda document: True,
    ) -> list[Hit]:
        """Return the best passages as `PassageSearch.find` does, all from one snapshot."""
        return self._snapshot.search.find(query, vector, limit, allowed)

    def refresh(self) -> bool:
        """Take in what changed, and tell whether anything did. Raises what the changes raise, and stays as it was.

        Raises `DamagedIndexError` where the knowledge is older than what is served, so of another database.
        """
        with self._changing:
            found = self._base.changed(self._latest, self._changes, self._snapshot.revision)
            if found is None:
                return False
            self._latest, self._snapshot = found
            return True

    def rebase(self, base: PassageSearch, revision: int) -> None:
        """Search another base, newer or older. All changes after its revision are asked for again, so none is lost."""
        found = _Base(base, revision)
        with self._changing:
            self._latest, self._snapshot = found.followed(self._changes)
            self._base = found


@dataclass(frozen=True)
class _Change:
    """An article's last state: None where it is not to be found; counts: of the words of each passage."""

    article: ChangedArticle | None
    counts: tuple[Counter[str], ...] = ()
    fits: bool = True


_Latest = Mapping[str, _Change]


class _Base:
    """A search that was built, at a revision, and where its articles' rows are."""

    def __init__(self, search: PassageSearch, revision: int) -> None:
        self.search = search
        self.revision = revision
        self._rows: dict[str, list[int]] = {}
        for row, passage in enumerate(search.passages):
            self._rows.setdefault(passage.document_id, []).append(row)

    def followed(self, source: ArticleChanges) -> "tuple[_Latest, Snapshot]":
        """Return the state after all changes since the base was built."""
        return self.changed({}, source, self.revision) or ({}, self.snapshot({}, self.revision))

    def changed(self, latest: _Latest, source: ArticleChanges, revision: int) -> tuple[_Latest, Snapshot] | None:
        """Return the state after the next changes, where there are any."""
        changes = source.since(revision)
        if changes.revision < revision:
            raise DamagedIndexError(
                f"the knowledge is at revision {changes.revision}, what is searched at {revision}: they are of "
                "different databases; build the desk again"
            )
        if changes.revision == revision:
            return None
        latest = {
            **latest,
            **{article.document.id: self._change(article) for article in changes.upserts},
            **dict.fromkeys(changes.deleted, _Change(None)),
        }
        return latest, self.snapshot(latest, changes.revision)

    def snapshot(self, latest: _Latest, revision: int) -> Snapshot:
        """Return the base with changes on it: every changed article's rows hidden, and its new ones added."""
        if not latest:
            return Snapshot(self.search, revision, len(self.search.passages))
        hidden = [row for id in latest for row in self._rows.get(id, ())]
        found = [(change.article, change.counts) for change in latest.values() if change.article]
        passages = [passage for article, _ in found for passage in article.passages]
        counts = [count for _, counted in found for count in counted]
        unchanged = {id: document for id, document in self.search.documents.items() if id not in latest}
        search = replace(
            self.search,
            documents=unchanged | {article.document.id: article.document for article, _ in found},
            passages=[*self.search.passages, *passages],
            dense=self.search.dense.with_changes(hidden, self._vectors([article for article, _ in found])),
            lexical=self.search.lexical.with_changes(hidden, counts),
        )
        left_out = tuple(sorted(id for id, change in latest.items() if not change.fits))
        return Snapshot(search, revision, len(self.search.passages), len(hidden) + len(passages), left_out)

    def _change(self, article: ChangedArticle) -> _Change:
        """Return what an article changes. Only published ones are found, as in a build."""
        if article.document.status != "published":
            return _Change(None)
        if not self._fits(article):
            return _Change(None, fits=False)
        texts = (text_to_encode(article.document, passage) for passage in article.passages)
        return _Change(article, tuple(count_words(text) for text in texts))

    def _fits(self, article: ChangedArticle) -> bool:
        """Tell whether an article can be searched beside the base's; one that cannot must not keep others out."""
        vectors = article.vectors
        if vectors.shape != (len(article.passages), self.search.dense.card.dimension):
            return False
        if any(passage.document_id != article.document.id for passage in article.passages):
            return False
        return bool(np.isfinite(vectors).all() and (np.abs(np.linalg.norm(vectors, axis=1) - 1) <= 1e-3).all())

    def _vectors(self, articles: Sequence[ChangedArticle]) -> FloatArray:
        nothing = np.zeros((0, self.search.dense.card.dimension), dtype=np.float32)
        return np.concatenate([nothing, *(article.vectors for article in articles)]).astype(np.float32, copy=False)
