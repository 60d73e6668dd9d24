"""What changed in the knowledge since it was indexed: the protocol, and changes kept in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from models.protocols import FloatArray
from retrieval.documents import Document, Passage


@dataclass(frozen=True)
class ChangedArticle:
    """An article as it is now. vectors: unit vectors of its passages, shape (passages, dimension)."""

    document: Document
    passages: tuple[Passage, ...]
    vectors: FloatArray


@dataclass(frozen=True)
class Changes:
    """The last state of all that changed up to a revision; an id is in one of the two at most."""

    revision: int
    upserts: tuple[ChangedArticle, ...] = ()
    deleted: frozenset[str] = frozenset()


class ArticleChanges(Protocol):
    """Tells what was put and deleted. Every acknowledged change raises the revision."""

    def since(self, revision: int) -> Changes:
        """Return what changed after a revision, and the revision that this brings to, both at one moment.

        An article that was put several times comes once, as it is now; one that is no more comes as deleted, also
        where it was put and deleted after `revision`.
        """
        ...


class InMemoryArticleChanges:
    """Changes of one process, for tests and trials. Safe to call from many threads; nothing is ever forgotten."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._revision = 0
        #: By id: the revision of the last change, and the article, None where it is deleted.
        self._states: dict[str, tuple[int, ChangedArticle | None]] = {}

    @property
    def revision(self) -> int:
        """How many changes there were."""
        return self._revision

    def put(self, document: Document, passages: Sequence[Passage], vectors: FloatArray) -> int:
        """Keep a new or changed article, and return the revision that it brought."""
        return self._change(document.id, ChangedArticle(document, tuple(passages), vectors))

    def delete(self, document_id: str) -> int:
        """Keep that an article is no more, and return the revision that this brought."""
        return self._change(document_id, None)

    def since(self, revision: int) -> Changes:
        """Return what changed after a revision; see `ArticleChanges`."""
        with self._lock:
            later = {id: article for id, (when, article) in self._states.items() if when > revision}
            upserts = tuple(article for article in later.values() if article is not None)
            return Changes(self._revision, upserts, frozenset(later) - {changed.document.id for changed in upserts})

    def _change(self, document_id: str, article: ChangedArticle | None) -> int:
        with self._lock:
            self._revision += 1
            self._states[document_id] = (self._revision, article)
            return self._revision
