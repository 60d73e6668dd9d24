"""What every vector index promises, and that FAISS keeps it as plain NumPy does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.protocols import FloatArray
from retrieval.dense_index import DenseIndex
from retrieval.errors import DamagedIndexError, RetrievalError
from retrieval.exact_index import ExactIndex
from retrieval.graph_index import GraphSettings, moved

Index = ExactIndex | DenseIndex
Build = Callable[[FloatArray], Index]
#: A graph of as few vectors as there can be one of, walked whole; in few dimensions half precision swaps near ones.
SMALL_GRAPH = GraphSettings(flat_up_to=1, k=1, queries=50, min_recall=0.0, efforts=(128,))
#: Half precision moves a cosine by up to so much in few dimensions.
HALF = 2e-3


def unit_vectors(rows: int, dimension: int, seed: int = 0) -> FloatArray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def build_graph(vectors: FloatArray) -> DenseIndex:
    index = DenseIndex.build(vectors, SMALL_GRAPH)
    assert index.card.kind == ("graph" if len(vectors) > 1 else "flat")
    return index


def build_changed(vectors: FloatArray) -> DenseIndex:
    """The same rows, the last of them added later."""
    built = len(vectors) // 2
    return DenseIndex.build(vectors[:built]).with_changes([], vectors[built:])


def build_changed_graph(vectors: FloatArray) -> DenseIndex:
    built = len(vectors) // 2
    return build_graph(vectors[:built]).with_changes([], vectors[built:])


BUILDS = {
    "exact": ExactIndex,
    "flat": DenseIndex.build,
    "graph": build_graph,
    "flat with changes": build_changed,
    "graph with changes": build_changed_graph,
}


@pytest.fixture(params=BUILDS.values(), ids=BUILDS)
def build(request: pytest.FixtureRequest) -> Build:
    return request.param


class TestVectorIndex:
    def test_finds_a_vector_at_its_own_row_with_cosine_one(self, build: Build) -> None:
        vectors = unit_vectors(20, 8)
        scores, rows = build(vectors).search(vectors, 1)
        assert rows.ravel().tolist() == list(range(20))
        assert scores.ravel() == pytest.approx(np.ones(20), abs=HALF)

    def test_gives_the_cosines_best_first(self, build: Build) -> None:
        vectors = np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], dtype=np.float32)
        scores, rows = build(vectors).search(np.array([[1, 0]], dtype=np.float32), 4)
        assert rows.tolist() == [[0, 3, 1, 2]]
        assert scores[0] == pytest.approx([1, 0.6, 0, -1], abs=HALF)
        assert (scores.dtype, rows.dtype) == (np.float32, np.int64)

    @pytest.mark.parametrize(("k", "width"), [(0, 0), (1, 1), (5, 5), (99, 5)])
    def test_gives_at_most_as_many_as_there_are(self, build: Build, k: int, width: int) -> None:
        scores, rows = build(unit_vectors(5, 4)).search(unit_vectors(3, 4, seed=1), k)
        assert scores.shape == rows.shape == (3, width)

    def test_no_rows_find_nothing(self, build: Build) -> None:
        index = build(np.zeros((0, 4), dtype=np.float32))
        scores, rows = index.search(unit_vectors(2, 4), 3)
        assert len(index) == 0
        assert scores.shape == rows.shape == (2, 0)

    def test_no_queries_give_no_answers(self, build: Build) -> None:
        scores, rows = build(unit_vectors(5, 4)).search(np.zeros((0, 4), dtype=np.float32), 2)
        assert scores.shape == rows.shape == (0, 2)

    def test_scores_of_chosen_rows_are_their_cosines(self, build: Build) -> None:
        vectors = unit_vectors(6, 4)
        scores = build(vectors).scores_of(vectors[2], np.array([5, 2, 2]))
        assert scores == pytest.approx([vectors[5] @ vectors[2], 1, 1], abs=HALF)
        assert scores.dtype == np.float32

    def test_scores_of_no_rows_are_none(self, build: Build) -> None:
        vectors = unit_vectors(6, 4)
        assert build(vectors).scores_of(vectors[2], np.array([], dtype=np.int64)).shape == (0,)

    @pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 2.0])
    def test_refuses_a_query_that_is_not_a_finite_unit_vector(self, build: Build, value: float) -> None:
        queries = np.array([[1, 0, 0, 0], [value, 0, 0, 0]], dtype=np.float32)
        with pytest.raises(DamagedIndexError, match="not a finite unit vector; blank text must not be searched"):
            build(unit_vectors(5, 4)).search(queries, 1)

    def test_refuses_a_query_of_another_dimension_and_names_both(self, build: Build) -> None:
        with pytest.raises(
            DamagedIndexError, match=r"shape \(1, 3\) and the index 4 dimensions; .*build the desk again"
        ):
            build(unit_vectors(5, 4)).search(unit_vectors(1, 3), 1)

    def test_refuses_a_query_that_is_not_a_row_of_a_matrix(self, build: Build) -> None:
        with pytest.raises(DamagedIndexError, match=r"shape \(4,\)"):
            build(unit_vectors(5, 4)).search(unit_vectors(1, 4)[0], 1)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(2, 24), st.integers(0, 70), st.integers(0, 2**32 - 1))
def test_faiss_finds_what_plain_numpy_finds(rows: int, dimension: int, k: int, seed: int) -> None:
    vectors, queries = unit_vectors(rows, dimension, seed), unit_vectors(3, dimension, seed + 1)
    exact, dense = ExactIndex(vectors), DenseIndex.build(vectors)
    expected, _ = exact.search(queries, k)
    scores, found = dense.search(queries, k)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    for query, row_scores, row_numbers in zip(queries, scores, found, strict=True):
        assert len(set(row_numbers.tolist())) == min(k, rows)
        np.testing.assert_allclose(exact.scores_of(query, row_numbers), row_scores, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 60),
    st.integers(0, 20),
    st.integers(0, 90),
    st.sampled_from([DenseIndex.build, build_graph]),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_an_index_with_changes_finds_what_plain_numpy_finds_in_what_is_left(
    rows: int, more: int, k: int, build: Callable[[FloatArray], DenseIndex], seed: int, data: st.DataObject
) -> None:
    vectors, queries = unit_vectors(rows + more, 8, seed), unit_vectors(3, 8, seed + 1)
    hidden = data.draw(st.sets(st.integers(0, rows - 1)) if rows else st.just(set()))
    left = np.array([row for row in range(rows + more) if row not in hidden], dtype=np.int64)
    index = build(vectors[:rows]).with_changes(sorted(hidden), vectors[rows:])
    scores, found = index.search(queries, k)
    expected, _ = ExactIndex(vectors[left]).search(queries, k)
    np.testing.assert_allclose(scores, expected, atol=HALF)
    assert len(index) == rows + more
    for query, row_scores, row_numbers in zip(queries, scores, found, strict=True):
        assert len(set(row_numbers.tolist())) == min(k, len(left))
        assert set(row_numbers.tolist()) <= set(left.tolist())
        np.testing.assert_allclose(index.scores_of(query, row_numbers), row_scores, atol=1e-5)
        np.testing.assert_allclose(vectors[row_numbers] @ query, row_scores, atol=HALF)


class TestIndexWithChanges:
    def test_leaves_the_index_that_it_was_made_of_as_it_was(self) -> None:
        vectors = unit_vectors(10, 4)
        index = DenseIndex.build(vectors)
        changed = index.with_changes([3], unit_vectors(2, 4, seed=1))
        assert index.search(vectors[3:4], 1)[1].tolist() == [[3]]
        assert changed.search(vectors[3:4], 99)[1].shape == (1, 11)
        assert len(index) == 10

    def test_forgets_changes_made_before(self) -> None:
        vectors = unit_vectors(10, 4)
        again = DenseIndex.build(vectors).with_changes([3], vectors[:2]).with_changes([5], vectors[:0])
        assert set(range(10)) - set(again.search(vectors[:1], 99)[1][0].tolist()) == {5}

    def test_is_not_saved(self, tmp_path: Path) -> None:
        changed = DenseIndex.build(unit_vectors(5, 4)).with_changes([1], unit_vectors(0, 4))
        with pytest.raises(RetrievalError, match="an index with changes is not saved; build one of all rows"):
            changed.save(tmp_path / "dense.faiss")

    @pytest.mark.parametrize("added", [np.zeros((1, 4), dtype=np.float32), unit_vectors(1, 3)])
    def test_refuses_vectors_that_do_not_belong(self, added: FloatArray) -> None:
        with pytest.raises(DamagedIndexError):
            DenseIndex.build(unit_vectors(5, 4)).with_changes([], added)


SETTINGS = GraphSettings(flat_up_to=1_000, queries=100)


@pytest.fixture(scope="module")
def vectors() -> FloatArray:
    return unit_vectors(3_000, 32)


@pytest.fixture(scope="module")
def graph(vectors: FloatArray) -> DenseIndex:
    return DenseIndex.build(vectors, SETTINGS)


class TestGraph:
    """Above so many vectors a graph, tuned against exact search."""

    def test_is_built_above_the_limit_only(self, vectors: FloatArray) -> None:
        assert DenseIndex.build(vectors[:1_000], SETTINGS).card.kind == "flat"
        assert DenseIndex.build(vectors[:1_001], SETTINGS).card.kind == "graph"
        assert DenseIndex.build(vectors[:1_001]).card.kind == "flat"

    def test_finds_what_its_card_says(self, vectors: FloatArray, graph: DenseIndex) -> None:
        """Over queries that it was not tuned with."""
        queries = moved(vectors[np.random.default_rng(99).permutation(3_000)[:300]], 0.7, np.random.default_rng(98))
        found, expected = graph.search(queries, 10)[1], ExactIndex(vectors).search(queries, 10)[1]
        recall = np.mean([len(set(one) & set(other)) / 10 for one, other in zip(found, expected, strict=True)])
        assert graph.card.recall is not None
        assert graph.card.recall.low >= 0.98
        assert recall == pytest.approx(graph.card.recall.value, abs=0.02)

    def test_its_card_says_what_it_is(self, graph: DenseIndex) -> None:
        assert str(graph.card).startswith("HNSW (M 16, efConstruction 80, efSearch ")
        assert "3,000 vectors, recall@10 " in str(graph.card)

    def test_the_same_vectors_give_the_same_graph(self, vectors: FloatArray, graph: DenseIndex, tmp_path: Path) -> None:
        graph.save(tmp_path / "one")
        DenseIndex.build(vectors, SETTINGS).save(tmp_path / "two")
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
        assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()

    def test_one_that_does_not_find_enough_gives_way_to_exact_search_and_says_so(self, vectors: FloatArray) -> None:
        index = DenseIndex.build(vectors, replace(SETTINGS, m=2, ef_construction=2, efforts=(1, 2)))
        assert index.card.kind == "flat"
        assert "a graph reached no more than recall@10 0." in index.card.note
        assert index.card.note in str(index.card)
        assert index.search(vectors, 1)[1].ravel().tolist() == list(range(3_000))

    def test_equal_vectors_count_as_one_another(self) -> None:
        twice = np.repeat(unit_vectors(200, 32), 12, axis=0)
        assert DenseIndex.build(twice, SETTINGS).card.kind == "graph"

    def test_more_rows_than_the_graph_is_good_for_are_found_exactly(
        self, vectors: FloatArray, graph: DenseIndex
    ) -> None:
        found = graph.search(vectors[:2], 3_000)[1]
        assert [sorted(rows) for rows in found.tolist()] == [list(range(3_000))] * 2

    def test_rows_that_the_graph_does_not_reach_are_found_all_the_same(self, vectors: FloatArray) -> None:
        poor = replace(SETTINGS, m=2, ef_construction=1, min_recall=0.0, efforts=(200,))
        index = DenseIndex.build(vectors, poor)
        assert index.card.recall is not None
        assert index.card.recall.value < 0.5
        scores, rows = index.search(vectors[:20], 200)
        assert all(len(set(found)) == 200 for found in rows.tolist())
        assert rows.min() >= 0
        assert scores == pytest.approx(ExactIndex(vectors).search(vectors[:20], 200)[0], abs=HALF)

    def test_gives_the_same_answers_after_loading(self, vectors: FloatArray, graph: DenseIndex, tmp_path: Path) -> None:
        graph.save(tmp_path / "dense.faiss")
        loaded = DenseIndex.load(tmp_path / "dense.faiss", 3_000, 32)
        assert loaded.card == graph.card
        for before, after in zip(graph.search(vectors[:50], 20), loaded.search(vectors[:50], 20), strict=True):
            np.testing.assert_array_equal(before, after)

    @pytest.mark.parametrize("card", [None, "", "[]", "{}", '{"recall": {"value": 1}}'])
    def test_one_whose_card_is_missing_or_damaged_is_refused(
        self, graph: DenseIndex, tmp_path: Path, card: str | None
    ) -> None:
        graph.save(tmp_path / "dense.faiss")
        (tmp_path / "dense.faiss.json").unlink()
        if card is not None:
            (tmp_path / "dense.faiss.json").write_text(card)
        with pytest.raises(DamagedIndexError, match=r"card cannot be read; build the desk again"):
            DenseIndex.load(tmp_path / "dense.faiss", 3_000, 32)

    def test_a_card_of_another_index_is_refused(self, graph: DenseIndex, vectors: FloatArray, tmp_path: Path) -> None:
        graph.save(tmp_path / "dense.faiss")
        DenseIndex.build(vectors).save(tmp_path / "flat.faiss")
        (tmp_path / "flat.faiss.json").replace(tmp_path / "dense.faiss.json")
        with pytest.raises(DamagedIndexError, match="IndexHNSWSQ is not what its card says"):
            DenseIndex.load(tmp_path / "dense.faiss", 3_000, 32)


class TestSavedIndex:
    def test_gives_the_same_answers_after_loading(self, tmp_path: Path) -> None:
        index, queries = DenseIndex.build(unit_vectors(30, 8)), unit_vectors(4, 8, seed=1)
        index.save(tmp_path / "dense.faiss")
        loaded = DenseIndex.load(tmp_path / "dense.faiss", rows=30, dimension=8)
        assert len(loaded) == 30
        for before, after in zip(index.search(queries, 5), loaded.search(queries, 5), strict=True):
            np.testing.assert_array_equal(before, after)

    @pytest.mark.parametrize(("rows", "dimension"), [(29, 8), (31, 8), (30, 4)])
    def test_refuses_another_shape_than_expected(self, tmp_path: Path, rows: int, dimension: int) -> None:
        DenseIndex.build(unit_vectors(30, 8)).save(tmp_path / "dense.faiss")
        message = f"30 vectors of 8 dimensions, expected {rows} of {dimension}; build the desk again"
        with pytest.raises(DamagedIndexError, match=message):
            DenseIndex.load(tmp_path / "dense.faiss", rows, dimension)

    @pytest.mark.parametrize("content", [None, b"", b"not an index"])
    def test_refuses_a_file_that_is_missing_or_no_index(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "dense.faiss"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DamagedIndexError, match=r"dense\.faiss: FAISS cannot read the index; build the desk again"):
            DenseIndex.load(path, 30, 8)

    def test_an_exact_index_needs_no_card(self, tmp_path: Path) -> None:
        DenseIndex.build(unit_vectors(30, 8)).save(tmp_path / "dense.faiss")
        (tmp_path / "dense.faiss.json").unlink()
        assert DenseIndex.load(tmp_path / "dense.faiss", 30, 8).card.kind == "flat"

    @pytest.mark.parametrize("settings", [GraphSettings(), GraphSettings(flat_up_to=100, queries=20)])
    def test_a_file_that_is_cut_off_is_refused_wherever(self, tmp_path: Path, settings: GraphSettings) -> None:
        path = tmp_path / "dense.faiss"
        DenseIndex.build(unit_vectors(300, 8), settings).save(path)
        whole = path.read_bytes()
        for size in range(0, len(whole), len(whole) // 40):
            path.write_bytes(whole[:size])
            with pytest.raises(DamagedIndexError, match="FAISS cannot read the index"):
                DenseIndex.load(path, 300, 8)

    def test_a_damaged_size_asks_for_no_more_memory_than_the_file_has(self, tmp_path: Path) -> None:
        path = tmp_path / "dense.faiss"
        DenseIndex.build(unit_vectors(300, 8)).save(path)
        whole = bytearray(path.read_bytes())
        # The last eight bytes before the vectors say how many numbers they hold.
        start = len(whole) - 300 * 8 * 4 - 8
        assert int.from_bytes(whole[start : start + 8], "little") == 300 * 8
        whole[start : start + 8] = (2**36).to_bytes(8, "little")
        path.write_bytes(whole)
        with pytest.raises(DamagedIndexError, match="FAISS cannot read the index") as refused:
            DenseIndex.load(path, 300, 8)
        assert "limit" in str(refused.value.__cause__)


def test_many_vectors_get_a_denser_graph() -> None:
    vectors = moved(np.eye(40, dtype=np.float32)[np.arange(200) % 40], 0.7, np.random.default_rng(3))
    few = DenseIndex.build(vectors, SMALL_GRAPH).card
    many = DenseIndex.build(vectors, replace(SMALL_GRAPH, many=199)).card
    assert (few.m, few.ef_construction) == (16, 80)
    assert (many.m, many.ef_construction) == (24, 160)
