"""Hashed n-grams: what is counted, how it is weighted, what is left out."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from models.text_features import HALF, NgramWeights, count_ngrams, join_features, read_ngrams

TEXTS = ("The till shows error BR-77120", "The bank feed is late", "The VAT return was refused")


@pytest.fixture(scope="module")
def weights() -> NgramWeights:
    return NgramWeights.fit(count_ngrams(TEXTS))


def half_norms(weights: NgramWeights, features: sparse.csr_matrix) -> np.ndarray:
    """Norms of the word half and of the character half, shape (rows, 2)."""
    middle = int(np.searchsorted(weights.columns, HALF))
    dense = features.toarray()
    return np.stack([np.linalg.norm(dense[:, :middle], axis=1), np.linalg.norm(dense[:, middle:], axis=1)], axis=1)


def bucket(gram: str) -> int:
    return zlib.crc32(gram.encode()) % HALF


def test_words_and_pairs_fill_the_first_half_and_characters_the_second() -> None:
    counts = count_ngrams(["Ab, cd"])
    assert counts.shape == (1, 2 * HALF)
    assert counts.dtype == np.float32
    words = sorted(int(column) for column in counts.indices if column < HALF)
    characters = sorted(int(column) for column in counts.indices if column >= HALF)
    assert words == sorted(bucket(gram) for gram in ("ab", "cd", "ab cd"))
    grams = (" a", "ab", "b ", " ab", "ab ", " ab ", " c", "cd", "d ", " cd", "cd ", " cd ")
    assert characters == sorted(HALF + bucket(gram) for gram in grams)


def test_repeated_words_are_counted() -> None:
    counts = count_ngrams(["till till till"])
    assert counts[0, bucket("till")] == 3
    assert counts[0, bucket("till till")] == 2
    assert counts[0, HALF + bucket(" till")] == 3


def test_letter_case_and_marks_between_words_do_not_count() -> None:
    first, second = count_ngrams(["TILL, bank!"]), count_ngrams(["till bank"])
    assert (first != second).nnz == 0


def test_idf_is_one_for_what_every_text_holds_and_more_for_what_is_rare(weights: NgramWeights) -> None:
    idf = dict(zip(weights.columns.tolist(), weights.idf.tolist(), strict=True))
    assert idf[bucket("the")] == pytest.approx(1.0)
    assert idf[bucket("feed")] == pytest.approx(np.log(4 / 2) + 1)
    assert weights.columns.tolist() == sorted(set(weights.columns.tolist()))
    assert (weights.columns.dtype, weights.idf.dtype) == (np.int64, np.float32)


def test_a_feature_is_one_plus_log_count_times_idf() -> None:
    weights = NgramWeights.fit(count_ngrams(["a", "b"]))
    row = weights.transform(count_ngrams(["a x a x a x b"])).toarray()[0]
    position = {column: place for place, column in enumerate(weights.columns.tolist())}
    assert row[position[bucket("a")]] / row[position[bucket("b")]] == pytest.approx(1 + np.log(3), rel=1e-5)


def test_each_half_has_norm_1(weights: NgramWeights) -> None:
    features = weights.transform(count_ngrams([*TEXTS, "till"]))
    assert features.shape == (4, len(weights.columns))
    assert features.dtype == np.float32
    np.testing.assert_allclose(half_norms(weights, features), 1.0, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40) | st.sampled_from(TEXTS), max_size=4))
def test_the_norm_of_a_half_is_1_or_0(texts: list[str]) -> None:
    weights = NgramWeights.fit(count_ngrams(TEXTS))
    norms = half_norms(weights, weights.transform(count_ngrams(texts)))
    assert (np.isclose(norms, 1.0, atol=1e-4) | (norms == 0)).all()


def test_a_text_of_unseen_words_gives_zeros(weights: NgramWeights) -> None:
    assert weights.transform(count_ngrams(["zzz qqq"])).nnz == 0


def test_unseen_words_beside_seen_ones_change_nothing(weights: NgramWeights) -> None:
    plain, padded = weights.transform(count_ngrams(["till", "zzz till qqq"])).toarray()
    np.testing.assert_allclose(padded, plain, atol=1e-6)


@pytest.mark.parametrize("text", ["", "  \n", "!?…", "🙂", "\ud800"])
def test_a_text_without_words_gives_zeros(weights: NgramWeights, text: str) -> None:
    assert count_ngrams([text]).nnz == 0
    assert np.array_equal(weights.transform(count_ngrams([text])).toarray(), np.zeros((1, len(weights.columns))))


def test_no_texts_give_no_rows(weights: NgramWeights) -> None:
    assert count_ngrams([]).shape == (0, 2 * HALF)
    assert weights.transform(count_ngrams([])).shape == (0, len(weights.columns))


def test_weights_of_texts_without_words_give_no_features() -> None:
    wordless = NgramWeights.fit(count_ngrams(["🙂", "!?"]))
    assert len(wordless.columns) == len(wordless.idf) == 0
    assert wordless.transform(count_ngrams([*TEXTS, ""])).shape == (4, 0)


def test_the_same_texts_give_the_same_features_alone_and_together(weights: NgramWeights) -> None:
    together = weights.transform(count_ngrams(TEXTS)).toarray()
    alone = np.vstack([weights.transform(count_ngrams([text])).toarray() for text in TEXTS])
    np.testing.assert_array_equal(together, alone)
    again = NgramWeights.fit(count_ngrams(TEXTS))
    np.testing.assert_array_equal(again.columns, weights.columns)
    np.testing.assert_array_equal(again.idf, weights.idf)


def test_embeddings_come_before_ngrams() -> None:
    joined = join_features(np.array([[1, 2]], dtype=np.float32), sparse.csr_matrix(np.array([[0, 3]])))
    assert joined.toarray().tolist() == [[1, 2, 0, 3]]
    assert joined.dtype == np.float32


@given(st.lists(st.sampled_from([*TEXTS, "till till", "ß İx", ""]), min_size=1, max_size=3))
def test_one_text_s_features_are_those_of_many_to_the_last_bit(texts: list[str]) -> None:
    weights, text = NgramWeights.fit(count_ngrams(TEXTS)), " ".join(texts)
    together = weights.transform(count_ngrams([text]))
    row = weights.row(read_ngrams(text))
    assert np.array_equal(row.indices, together.indices)
    assert np.array_equal(row.data, together.data)


def test_words_are_as_rare_as_in_the_training_texts() -> None:
    weights = NgramWeights.fit(count_ngrams(["till a", "till b", "till c"]))
    ngrams = read_ngrams("till a nothing")
    found = weights.idf_of_words(ngrams, np.array([0, 1, 2]))
    assert found[0] < found[1] < found[2] == np.inf


def test_only_so_many_ngrams_are_kept_and_they_are_those_of_most_texts() -> None:
    counts = count_ngrams(["till a", "till b", "till c"])
    every, few = NgramWeights.fit(counts), NgramWeights.fit(counts, 5)
    assert len(few.columns) == 5 < len(every.columns)
    shared = NgramWeights.fit(count_ngrams(["till"])).columns
    assert set(few.columns) <= set(shared)
    assert list(few.columns) == sorted(few.columns)
    assert set(few.idf) == {min(every.idf)}
