"""A deterministic encoder without weights: for tests, and for a desk that must build in an instant."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from models.protocols import FloatArray, Progress, no_progress

WORD = re.compile(r"\w+")


class HashingEncoder:
    """Signed hashing of words and of their character trigrams, scaled to norm 1 (feature hashing, Weinberger 2009).

    It knows nothing of meaning, only of shared words. Do not serve customers with it.
    """

    def __init__(self, dimension: int = 256) -> None:
        self.dimension = dimension
        self.identity = f"hashing:{dimension}"

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return unit vectors of shape (len(texts), dimension); a text without words gets the first axis."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for feature in self._features(text):
                digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "little")
                row[(digest >> 1) % self.dimension] += 1.0 if digest & 1 else -1.0
            norm = float(np.linalg.norm(row))
            if norm == 0.0:
                row[0] = norm = 1.0
            row /= norm
        progress("encode", len(texts), len(texts))
        return vectors

    @staticmethod
    def _features(text: str) -> list[str]:
        words = WORD.findall(text.lower())
        trigrams = [f"#{word}#"[i : i + 3] for word in words for i in range(len(word))]
        return words + trigrams
