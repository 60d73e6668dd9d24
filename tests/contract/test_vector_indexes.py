"""What every vector index promises, and that FAISS keeps it as plain NumPy does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.protocols import FloatArray
from retrieval.dense_index import DenseIndex
from retrieval.errors import DamagedIndexError
from retrieval.exact_index import ExactIndex

Index = ExactIndex | DenseIndex
Build = Callable[[FloatArray], Index]


def unit_vectors(rows: int, dimension: int, seed: int = 0) -> FloatArray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=[ExactIndex, DenseIndex.build], ids=["exact", "dense"])
def build(request: pytest.FixtureRequest) -> Build:
    return request.param


class TestVectorIndex:
    def test_finds_a_vector_at_its_own_row_with_cosine_one(self, build: Build) -> None:
        vectors = unit_vectors(20, 8)
        scores, rows = build(vectors).search(vectors, 1)
        assert rows.ravel().tolist() == list(range(20))
        assert scores.ravel() == pytest.approx(np.ones(20), abs=1e-5)

    def test_gives_the_cosines_best_first(self, build: Build) -> None:
        vectors = np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], dtype=np.float32)
        scores, rows = build(vectors).search(np.array([[1, 0]], dtype=np.float32), 4)
        assert rows.tolist() == [[0, 3, 1, 2]]
        assert scores[0] == pytest.approx([1, 0.6, 0, -1])
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
        assert scores == pytest.approx([vectors[5] @ vectors[2], 1, 1], abs=1e-6)
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
