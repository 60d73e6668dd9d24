"""Vectors that were computed once: by the text's hash, for one encoder, in memory or on disk."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from threading import Lock

import numpy as np

from models.embedding_store import BATCH, EmbeddingStore
from models.protocols import FloatArray, Progress, TextEncoder, check_vectors, no_progress


class EmbeddingCache:
    """An encoder that asks the one behind it for every text once. Safe to call from many threads.

    store: where vectors are kept from one process to the next, taking no memory. Without one they are kept in memory,
    which grows without bound: for builds that repeat, not for serving.

    A vector is bit for bit what the encoder gave when it was first asked; asked again, in other batches, it may
    differ by 1e-5.
    """

    def __init__(self, encoder: TextEncoder, store: EmbeddingStore | None = None) -> None:
        self._encoder = encoder
        self._store = store
        self._vectors: dict[bytes, FloatArray] = {}
        self._encoding = Lock()
        self.identity = encoder.identity
        self.dimension = encoder.dimension

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return unit vectors of shape (len(texts), dimension), as the encoder behind it gives them.

        With a store, `progress` counts the texts that were given, known ones as done, and new texts are encoded and
        stored `BATCH` at a time: a build that is cut short keeps what was done. In memory it counts the new texts.
        """
        keys = [hash_of(text) for text in texts]
        if self._store is None:
            return self._encode_in_memory(keys, texts, progress)
        job = _Job(keys, self.dimension, progress)
        missing: list[bytes] = []
        for batch in _batches(list(job.rows)):
            missing += self._fill_known(job, batch, self._store)
        for batch in _batches(missing):
            with self._encoding:
                # Another thread or process may have been faster.
                new = self._fill_known(job, batch, self._store)
                if new:
                    self._fill_new(job, new, [texts[job.rows[key][0]] for key in new], self._store)
        return job.vectors

    def forget(self, texts: Sequence[str]) -> None:
        """Remove texts from memory, or from the store and those of all encoders beside it.

        See `models.embedding_store.forget_hashes` for what remains. Raises `ArtifactError` where the store cannot be
        changed.
        """
        keys = [hash_of(text) for text in texts]
        for key in keys:
            self._vectors.pop(key, None)
        if self._store is not None:
            self._store.forget(keys)

    def _encode_in_memory(self, keys: Sequence[bytes], texts: Sequence[str], progress: Progress) -> FloatArray:
        with self._encoding:
            new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors}
            if new:
                self._vectors.update(zip(new, self._encoder.encode(list(new.values()), progress), strict=True))
            if not keys:
                return np.zeros((0, self.dimension), dtype=np.float32)
            return np.stack([self._vectors[key] for key in keys])

    def _fill_known(self, job: "_Job", keys: Sequence[bytes], store: EmbeddingStore) -> list[bytes]:
        """Fill in what the store knows; return the keys that it does not."""
        known = store.read(keys)
        job.fill(known)
        return [key for key in keys if key not in known]

    def _fill_new(self, job: "_Job", keys: Sequence[bytes], texts: Sequence[str], store: EmbeddingStore) -> None:
        vectors = self._encoder.encode(texts, lambda _, done, total: job.tell(job.done + done))
        store.write(keys, check_vectors(vectors, len(texts), self.dimension, self.identity))
        job.fill(dict(zip(keys, vectors, strict=True)))


class _Job:
    """One call's vectors, filled in as they come, and its progress. A text that is given twice has one key."""

    def __init__(self, keys: Sequence[bytes], dimension: int, progress: Progress) -> None:
        self.rows: dict[bytes, list[int]] = {}
        for row, key in enumerate(keys):
            self.rows.setdefault(key, []).append(row)
        self.vectors: FloatArray = np.zeros((len(keys), dimension), dtype=np.float32)
        self.done = self._told = 0
        self._progress = progress

    def fill(self, found: Mapping[bytes, FloatArray]) -> None:
        """Put these keys' vectors into their rows."""
        for key, vector in found.items():
            self.vectors[self.rows[key]] = vector
            self.done += len(self.rows[key])
        self.tell(self.done)

    def tell(self, done: int) -> None:
        """Tell of progress, where there is any."""
        if done > self._told:
            self._told = done
            self._progress("encode", done, len(self.vectors))


def hash_of(text: str) -> bytes:
    """Return the SHA-256 of a text; lone surrogates, which UTF-8 cannot carry, count as they are."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _batches(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
