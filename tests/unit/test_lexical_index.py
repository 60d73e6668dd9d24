"""BM25: identifiers are found, stop words are not, and a saved index gives the same scores."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import DamagedIndexError
from retrieval.lexical_index import STOP_WORDS, LexicalIndex, tokenize

TEXTS = (
    "The bank feed stopped with code BR-77120 on Tuesday",
    "HMRC answered TAX_PERIOD_NOT_ENDED to the return",
    "Status 503 from the bank, please wait",
    "🙂",
)


@pytest.fixture(scope="module")
def index() -> LexicalIndex:
    return LexicalIndex.build(TEXTS)


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("BR-77120", 0),
        ("br-77120?", 0),
        ("(77120)", 0),
        ("TAX_PERIOD_NOT_ENDED", 1),
        ("tax_period_not_ended", 1),
        ("error 503!", 2),
        ("Tuesday’s TUESDAY", 0),
    ],
)
def test_an_identifier_finds_its_text_and_no_other(index: LexicalIndex, query: str, row: int) -> None:
    scores = index.scores(query)
    assert np.flatnonzero(scores).tolist() == [row]
    assert scores[row] > 0


def test_the_whole_identifier_counts_more_than_a_part(index: LexicalIndex) -> None:
    assert index.scores("BR-77120")[0] > index.scores("77120")[0]


def test_more_shared_words_score_higher(index: LexicalIndex) -> None:
    scores = index.scores("bank feed stopped")
    assert scores[0] > scores[2] > 0
    assert scores[[1, 3]].tolist() == [0, 0]


@pytest.mark.parametrize("query", ["", " ", "the", "Please, can you?", "🙂", "?!", "unheard", "x", "\ud800"])
def test_a_query_without_a_known_word_scores_zero(index: LexicalIndex, query: str) -> None:
    scores = index.scores(query)
    assert (scores.dtype, scores.tolist()) == (np.float32, [0, 0, 0, 0])


@pytest.mark.parametrize("word", sorted(STOP_WORDS))
def test_no_stop_word_leaves_a_token(word: str) -> None:
    assert tokenize(word) == []
    assert tokenize(word.upper().replace("'", "’")) == []


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Tills, tills", {"tills"}),
        ("BR-77120", {"br-77120", "br", "77120"}),
        ("NOT_ENDED", {"not_ended", "ended"}),
        ("error 5 b", {"error", "5"}),
        ("-._'", set()),
        ("Grüße aus Köln", {"grüße", "aus", "köln"}),
    ],
)
def test_tokens(text: str, tokens: set[str]) -> None:
    assert set(tokenize(text)) == tokens


def test_the_order_of_tokens_is_the_same_in_every_process(project: Path) -> None:
    code = "from retrieval.lexical_index import tokenize; print(tokenize('BR-77120 TAX_PERIOD_NOT_ENDED'))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(project)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in range(3)
    }
    assert len(printed) == 1


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_scores_are_finite_and_never_negative(query: str) -> None:
    scores = LexicalIndex.build(["till bank", "bank", "é 5"]).scores(query)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_an_empty_index_finds_nothing_also_after_loading(tmp_path: Path) -> None:
    empty = LexicalIndex.build([])
    empty.save(tmp_path / "bm25")
    for index in (empty, LexicalIndex.load(tmp_path / "bm25", 0)):
        assert len(index) == 0
        assert index.scores("BR-77120").shape == (0,)


def test_a_saved_index_gives_the_same_scores(index: LexicalIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "bm25")
    loaded = LexicalIndex.load(tmp_path / "bm25", len(TEXTS))
    assert len(loaded) == len(TEXTS)
    for query in (*TEXTS, "the", "bank 503", ""):
        np.testing.assert_array_equal(loaded.scores(query), index.scores(query))


def test_another_number_of_rows_is_refused(index: LexicalIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "bm25")
    with pytest.raises(DamagedIndexError, match="build the desk again"):
        LexicalIndex.load(tmp_path / "bm25", len(TEXTS) + 1)


@pytest.mark.parametrize("size", [None, 0, 70], ids=["missing", "empty", "cut off"])
@pytest.mark.parametrize("name", ["data.csc.index.npy", "vocab.index.json", "params.index.json"])
def test_a_damaged_index_is_refused(index: LexicalIndex, tmp_path: Path, name: str, size: int | None) -> None:
    index.save(tmp_path / "bm25")
    path = tmp_path / "bm25" / name
    if size is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedIndexError, match=r"bm25: the BM25 index cannot be read; build the desk again"):
        LexicalIndex.load(tmp_path / "bm25", len(TEXTS))
