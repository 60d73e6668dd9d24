"""Live search: what changed is found, what went is not, and all else is as a search built anew."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hashing_encoder import HashingEncoder
from retrieval.article_changes import ChangedArticle, Changes, InMemoryArticleChanges
from retrieval.dense_index import DenseIndex
from retrieval.documents import Block, Document, Hit
from retrieval.errors import DamagedIndexError
from retrieval.graph_index import GraphSettings
from retrieval.lexical_index import LexicalIndex, count_words
from retrieval.live_search import LiveSearch, Snapshot
from retrieval.passages import split_into_passages, text_to_encode
from retrieval.poller import Poller
from retrieval.search import PassageSearch

ENCODER = HashingEncoder(64)
TEXTS = (
    "The bank feed stopped with BR-77120.",
    "The till closed after midnight.",
    "HMRC refused the return of the quarter.",
    "Choose your bank and sign in.",
    "The bank feed of the till stopped.",
)
IDS = ("feed", "till", "vat", "bank")
Articles = Mapping[str, ChangedArticle]


def article(id: str, text: str, **facts: str) -> ChangedArticle:
    """An article of a section for each line."""
    starts = [text.index(line) for line in text.splitlines()]
    blocks = tuple(
        Block("paragraph", start, start + len(line), (f"Part {number}",))
        for number, (start, line) in enumerate(zip(starts, text.splitlines(), strict=True))
    )
    document = Document(id, f"About {id}", text, blocks, **facts)  # type: ignore[arg-type]
    passages = tuple(split_into_passages(document))
    return ChangedArticle(document, passages, ENCODER.encode([text_to_encode(document, part) for part in passages]))


def search_over(articles: Articles, graph: GraphSettings | None = None) -> PassageSearch:
    """Build what a build of the desk gives: published articles only."""
    found = [article for article in articles.values() if article.document.status == "published"]
    pairs = [(article.document, passage) for article in found for passage in article.passages]
    vectors = np.concatenate([np.zeros((0, 64), dtype=np.float32), *(article.vectors for article in found)])
    return PassageSearch(
        {article.document.id: article.document for article in found},
        [passage for _, passage in pairs],
        DenseIndex.build(vectors, graph or GraphSettings()),
        LexicalIndex.build([text_to_encode(document, passage) for document, passage in pairs]),
    )


def put(changes: InMemoryArticleChanges, changed: ChangedArticle) -> int:
    return changes.put(changed.document, changed.passages, changed.vectors)


def find(search: PassageSearch | LiveSearch, query: str, **options: object) -> list[Hit]:
    return search.find(query, ENCODER.encode([query])[0], **options)  # type: ignore[arg-type]


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


START = {id: article(id, text) for id, text in zip(IDS, TEXTS, strict=False)}
#: What nothing holds: only the cosines rank.
WORDLESS = "qqfeedqq qqbankqq"


@pytest.fixture
def changes() -> InMemoryArticleChanges:
    return InMemoryArticleChanges()


@pytest.fixture
def live(changes: InMemoryArticleChanges) -> LiveSearch:
    return LiveSearch(search_over(START), 0, changes)


written = st.builds(
    lambda id, texts, status: article(id, "\n".join(texts), status=status),
    st.sampled_from(IDS),
    st.lists(st.sampled_from(TEXTS), unique=True, max_size=3),
    st.sampled_from(["published", "published", "draft"]),
)
step = written | st.sampled_from(IDS) | st.just("refresh") | st.just("rebase")


class Story:
    """What happens to a knowledge base, a live search over it, and the truth at every revision."""

    def __init__(self, graph: GraphSettings | None) -> None:
        self.graph = graph
        self.changes = InMemoryArticleChanges()
        self.states: list[Articles] = [START]
        self.live = LiveSearch(search_over(START, graph), 0, self.changes)

    def take(self, step: ChangedArticle | str, revision: int) -> None:
        """Do a step. revision: the one to rebase to, counted round."""
        if isinstance(step, ChangedArticle):
            assert put(self.changes, step) == len(self.states)
            self.states.append({**self.states[-1], step.document.id: step})
        elif step == "refresh":
            self.live.refresh()
        elif step == "rebase":
            revision %= len(self.states)
            self.live.rebase(search_over(self.states[revision], self.graph), revision)
        else:
            self.changes.delete(step)
            self.states.append({id: found for id, found in self.states[-1].items() if id != step})


@pytest.mark.parametrize("graph", [None, GraphSettings(flat_up_to=1, k=1, queries=20)], ids=["flat", "graph"])
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(step, st.integers(0, 99)), max_size=12))
def test_finds_what_a_search_built_anew_finds(
    graph: GraphSettings | None, steps: list[tuple[ChangedArticle | str, int]]
) -> None:
    story = Story(graph)
    for taken, revision in steps:
        story.take(taken, revision)
    story.live.refresh()
    anew = search_over(story.states[-1])
    assert dict(story.live.documents) == dict(anew.documents)
    for query in (WORDLESS, "why has the bank feed stopped"):
        expected, found = find(anew, query, limit=99), find(story.live, query, limit=99)
        by_id = {hit.passage.id: hit for hit in expected}
        assert sorted(ids(found)) == sorted(by_id)
        for hit in found:
            other = by_id[hit.passage.id]
            assert (hit.passage, hit.document, hit.terms) == (other.passage, other.document, other.terms)
            assert hit.dense == pytest.approx(other.dense, abs=1e-3)
            assert (hit.lexical > 0) == (other.lexical > 0)
        if query == WORDLESS and graph is None:
            assert ids(found) == ids(expected)
            assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-5)


class TestWhatIsFound:
    def test_a_new_article_is_found_after_a_refresh(self, live: LiveSearch, changes: InMemoryArticleChanges) -> None:
        put(changes, article("mail", "Forward a receipt with KX-9."))
        assert "mail" not in live.documents
        assert live.refresh()
        assert find(live, "KX-9")[0].document.id == "mail"
        assert live.snapshot.revision == 1

    def test_a_changed_article_is_found_by_its_new_words_and_not_by_its_old(
        self, live: LiveSearch, changes: InMemoryArticleChanges
    ) -> None:
        put(changes, article("feed", "Nothing stops here, see KX-9."))
        live.refresh()
        hit = find(live, "KX-9")[0]
        assert (hit.document.id, hit.passage.text) == ("feed", "Nothing stops here, see KX-9.")
        assert all("BR-77120" not in hit.passage.text for hit in find(live, "BR-77120", limit=99))

    @pytest.mark.parametrize("refresh", [True, False])
    def test_a_deleted_one_is_gone_also_where_it_went_before_the_start(
        self, changes: InMemoryArticleChanges, refresh: bool
    ) -> None:
        base = search_over(START)
        if refresh:
            live = LiveSearch(base, 0, changes)
            changes.delete("feed")
            live.refresh()
        else:
            changes.delete("feed")
            live = LiveSearch(base, 0, changes)
        assert "feed" not in live.documents
        assert all(hit.document.id != "feed" for hit in find(live, "bank feed BR-77120", limit=99))

    def test_one_that_is_a_draft_again_is_gone(self, live: LiveSearch, changes: InMemoryArticleChanges) -> None:
        put(changes, article("feed", TEXTS[0], status="draft"))
        live.refresh()
        assert all(hit.document.id != "feed" for hit in find(live, TEXTS[0], limit=99))

    def test_one_that_turned_internal_is_not_shown_to_customers(
        self, live: LiveSearch, changes: InMemoryArticleChanges
    ) -> None:
        put(changes, article("feed", TEXTS[0], audience="internal"))
        live.refresh()
        assert find(live, TEXTS[0])[0].document.audience == "internal"
        seen = find(live, TEXTS[0], limit=99, allowed=lambda document: document.audience == "public")
        assert seen
        assert all(hit.document.id != "feed" for hit in seen)

    def test_one_that_comes_back_is_found_again(self, live: LiveSearch, changes: InMemoryArticleChanges) -> None:
        changes.delete("feed")
        live.refresh()
        put(changes, START["feed"])
        live.refresh()
        assert find(live, "BR-77120")[0].document.id == "feed"

    def test_the_change_that_came_last_counts(self, live: LiveSearch, changes: InMemoryArticleChanges) -> None:
        put(changes, article("feed", "First KX-1."))
        put(changes, article("feed", "Then KX-2."))
        live.refresh()
        assert [hit.passage.text for hit in find(live, "KX-1 KX-2", limit=99) if hit.document.id == "feed"] == [
            "Then KX-2."
        ]


class TestSnapshots:
    def test_an_old_one_keeps_answering_as_it_did(self, live: LiveSearch, changes: InMemoryArticleChanges) -> None:
        old, before = live.snapshot, ids(find(live, "bank feed", limit=99))
        changes.delete("feed")
        put(changes, article("mail", "bank feed"))
        live.refresh()
        assert ids(find(old.search, "bank feed", limit=99)) == before
        assert ids(find(live, "bank feed", limit=99)) != before

    def test_nothing_new_is_no_new_one(self, live: LiveSearch) -> None:
        old = live.snapshot
        assert not live.refresh()
        assert live.snapshot is old

    def test_no_changes_search_the_base_itself(self, changes: InMemoryArticleChanges) -> None:
        base = search_over(START)
        assert LiveSearch(base, 0, changes).snapshot.search is base

    def test_rolling_the_base_back_keeps_edits_and_deletions(
        self, live: LiveSearch, changes: InMemoryArticleChanges
    ) -> None:
        put(changes, article("feed", "Edited KX-9."))
        changes.delete("till")
        live.rebase(search_over({"feed": article("feed", "Edited KX-9."), "vat": START["vat"]}), 2)
        assert live.snapshot.changed == 0
        live.rebase(search_over(START), 0)
        assert set(live.documents) == {"feed", "vat", "bank"}
        assert find(live, "KX-9")[0].passage.text == "Edited KX-9."

    def test_a_source_that_fails_leaves_all_as_it_was(self) -> None:
        class Failing(InMemoryArticleChanges):
            broken = False

            def since(self, revision: int) -> Changes:
                if self.broken:
                    raise TimeoutError("the database is gone")
                return super().since(revision)

        changes = Failing()
        live = LiveSearch(search_over(START), 0, changes)
        old, changes.broken = live.snapshot, True
        changes.delete("feed")
        with pytest.raises(TimeoutError):
            live.refresh()
        with pytest.raises(TimeoutError):
            live.rebase(search_over({}), 0)
        assert live.snapshot is old
        changes.broken = False
        assert live.refresh()
        assert "feed" not in live.documents

    def test_knowledge_that_is_older_than_the_base_is_refused(self, changes: InMemoryArticleChanges) -> None:
        with pytest.raises(DamagedIndexError, match=r"at revision 0, what is searched at 7: .*different databases"):
            LiveSearch(search_over(START), 7, changes)

    @pytest.mark.parametrize("kind", ["dimension", "count", "zero", "not a number", "foreign passage"])
    def test_an_article_that_does_not_fit_is_left_out_and_named_and_keeps_no_other_out(
        self, live: LiveSearch, changes: InMemoryArticleChanges, kind: str
    ) -> None:
        good = article("feed", "Edited KX-9.")
        broken = {
            "dimension": replace(good, vectors=good.vectors[:, :32]),
            "count": replace(good, vectors=np.repeat(good.vectors, 2, axis=0)),
            "zero": replace(good, vectors=0 * good.vectors),
            "not a number": replace(good, vectors=np.nan * good.vectors),
            "foreign passage": replace(good, passages=(replace(good.passages[0], document_id="vat"),)),
        }
        put(changes, broken[kind])
        put(changes, article("mail", "Forward a receipt with KX-9."))
        live.refresh()
        assert live.snapshot.left_out == ("feed",)
        assert find(live, "KX-9")[0].document.id == "mail"
        assert "feed" not in live.documents
        put(changes, good)
        live.refresh()
        assert live.snapshot.left_out == ()
        assert "feed" in live.documents

    @pytest.mark.parametrize(
        ("base", "changed", "needed"),
        [(100, 0, False), (100, 5, False), (100, 6, True), (10**6, 1_000, False), (10**6, 1_001, True), (0, 1, True)],
    )
    def test_compaction_is_needed_past_a_share_or_a_number(self, base: int, changed: int, needed: bool) -> None:
        assert Snapshot(search_over({}), 0, base, changed).needs_compaction is needed

    def test_what_came_and_what_went_both_count(self, live: LiveSearch, changes: InMemoryArticleChanges) -> None:
        assert not live.needs_compaction
        put(changes, article("feed", "One line.\nAnother line."))
        changes.delete("till")
        live.refresh()
        assert live.snapshot.changed == 2 + 2
        assert live.needs_compaction


class TestWordsOfChanges:
    TEXTS = ("the bank feed stopped", "the till closed", "bank")

    def test_a_text_weighs_the_same_added_or_built(self) -> None:
        index = LexicalIndex.build(self.TEXTS)
        changed = index.with_changes([], [count_words(text) for text in self.TEXTS])
        for query in ("bank feed", "till bank", "closed", "unheard", "the"):
            assert changed.scores(query) == pytest.approx(np.tile(index.scores(query), 2), abs=1e-6)
        assert len(changed) == 6

    def test_on_nothing_it_is_an_index_of_what_was_added(self) -> None:
        changed = LexicalIndex.build([]).with_changes([], [count_words(text) for text in self.TEXTS])
        for query in ("bank feed", "till bank", "unheard"):
            assert changed.scores(query) == pytest.approx(LexicalIndex.build(self.TEXTS).scores(query), abs=1e-6)

    def test_hidden_rows_score_zero_and_the_index_itself_is_as_it_was(self) -> None:
        index = LexicalIndex.build(self.TEXTS)
        before = index.scores("bank")
        changed = index.with_changes([2], [])
        assert changed.scores("bank").tolist() == [before[0], 0, 0]
        assert index.scores("bank").tolist() == before.tolist()

    def test_a_word_that_only_changes_hold_weighs_what_it_would_in_an_index_of_all(self) -> None:
        texts = ["kx-9 arrived", "nothing here"]
        changed = LexicalIndex.build(["two words"] * 3).with_changes([], [count_words(text) for text in texts])
        # Lengths are held against the base's mean, 2; in an index of all rows it would be 2.6 with kx-9's three parts.
        expected = np.log(1 + (5 - 1 + 0.5) / 1.5) / (1 + 1.5 * (0.25 + 0.75 * len(["kx-9", "kx", "9", "arrived"]) / 2))
        assert changed.scores("arrived") == pytest.approx([0, 0, 0, expected, 0])


class Scripted(Event):
    """Does not wait: counts the waits, and stops after so many."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.left = waits
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        self.left -= 1
        return self.left < 0


