"""Vectors that are kept in memory: the same as the encoder's, and no more of them than was said."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hashing_encoder import HashingEncoder
from models.protocols import FloatArray, Progress, no_progress
from models.recent_vectors import RecentVectors


class Counting(HashingEncoder):
    """Notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        self.asked += texts
        return super().encode(texts, progress)


def test_a_text_is_encoded_once_and_what_was_not_asked_for_is_forgotten() -> None:
    encoder = Counting()
    recent = RecentVectors(encoder, most=2)
    recent(["a", "b", "a"])
    recent(["a", "b"])
    assert encoder.asked == ["a", "b"]
    recent(["a", "c"])  # b was asked for longest ago
    recent(["a"])
    recent(["b"])
    assert encoder.asked == ["a", "b", "c", "b"]


def test_no_texts_are_no_vectors() -> None:
    assert RecentVectors(HashingEncoder())([]).shape == (0, HashingEncoder().dimension)


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=5), max_size=6), st.integers(1, 4))
@settings(deadline=None, max_examples=50)
def test_vectors_are_those_of_the_encoder_whatever_was_asked_before(calls: list[list[str]], most: int) -> None:
    encoder = HashingEncoder()
    recent = RecentVectors(encoder, most)
    for texts in calls:
        np.testing.assert_array_equal(recent(texts), encoder.encode(texts))
