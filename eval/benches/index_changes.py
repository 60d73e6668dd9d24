"""How soon a change of the knowledge shows while others search, and what changes cost a search."""

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread

import numpy as np

from eval.benches.frame import Bar, Row
from eval.benches.index_material import Real
from models.protocols import FloatArray, TextEncoder
from retrieval.article_changes import InMemoryArticleChanges
from retrieval.dense_index import DenseIndex
from retrieval.documents import Document, Passage
from retrieval.lexical_index import LexicalIndex
from retrieval.live_search import LiveSearch
from retrieval.passages import split_into_passages, text_to_encode
from retrieval.poller import Poller
from retrieval.search import PassageSearch

#: Articles that are changed and deleted, threads that search meanwhile, and when a change counts as lost.
CHANGES, SEARCHERS, LOST_S = 40, 2, 30.0
#: Each of so many passages is replaced by itself: twice that came or went.
REPLACED = 500


def live_changes(real: Real, encoder: TextEncoder) -> tuple[Row, list[Bar]]:
    """Return how soon a change shows while others search, from when it is acknowledged."""
    texts = LexicalIndex.build(real.texts)
    base = PassageSearch(real.documents, real.passages, DenseIndex.build(real.vectors), texts)
    alone = search_times(base, real)
    changes = InMemoryArticleChanges()
    live = LiveSearch(base, 0, changes)
    load = Load(live, real)
    shown_s: list[float] = []
    with load, Poller(live.refresh):
        for number, victim in enumerate(list(real.documents)[:CHANGES]):
            code = f"KX-{number}Q"
            document, passages = renamed(real.documents[victim], f"Known problem {code}")
            vectors = encoder.encode([text_to_encode(document, passage) for passage in passages])
            vector = encoder.encode([code])[0]

            def is_found(code: str = code, vector: FloatArray = vector) -> bool:
                return any(code.lower() in hit.terms for hit in live.find(code, vector))

            changes.put(document, passages, vectors)
            shown_s.append(seconds_until(is_found))
            changes.delete(victim)
            shown_s.append(seconds_until(lambda is_found=is_found: not is_found()))  # type: ignore[misc]
    row: Row = {
        "table": "How soon a change shows, and what it costs",
        "system": f"base of {len(real.passages):,} passages, {SEARCHERS} threads searching, asked every 250 ms",
        "changes": len(shown_s),
        "p50 s until it shows": float(np.percentile(shown_s, 50)),
        "slowest s": max(shown_s),
        "searches meanwhile": load.searches,
        "failed": len(load.failures),
        "find p50 ms, no changes": float(np.percentile(alone, 50)),
        "find p99 ms, no changes": float(np.percentile(alone, 99)),
        **with_many_changes(base, real),
    }
    slowest = max(shown_s)
    failed = float(len(load.failures))
    return row, [
        Bar("slowest change under search load, s", slowest, min(shown_s), slowest, "<= 1", slowest <= 1),
        Bar("failed searches under changes", failed, failed, failed, "0", not failed),
    ]


def with_many_changes(base: PassageSearch, real: Real) -> Row:
    """Return what a refresh and searches take at the number of changes at which a base is built anew."""
    changes = InMemoryArticleChanges()
    live = LiveSearch(base, 0, changes)
    starts: dict[str, list[int]] = {}
    for place, passage in enumerate(real.passages):
        starts.setdefault(passage.document_id, []).append(place)
    changed = 0
    for id, places in starts.items():
        if changed + len(places) > REPLACED:
            break
        changed += len(places)
        changes.put(real.documents[id], [real.passages[place] for place in places], real.vectors[places])
    live.refresh()
    changes.delete("none of these")
    start = time.perf_counter()
    live.refresh()
    refreshed = time.perf_counter() - start
    took = search_times(live.snapshot.search, real)
    return {
        "passages changed": live.snapshot.changed,
        "refresh ms, so many changed": 1000 * refreshed,
        "find p50 ms, so many changed": float(np.percentile(took, 50)),
        "find p99 ms, so many changed": float(np.percentile(took, 99)),
    }


def search_times(search: PassageSearch, real: Real) -> list[float]:
    """Return the milliseconds of whole searches, words and all, after one round to warm up."""
    for question, vector in zip(real.questions[:50], real.asked[:50], strict=True):
        search.find(question, vector)
    found = []
    for question, vector in zip(real.questions, real.asked, strict=True):
        start = time.perf_counter()
        search.find(question, vector)
        found.append(1000 * (time.perf_counter() - start))
    return found


class Load:
    """Threads that search without a pause."""

    def __init__(self, live: LiveSearch, real: Real) -> None:
        self.searches = 0
        self.failures: list[str] = []
        self._live, self._real, self._ending = live, real, Event()
        self._threads = [Thread(target=self._search) for _ in range(SEARCHERS)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _search(self) -> None:
        while not self._ending.is_set():
            place = self.searches % len(self._real.questions)
            try:
                self._live.find(self._real.questions[place], self._real.asked[place])
            except Exception as error:
                self.failures.append(repr(error))
            self.searches += 1


def renamed(document: Document, title: str) -> tuple[Document, list[Passage]]:
    """Return an article under another title, and its passages."""
    document = replace(document, title=title)
    return document, split_into_passages(document)


def seconds_until(is_so: Callable[[], bool]) -> float:
    """Return how long it took; `LOST_S` and no longer where it never came."""
    start = time.perf_counter()
    while not is_so() and time.perf_counter() - start < LOST_S:
        time.sleep(0.005)
    return time.perf_counter() - start
