"""Tokens, windows, batches and pooling, with a model that is easy to work out by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_encoder import make_tiny_encoder

from models.errors import EncoderError
from models.protocols import FloatArray, IntArray
from models.transformer_encoder import (
    MAX_WINDOWS,
    TOKENS_PER_BATCH,
    TransformerEncoder,
    Window,
    batches_by_length,
    cut_windows,
    padded_length,
    pool,
    printable,
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("tiny")) / "tokenizer.json"


class CountingEncoder(TransformerEncoder):
    """The direction of a vector is the sum of its tokens' ids and their number; notes the shapes that it was given."""

    def __init__(self, tokenizer: Path, max_tokens: int = 64) -> None:
        super().__init__(tokenizer, Window(max_tokens, 0, ("input_ids", "attention_mask")), "counting", 2)
        self.shapes: list[tuple[int, int]] = []

    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        self.shapes.append((ids.shape[0], ids.shape[1]))
        assert (ids[mask == 0] == 0).all()
        sums = np.stack([(ids * mask).sum(axis=1), mask.sum(axis=1)], axis=1).astype(np.float32)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)


def test_a_short_text_is_one_window_with_the_special_tokens(tokenizer: Path) -> None:
    encoder = CountingEncoder(tokenizer)
    ((ids, weight),) = encoder.cut("the printer")
    ((empty, nothing),) = encoder.cut("")
    assert (weight, nothing) == (len(ids) - 2, 0)
    assert empty == [ids[0], ids[-1]]


def test_a_long_text_has_its_first_line_in_every_window(tokenizer: Path) -> None:
    encoder = CountingEncoder(tokenizer, max_tokens=20)
    ((heading, _),) = encoder.cut("the printer")
    windows = encoder.cut("the printer\n" + "order parcel card " * 20)
    assert len(windows) > 2
    assert all(ids[: len(heading) - 1] == heading[:-1] for ids, _ in windows)
    assert all(len(ids) <= 20 for ids, _ in windows)
    assert sum(weight for _, weight in windows) == 60


def test_a_long_text_without_a_second_line_repeats_nothing(tokenizer: Path) -> None:
    windows = CountingEncoder(tokenizer, max_tokens=20).cut("order parcel card " * 20)
    assert [weight for _, weight in windows] == [18, 18, 18, 6]


def test_text_past_the_last_window_is_not_read(tokenizer: Path) -> None:
    encoder = CountingEncoder(tokenizer, max_tokens=20)
    long = "order " * 18 * MAX_WINDOWS
    assert (encoder.encode([long]) == encoder.encode([long + "card " * 10_000])).all()


def test_texts_share_a_pass_only_at_the_same_padded_length(tokenizer: Path) -> None:
    encoder = CountingEncoder(tokenizer)
    encoder.encode(["order " * count for count in (1, 2, 6, 7, 14, 15)])
    assert encoder.shapes == [(2, 8), (1, 8), (2, 16), (1, 24)]


def test_a_window_that_is_no_multiple_of_the_padding_is_never_exceeded(tokenizer: Path) -> None:
    encoder = CountingEncoder(tokenizer, max_tokens=10)
    encoder.encode(["order " * 8, "order " * 100])
    assert max(width for _, width in encoder.shapes) == 10


class Broken(CountingEncoder):
    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        return np.full((len(ids), 2), np.nan, dtype=np.float32)


class Short(CountingEncoder):
    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        return np.full((len(ids), 3), 1.0, dtype=np.float32)


class Unscaled(CountingEncoder):
    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        return np.full((len(ids), 2), 1.0, dtype=np.float32)


@pytest.mark.parametrize(
    ("kind", "said"), [(Broken, "not finite"), (Short, r"shape \(1, 3\), expected \(1, 2\)"), (Unscaled, "norm 1")]
)
def test_vectors_that_cannot_be_trusted_are_refused(tokenizer: Path, kind: type[CountingEncoder], said: str) -> None:
    with pytest.raises(EncoderError, match=said):
        kind(tokenizer).encode(["the printer"])


def test_a_tokenizer_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EncoderError, match="not a tokenizer that can be read; name another encoder folder"):
        CountingEncoder(tmp_path / "tokenizer.json")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 400), st.integers(0, 60), st.integers(4, 50))
def test_windows_hold_the_text_in_order_and_fit(length: int, heading: int, room: int) -> None:
    ids = list(range(length))
    windows = cut_windows(ids, min(heading, length), room)
    assert all(len(part) <= room for part, _ in windows)
    assert len(windows) <= MAX_WINDOWS
    own = [number for part, weight in windows for number in part[len(part) - weight :]]
    skipped = windows[0][0][: len(windows[0][0]) - windows[0][1]]
    assert skipped + own == ids[: len(skipped) + len(own)]
    assert len(windows) == MAX_WINDOWS or len(skipped) + len(own) == length


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(0, 2**31))
def test_pooled_vectors_are_weighted_means_of_norm_one(counts: list[int], seed: int) -> None:
    draws = np.random.default_rng(seed)
    vectors = draws.normal(size=(sum(counts), 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = draws.integers(1, 9, size=sum(counts))
    owners = np.repeat(np.arange(len(counts)), counts)
    pooled = pool(vectors, owners, weights, len(counts))
    for text, count in enumerate(counts):
        mine = owners == text
        expected = np.average(vectors[mine], axis=0, weights=weights[mine])
        assert np.abs(pooled[text] - expected / np.linalg.norm(expected)).max() < 1e-5
        if count == 1:
            assert (pooled[text] == vectors[mine][0]).all()


def test_windows_that_cancel_each_other_out_leave_the_first() -> None:
    vectors = np.array([[1, 0], [-1, 0], [0, 1]], dtype=np.float32)
    pooled = pool(vectors, np.array([0, 0, 1]), np.array([3, 3, 1]), 2)
    assert pooled.tolist() == [[1, 0], [0, 1]]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 256).map(padded_length), max_size=200), st.integers(1, TOKENS_PER_BATCH))
def test_batches_hold_every_row_once_of_one_length_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = batches_by_length(lengths, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len({lengths[row] for row in batch}) == 1
        assert len(batch) == 1 or sum(lengths[row] for row in batch) <= budget
        assert len(batch).bit_count() == 1


def test_lengths_are_padded_in_steps_that_grow_with_them() -> None:
    lengths = (0, 1, 8, 9, 60, 65, 128, 129, 256, 500)
    assert [padded_length(length) for length in lengths] == [0, 8, 8, 16, 64, 80, 128, 160, 256, 512]


def test_a_runtime_meets_few_shapes(tokenizer: Path) -> None:
    encoder = CountingEncoder(tokenizer, max_tokens=256)
    encoder.encode(["order " * count for count in range(1, 254) for _ in range(count % 7)])
    assert len(set(encoder.shapes)) < 60


@pytest.mark.parametrize(
    ("text", "expected"), [("plain", "plain"), ("a\ud800b", "a?b"), ("😀 Grüße", "😀 Grüße"), ("", "")]
)
def test_only_lone_surrogates_are_replaced(text: str, expected: str) -> None:
    assert printable(text) == expected
