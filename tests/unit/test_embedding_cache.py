"""A cache gives what its encoder gives, asks it once, and keeps what was done."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.embedding_cache import EmbeddingCache
from models.embedding_store import BATCH, EmbeddingStore
from models.errors import EncoderError
from models.hashing_encoder import HashingEncoder
from models.protocols import FloatArray, Progress, no_progress

DAY = date(2026, 11, 20)
MANY = [f"ticket {number}" for number in range(2 * BATCH + 100)]
WORDS = st.text(st.characters(), max_size=4) | st.sampled_from(["till", "vat", "", "\ud83d", "\udfff", "a\x00b"])


class Asked(HashingEncoder):
    """An encoder that remembers what it was asked, and stops after a number of calls."""

    def __init__(self, dimension: int = 8, calls: int | None = None) -> None:
        super().__init__(dimension)
        self.texts: list[str] = []
        self._calls = calls

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        if self._calls == 0:
            raise KeyboardInterrupt
        if self._calls is not None:
            self._calls -= 1
        self.texts += texts
        return super().encode([text.encode("utf-8", "replace").decode() for text in texts], progress)


def no_warning(text: str) -> None:
    raise AssertionError(text)


def store_for(encoder: HashingEncoder, folder: Path) -> EmbeddingStore:
    return EmbeddingStore(folder, encoder, DAY, no_warning)


def kept_in(folder: Path, encoder: HashingEncoder) -> EmbeddingCache:
    return EmbeddingCache(encoder, store_for(encoder, folder))


def told_by(cache: EmbeddingCache, texts: Sequence[str]) -> list[tuple[str, int, int]]:
    calls: list[tuple[str, int, int]] = []
    cache.encode(texts, lambda *call: calls.append(call))
    return calls


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(st.lists(WORDS, max_size=6), max_size=6), on_disk=st.booleans(), reopened=st.booleans())
def test_any_calls_give_what_the_encoder_gives_and_ask_it_once(
    calls: list[list[str]], on_disk: bool, reopened: bool
) -> None:
    asked = Asked()
    with TemporaryDirectory() as folder:
        cache = kept_in(Path(folder), asked) if on_disk else EmbeddingCache(asked)
        for texts in calls:
            vectors = cache.encode(texts)
            assert vectors.dtype == np.float32
            assert vectors.tobytes() == Asked().encode(texts).tobytes()
            assert vectors.shape == (len(texts), 8)
            if on_disk and reopened:
                cache = kept_in(Path(folder), asked)
    assert sorted(asked.texts) == sorted({text for texts in calls for text in texts})


def test_a_text_is_kept_from_one_opening_to_the_next_bit_for_bit(tmp_path: Path) -> None:
    first, second = Asked(), Asked()
    given = kept_in(tmp_path, first).encode(MANY)
    again = kept_in(tmp_path, second).encode([*MANY[::-1], "changed"])
    assert second.texts == ["changed"]
    assert again[:-1].tobytes() == np.ascontiguousarray(given[::-1]).tobytes()


def test_without_a_store_nothing_is_kept() -> None:
    first, second = Asked(), Asked()
    EmbeddingCache(first).encode(["till"])
    EmbeddingCache(second).encode(["till"])
    assert first.texts == second.texts == ["till"]


def test_progress_rises_to_the_texts_that_were_given(tmp_path: Path) -> None:
    cache = kept_in(tmp_path, Asked())
    assert [call[1:] for call in told_by(cache, ["till", "vat", "till"])] == [(2, 3), (3, 3)]
    assert told_by(cache, ["vat", "till"]) == [("encode", 2, 2)]
    assert told_by(cache, ["stock", "vat"]) == [("encode", 1, 2), ("encode", 2, 2)]
    assert told_by(cache, []) == []
    calls = told_by(cache, [*MANY, "vat", MANY[5]])
    assert [done for _, done, _ in calls] == [1, BATCH + 1, BATCH + 2, 2 * BATCH + 2, 2 * BATCH + 102]
    assert {total for _, _, total in calls} == {len(MANY) + 2}


def test_what_was_encoded_before_a_build_stopped_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        kept_in(tmp_path, Asked(calls=2)).encode(MANY)
    rest = Asked()
    kept_in(tmp_path, rest).encode(MANY)
    assert rest.texts == MANY[2 * BATCH :]


@pytest.mark.parametrize("on_disk", [True, False], ids=["on disk", "in memory"])
def test_threads_that_ask_at_once_ask_for_every_text_once(tmp_path: Path, on_disk: bool) -> None:
    asked, threads = Asked(), 6
    cache = kept_in(tmp_path, asked) if on_disk else EmbeddingCache(asked)
    barrier = threading.Barrier(threads)

    def encode(thread: int) -> FloatArray:
        barrier.wait(30)
        return cache.encode(MANY[thread * 20 : thread * 20 + 200])

    with ThreadPoolExecutor(threads) as pool:
        for thread, vectors in enumerate(pool.map(encode, range(threads))):
            assert vectors.tobytes() == Asked().encode(MANY[thread * 20 : thread * 20 + 200]).tobytes()
    assert sorted(asked.texts) == sorted(MANY[:300])


def test_vectors_that_are_not_finite_are_refused_and_not_kept(tmp_path: Path) -> None:
    class Broken(Asked):
        def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
            return super().encode(texts, progress) * np.float32("nan")

    with pytest.raises(EncoderError, match="not finite"):
        kept_in(tmp_path, Broken()).encode(["till"])
    asked = Asked()
    assert np.isfinite(kept_in(tmp_path, asked).encode(["till"])).all()
    assert asked.texts == ["till"]


@pytest.mark.parametrize("on_disk", [True, False], ids=["on disk", "in memory"])
def test_forgotten_texts_are_asked_for_again(tmp_path: Path, on_disk: bool) -> None:
    asked = Asked()
    cache = kept_in(tmp_path, asked) if on_disk else EmbeddingCache(asked)
    cache.encode(["till", "vat", "stock"])
    cache.forget(["till", "never seen", "stock"])
    del asked.texts[:]
    cache.encode(["till", "vat", "stock"])
    assert asked.texts == ["till", "stock"]


def test_a_cache_is_the_encoder_behind_it(tmp_path: Path) -> None:
    cache = kept_in(tmp_path, Asked(16))
    assert (cache.identity, cache.dimension) == ("hashing:16", 16)
    assert cache.encode([]).shape == (0, 16)