def run(outcomes: Sequence[Exception | None]) -> Poller:
    left = list(outcomes)

    def poll() -> None:
        if error := left.pop(0):
            raise error

    poller = Poller(poll, stopping=Scripted(len(outcomes)))
    poller.start()
    poller.stop()
    assert left == []
    return poller


class TestPoller:
    def test_calls_every_quarter_of_a_second_until_it_is_stopped(self) -> None:
        calls: list[int] = []
        stopping = Scripted(3)
        with Poller(lambda: calls.append(1), stopping=stopping):
            pass
        assert len(calls) == 3
        assert stopping.waited == [0.25] * 4

    def test_outlives_failures_and_logs_them_by_class_when_they_begin_and_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            poller = run([None, ValueError("secret"), ValueError("secret"), OSError("secret"), None, None])
        said = [record.getMessage() for record in caplog.records]
        assert ["ValueError" in line for line in said] == [True, False, False]
        assert ["OSError" in line for line in said] == [False, True, False]
        assert "works again" in said[2]
        assert "secret" not in caplog.text
        assert poller.failure == ""

    def test_says_that_it_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        assert run([None, KeyError("x")]).failure == "KeyError"

    def test_stops_at_once_and_waits_for_the_call_that_runs(self) -> None:
        begun, may_end, ended = Event(), Event(), Event()

        def poll() -> None:
            begun.set()
            may_end.wait(10)
            ended.set()

        poller = Poller(poll, every=0.0)
        poller.start()
        assert begun.wait(10)
        stopper = Thread(target=poller.stop)
        stopper.start()
        assert stopper.is_alive()
        may_end.set()
        stopper.join(10)
        assert not stopper.is_alive()
        assert ended.is_set()

    def test_one_that_was_never_started_can_be_stopped(self) -> None:
        Poller(lambda: None).stop()


class TestInMemoryChanges:
    def test_every_change_raises_the_revision(self, changes: InMemoryArticleChanges) -> None:
        assert [put(changes, START["feed"]), changes.delete("feed"), changes.delete("never there")] == [1, 2, 3]
        assert changes.revision == 3

    def test_tells_the_last_state_of_what_changed_after_a_revision(self, changes: InMemoryArticleChanges) -> None:
        for name in ("feed", "till", "vat"):
            put(changes, START[name])
        changes.delete("till")
        assert changes.since(0) == Changes(4, (START["feed"], START["vat"]), frozenset({"till"}))
        assert changes.since(2) == Changes(4, (START["vat"],), frozenset({"till"}))
        assert changes.since(4) == Changes(4)
