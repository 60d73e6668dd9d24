"""Vectors that were computed once: by the text's hash, for one encoder."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from models.protocols import FloatArray, Progress, TextEncoder, no_progress


class EmbeddingCache:
    """An encoder that remembers every vector it gave. Grows without bound: for builds that repeat, not for serving."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._vectors: dict[bytes, FloatArray] = {}
        self.identity = encoder.identity
        self.dimension = encoder.dimension

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return unit vectors of shape (len(texts), dimension), as the encoder behind it gives them."""
        keys = [sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors}
        if new:
            self._vectors.update(zip(new, self._encoder.encode(list(new.values()), progress), strict=True))
        if not keys:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([self._vectors[key] for key in keys])
