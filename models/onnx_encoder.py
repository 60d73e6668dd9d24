"""The serving encoder: ONNX Runtime and `tokenizers`, no torch."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact_files import read_json, sha256_of_file
from models.errors import ArtifactError, EncoderError, WeightsError
from models.protocols import FloatArray, IntArray, Progress, check_vectors, no_progress

FORMAT = "onnx-encoder/1"
FILES = {"model.onnx", "tokenizer.json"}
#: Texts are sorted by length and cut into batches of at most this many tokens, padding included.
TOKENS_PER_BATCH = 4096


class OnnxEncoder:
    """An encoder exported by `onnx_export`, in fp32, on the CPU. Safe to call from many threads.

    Raises `WeightsError` where a file is not the one that was exported, `EncoderError` where it cannot be loaded.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        card = read_card(folder)
        for name, expected in card["files"].items():
            if not (folder / name).is_file() or sha256_of_file(folder / name) != expected:
                raise WeightsError(
                    f"{folder / name} is missing or is not the file that was exported; "
                    "remove the folder and run `firstline build` to export it again"
                )
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both libraries raise classes of their own
            raise EncoderError(f"{folder}: the exported encoder cannot be loaded; remove it and build again") from error
        self._tokenizer.enable_truncation(max_length=int(card["max_tokens"]))
        self._tokenizer.no_padding()
        self.identity: str = card["identity"]
        self.dimension: int = int(card["dimension"])

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return unit vectors of shape (len(texts), dimension); text past the model's window is cut off."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch([printable(text) for text in texts])]
        done = 0
        for rows in batches_by_length([len(ids) for ids in tokens], TOKENS_PER_BATCH):
            vectors[rows] = self._forward([tokens[row] for row in rows])
            done += len(rows)
            progress("encode", done, len(texts))
        return check_vectors(vectors, len(texts), self.dimension, self.identity)

    def _forward(self, tokens: list[list[int]]) -> FloatArray:
        ids: IntArray = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, sequence in enumerate(tokens):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return np.asarray(self._session.run(["sentence_embedding"], feed)[0], dtype=np.float32)


def batches_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Cut positions, shortest text first, into batches whose padded size stays within `budget` tokens."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * lengths[row] <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def printable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot carry and the tokenizer refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of an exported encoder; raise `EncoderError` where the folder holds none."""
    try:
        card = read_json(folder / "card.json")
    except ArtifactError as error:
        raise EncoderError(f"{folder} holds no exported encoder; run `firstline build` to export it") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT or set(card.get("files", ())) != FILES:
        raise EncoderError(f"{folder}: unknown export format; remove the folder and build again")
    return card
