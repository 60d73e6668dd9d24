"""Articles change while many search: each change shows soon, no search fails, and none sees half of a change."""

import time
from collections.abc import Callable
from threading import Event, Thread

import pytest

from models.hashing_encoder import HashingEncoder
from retrieval.article_changes import InMemoryArticleChanges
from retrieval.dense_index import DenseIndex
from retrieval.documents import Block, Document, Hit
from retrieval.lexical_index import LexicalIndex
from retrieval.live_search import LiveSearch
from retrieval.passages import split_into_passages, text_to_encode
from retrieval.poller import Poller
from retrieval.search import PassageSearch

ENCODER = HashingEncoder(64)
ARTICLES, SEARCHERS, ROUNDS = 400, 3, 4
#: The bench holds it to one second; a busy machine gets more.
SOON = 20.0
QUESTION = "release notes"
VECTOR = ENCODER.encode([QUESTION])[0]


def document(id: str, *sections: str) -> Document:
    text = "\n".join(sections)
    starts = [text.index(section) for section in sections]
    blocks = tuple(
        Block("paragraph", start, start + len(section), (f"Part {number}",))
        for number, (start, section) in enumerate(zip(starts, sections, strict=True))
    )
    return Document(id, f"About {id}", text, blocks)


def news(version: int) -> Document:
    """An article whose two passages both name its version."""
    return document("news", f"Release notes, first half of {version}.", f"Release notes, second half of {version}.")


@pytest.fixture(scope="module")
def base() -> PassageSearch:
    documents = [document(f"kb-{n}", f"How to do thing {n}.", f"What thing {n} costs.") for n in range(ARTICLES)]
    pairs = [(each, passage) for each in documents for passage in split_into_passages(each)]
    texts = [text_to_encode(each, passage) for each, passage in pairs]
    return PassageSearch(
        {each.id: each for each in documents},
        [passage for _, passage in pairs],
        DenseIndex.build(ENCODER.encode(texts)),
        LexicalIndex.build(texts),
    )


class Searchers:
    """Threads that search without a pause, and keep what went wrong."""

    def __init__(self, live: LiveSearch) -> None:
        self.live = live
        self.ending = Event()
        self.searches = 0
        self.faults: list[str] = []
        self.threads = [Thread(target=self._search) for _ in range(SEARCHERS)]

    def __enter__(self) -> "Searchers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def _search(self) -> None:
        while not self.ending.is_set():
            try:
                self._check(self.live.find(QUESTION, VECTOR, limit=30))
                self.searches += 1
            except Exception as error:
                self.faults.append(repr(error))
                return

    def _check(self, hits: list[Hit]) -> None:
        found = [hit for hit in hits if hit.document.id == "news"]
        versions = {hit.passage.text.rsplit(" ", 1)[1] for hit in found}
        if len(found) not in (0, 2) or len(versions) > 1:
            self.faults.append(f"half of a change: {[hit.passage.text for hit in found]}")
        for hit in hits:
            if hit.document.text[hit.passage.start : hit.passage.end] != hit.passage.text:
                self.faults.append(f"{hit.passage.id} is not of its document")


def seen(live: LiveSearch) -> set[str]:
    """Return what is found of the news."""
    return {hit.passage.text for hit in live.find(QUESTION, VECTOR, limit=30) if hit.document.id == "news"}


def wait_until(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + SOON
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_a_change_is_found_and_a_deletion_is_not_while_others_search(base: PassageSearch) -> None:
    changes = InMemoryArticleChanges()
    live = LiveSearch(base, 0, changes)
    with Searchers(live) as searchers, Poller(live.refresh, every=0.02) as poller:
        for version in range(ROUNDS):
            put(changes, news(version))
            wanted = {passage.text for passage in split_into_passages(news(version))}
            assert wait_until(lambda wanted=wanted: seen(live) == wanted)  # type: ignore[misc]
            if version % 2:
                changes.delete("news")
                assert wait_until(lambda: not seen(live))
            live.rebase(base, 0)
    assert searchers.faults == []
    assert searchers.searches > ROUNDS
    assert poller.failure == ""


def test_an_article_of_the_base_that_is_deleted_while_others_search_never_comes_back(base: PassageSearch) -> None:
    changes = InMemoryArticleChanges()
    live = LiveSearch(base, 0, changes)
    question, vector = "thing 7 costs", ENCODER.encode(["thing 7 costs"])[0]

    def is_found() -> bool:
        return any(hit.document.id == "kb-7" for hit in live.find(question, vector, limit=99))

    assert is_found()
    with Searchers(live) as searchers, Poller(live.refresh, every=0.02):
        changes.delete("kb-7")
        assert wait_until(lambda: not is_found())
        for version in range(ROUNDS):
            put(changes, news(version))
            live.rebase(base, 0)
            assert not is_found()
    assert searchers.faults == []


def put(changes: InMemoryArticleChanges, document: Document) -> None:
    passages = split_into_passages(document)
    texts = [text_to_encode(document, passage) for passage in passages]
    changes.put(document, passages, ENCODER.encode(texts))
