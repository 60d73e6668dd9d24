"""The serving encoder: OpenVINO and `tokenizers`, no torch."""

import contextlib
import os
import sys
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from models.artifact_files import read_json, sha256_of_file
from models.errors import ArtifactError, EncoderError, WeightsError
from models.protocols import FloatArray, IntArray
from models.transformer_encoder import TransformerEncoder, Window

FORMAT = "openvino-encoder/1"
FILES = {"model.xml", "model.bin", "tokenizer.json"}


def openvino() -> Any:
    """Import OpenVINO without its telemetry, which would report every import to its makers."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino as module

    return module


class OpenVinoEncoder(TransformerEncoder):
    """An encoder exported by `encoder_export`, in fp32 or int8, on the CPU. Safe to call from many threads.

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
        window = Window(int(card["max_tokens"]), int(card["pad_id"]), tuple(card["inputs"]))
        super().__init__(folder / "tokenizer.json", window, card["identity"], int(card["dimension"]))
        try:
            self._request = compile_model(folder / "model.xml", threads).create_infer_request()
        except Exception as error:  # OpenVINO raises bare RuntimeErrors and classes of its own
            raise EncoderError(f"{folder}: the exported encoder cannot be loaded; remove it and build again") from error
        self._lock = Lock()

    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        """Return unit vectors of shape (rows, dimension). One pass at a time: it uses every core by itself."""
        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        feed = {name: known[name] for name in self.window.inputs}
        with self._lock:
            return np.array(self._request.infer(feed, share_inputs=True)[0], dtype=np.float32)


def compile_model(model: Any, threads: int | None = None) -> Any:
    """Return a model (a path, or one in memory) compiled for the CPU.

    Arithmetic that is not int8 stays fp32, also on processors with bfloat16: a vector must not depend on them.
    Threads are not pinned to cores, which several processes on one machine would fight over.
    """
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads or len(os.sched_getaffinity(0)),
        "ENABLE_CPU_PINNING": False,
    }
    return openvino().Core().compile_model(model, "CPU", settings)


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of an exported encoder; raise `EncoderError` where the folder holds none."""
    try:
        card = read_json(folder / "card.json")
    except ArtifactError as error:
        raise EncoderError(f"{folder} holds no exported encoder; run `firstline build` to export it") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT or set(card.get("files", ())) != FILES:
        raise EncoderError(f"{folder}: unknown export format; remove the folder and build again")
    return card


def find_export(cache: Path, identity: str) -> Path:
    """Return the export that gives the vectors of an identity; raise `EncoderError` where it is gone."""
    for card in sorted(cache.glob("*/card.json")):
        with contextlib.suppress(EncoderError):
            if read_card(card.parent)["identity"] == identity:
                return card.parent
    raise EncoderError(f"the exported encoder {identity} is not in {cache}; run `firstline build` to export it again")
