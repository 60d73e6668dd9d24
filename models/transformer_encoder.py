"""What every encoder with a tokenizer and a window shares: tokens, windows over long text, batches, pooling."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import EncoderError
from models.protocols import FloatArray, IntArray, Progress, check_vectors, no_progress

if TYPE_CHECKING:
    from tokenizers import Encoding

#: Batches hold at most this many tokens, padding included. Twice as many are at most 5 % faster and take more memory.
TOKENS_PER_BATCH = 512
#: Texts are padded to a multiple of `step` tokens up to `limit`, alone or in a batch, and share a batch only with texts
#: of the same padded length: the sums behind a vector then never differ, and int8 never rounds them to another side.
#: Few lengths, since a runtime keeps kernels for each (rows, tokens) it has met: 10 ms when first met, 1 MB kept.
PADDING = ((8, 64), (16, 128), (32, None))
#: Characters beyond this many per token of the window and window of a text are not read: a megabyte costs no more
#: than a long letter.
CHARACTERS_PER_TOKEN = 16
#: A long text is read in at most this many windows.
MAX_WINDOWS = 8
#: A first line of at most this share of a window stands in each window: a subject, or an article's title.
HEADING_SHARE = 0.25


@dataclass(frozen=True)
class Window:
    """What a model can read at once: tokens with the special ones, the id that pads, and the model's input names."""

    max_tokens: int
    pad_id: int
    inputs: tuple[str, ...]


class TransformerEncoder(ABC):
    """An encoder whose subclass runs the model. Safe from many threads if `forward` is.

    Text past the window is read in windows, the first line in each, and its vector is the mean of theirs, weighted by
    how much of the text they hold, and scaled to norm 1.
    """

    def __init__(self, tokenizer: Path, window: Window, identity: str, dimension: int) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # a bare Exception is what the library raises
            raise EncoderError(f"{tokenizer}: not a tokenizer that can be read; name another encoder folder") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._before, self._after = _special_tokens(self._tokenizer.encode("a"))
        self.window = window
        self.identity = identity
        self.dimension = dimension

    @abstractmethod
    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        """Return unit vectors of shape (rows, dimension) for token ids and a mask of shape (rows, tokens)."""

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return unit vectors of shape (len(texts), dimension)."""
        windows = [(number, *window) for number, text in enumerate(texts) for window in self.cut(text)]
        tokens = [ids for _, ids, _ in windows]
        found = np.zeros((len(tokens), self.dimension), dtype=np.float32)
        done = told = 0
        for rows in batches_by_length([padded_length(len(ids)) for ids in tokens], TOKENS_PER_BATCH):
            vectors = self._forward([tokens[row] for row in rows])
            found[rows] = check_vectors(vectors, len(rows), self.dimension, self.identity)
            done += len(rows)
            if (share := done * len(texts) // len(tokens)) > told:
                told = share
                progress("encode", told, len(texts))
        owners = np.array([number for number, _, _ in windows], dtype=np.int64)
        return pool(found, owners, np.array([weight for _, _, weight in windows], dtype=np.int64), len(texts))

    def cut(self, text: str) -> list[tuple[list[int], int]]:
        """Return a text's windows: token ids with the special ones, and how many of them are the window's own."""
        room = self.window.max_tokens - len(self._before) - len(self._after)
        text = printable(text[: CHARACTERS_PER_TOKEN * MAX_WINDOWS * self.window.max_tokens])
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        heading = 0
        if len(encoding.ids) > room and (end := text.find("\n")) >= 0:
            heading = sum(start < end for start, _ in encoding.offsets)
        parts = cut_windows(encoding.ids, heading, room)
        return [([*self._before, *part, *self._after], weight) for part, weight in parts]

    def _forward(self, tokens: list[list[int]]) -> FloatArray:
        shape = (len(tokens), min(padded_length(max(map(len, tokens))), self.window.max_tokens))
        ids: IntArray = np.full(shape, self.window.pad_id, dtype=np.int64)
        mask: IntArray = np.zeros(shape, dtype=np.int64)
        for row, sequence in enumerate(tokens):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        return self.forward(ids, mask)


def cut_windows(ids: Sequence[int], heading: int, room: int) -> list[tuple[list[int], int]]:
    """Cut token ids into windows of at most `room`, each with its number of ids that are not the heading's.

    Past one window, the first `heading` ids stand in each; a heading that would fill more than its share is treated as
    text. At most `MAX_WINDOWS` are cut; what is left is not read.
    """
    if len(ids) <= room:
        return [(list(ids), len(ids))]
    heading = heading if heading <= room * HEADING_SHARE else 0
    head, body, step = list(ids[:heading]), list(ids[heading:]), room - heading
    parts = [body[start : start + step] for start in range(0, min(len(body), MAX_WINDOWS * step), step)]
    return [(head + part, len(part)) for part in parts]


def pool(vectors: FloatArray, owners: IntArray, weights: IntArray, count: int) -> FloatArray:
    """Return one unit vector per text: the weighted mean of its windows' vectors, scaled to norm 1.

    vectors: shape (windows, dimension); owners: the text of each window, ascending, every text having one at least;
    weights: of each window. The vector of a lone window stays as it is.
    """
    if len(owners) == count:
        return vectors
    starts = np.searchsorted(owners, np.arange(count))
    sums = np.add.reduceat(vectors * weights[:, np.newaxis], starts, axis=0)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    lone = np.bincount(owners, minlength=count)[:, np.newaxis] == 1
    # Windows that cancel each other out have no direction in common: the first one speaks.
    return np.where(lone | (norms < 1e-6), vectors[starts], sums / np.maximum(norms, 1e-6)).astype(np.float32)


def padded_length(length: int) -> int:
    """Return the length that a text of `length` tokens is padded to, by `PADDING`."""
    step = next(step for step, limit in PADDING if limit is None or length <= limit)
    return -(-length // step) * step


def batches_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Cut positions, shortest first, into batches of equal lengths and at most `budget` tokens.

    Batches hold 1, 2, 4, 8 … rows, for the reason that `PADDING` gives.
    """
    batches: list[list[int]] = []
    for length, group in groupby(sorted(range(len(lengths)), key=lengths.__getitem__), key=lengths.__getitem__):
        rows = list(group)
        while rows:
            fitting = max(1, min(len(rows), budget // max(1, length)))
            size = 1 << (fitting.bit_length() - 1)
            batches.append(rows[:size])
            rows = rows[size:]
    return batches


def printable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot carry and the tokenizer refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _special_tokens(encoding: "Encoding") -> tuple[list[int], list[int]]:
    """Return the ids that stand before and after a text."""
    ids, special = encoding.ids, encoding.special_tokens_mask
    if 0 not in special:
        return [], []
    start, end = special.index(0), len(special) - special[::-1].index(0)
    return ids[:start], ids[end:]
