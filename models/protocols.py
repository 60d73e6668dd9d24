"""What an encoder and a language model must promise, and the array types that travel between the rooms."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

#: How far the square of a vector's norm may be from 1.
MAX_NORM_ERROR = 1e-3

#: Seconds that a language model may take, unless a request says otherwise.
GENERATION_SECONDS = 20.0

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


@dataclass(frozen=True)
class GenerationRequest:
    """What a language model is asked for. Its `repr` shows neither text: both may hold a customer's words.

    system: what to do, the desk's own words. user: what to do it with, a ticket and passages for instance: whatever
    stands in it is material, and a model may obey it all the same.
    max_tokens: the longest answer. deadline_seconds: time for everything, waiting and retries included.
    schema: a JSON schema, as JSON text, where the answer shall be JSON. A wish: the caller checks the answer.
    accept: raises `GeneratorAnswerError` for a text of no use, which then counts as a failure of the model.
    seed: for models that draw lots however they are set. Raises `ValueError` where a number is out of range or
    the schema no JSON.
    """

    system: str = field(repr=False)
    user: str = field(repr=False)
    max_tokens: int = 512
    deadline_seconds: float = GENERATION_SECONDS
    schema: str | None = field(default=None, repr=False)
    seed: int = 0
    accept: Callable[[str], object] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or not (math.isfinite(self.deadline_seconds) and self.deadline_seconds > 0):
            raise ValueError("a generation needs max_tokens of at least 1 and a finite deadline_seconds above 0")
        if self.schema is not None and not isinstance(json.loads(self.schema), dict):
            raise ValueError("the schema of a generation must be a JSON object")


@dataclass(frozen=True)
class GenerationResult:
    """What a language model wrote. Words for a draft, never an instruction: nothing may be decided by them.

    text: not blank, valid Unicode without lone surrogates, and otherwise as the model gave it: clean it, then check it.
    tokens_in and tokens_out: as the model counts them, or estimated where `is_estimated`.
    identity: the model that answered, a dated name behind an alias included. is_cut: max_tokens ended the text.
    """

    text: str = field(repr=False)
    tokens_in: int
    tokens_out: int
    identity: str
    is_cut: bool = False
    is_estimated: bool = False


class TextGenerator(Protocol):
    """Writes text. Safe to call from many threads; keeps nothing of a request."""

    @property
    def identity(self) -> str:
        """Kind, place and model, such as ``openai:models.example/small-1``; never a key."""
        ...

    def generate(self, request: GenerationRequest) -> GenerationResult:
        """Return the answer within `request.deadline_seconds`, or raise a `GeneratorError` by then.

        The texts of the errors hold neither the request nor the answer.
        """
        ...
