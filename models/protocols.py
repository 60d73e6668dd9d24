"""What an encoder must promise, and the array types that travel between the rooms."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

#: How far the square of a vector's norm may be from 1.
MAX_NORM_ERROR = 1e-3

#: Called as progress(step, done, total) on work that can take longer than two seconds.
Progress = Callable[[str, int, int], None]


def no_progress(step: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""


class TextEncoder(Protocol):
    """Turns texts into unit vectors.

    A text's vector is the same alone and in any batch (to 1e-5), finite, and of norm 1. A text without a single
    known token still gets a unit vector: callers that must not search on blank text check the text, not the vector.
    """

    @property
    def identity(self) -> str:
        """Name and hashes, such as ``openvino-fp32:53aa51172d14-0f7c2a91``: equal identities give equal vectors."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return a float32 array of shape (len(texts), dimension) whose rows have norm 1.

        Raises `EncoderError` when the model gives a vector that is not finite.
        """
        ...


def check_vectors(vectors: FloatArray, count: int, dimension: int, who: str) -> FloatArray:
    """Return `vectors` if they hold the contract: shape, finite, norm 1; raise `EncoderError` otherwise."""
    from models.errors import EncoderError

    if vectors.shape != (count, dimension):
        raise EncoderError(
            f"{who} returned vectors of shape {vectors.shape}, expected {(count, dimension)}; "
            "rebuild the desk with the encoder that made its generation"
        )
    if not np.isfinite(vectors).all():
        raise EncoderError(f"{who} returned a value that is not finite; the weights are damaged, export them again")
    if (np.abs(np.einsum("ij,ij->i", vectors, vectors) - 1) > MAX_NORM_ERROR).any():
        raise EncoderError(f"{who} returned a vector that is not of norm 1; the weights are damaged, export them again")
    return vectors
