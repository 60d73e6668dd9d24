"""The ways to run one encoder that `bench-encoder` compares. Each is a function from texts to vectors."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.encoder_export import ExportPlan, calibration_split, exported_folder, quiet
from models.encoder_folders import PACKAGED, find_encoder_folder
from models.openvino_encoder import OpenVinoEncoder
from models.protocols import FloatArray, IntArray
from models.sentence_encoder import INPUTS, SentenceEncoder
from models.transformer_encoder import TransformerEncoder, Window

Encode = Callable[[Sequence[str]], FloatArray]

BASELINES = ("sentence-transformers, 1 thread", "sentence-transformers, 2 threads")
REFERENCE = BASELINES[1]
OPENVINO_FP32, OPENVINO_INT8 = "OpenVINO fp32", "OpenVINO int8 (NNCF, static)"
#: The packaged encoder's shape.
HEADS, WIDTH, MAX_TOKENS = 12, 384, 256


@dataclass(frozen=True)
class Workplace:
    """Where exports are kept, and the texts that calibrate them (never those that are measured)."""

    cache: Path
    texts: Sequence[str]


def systems(place: Workplace) -> dict[str, Encode]:
    """Load every system, exporting first what is not there."""
    return {name: open_system(name, place) for name in NAMES}


def open_system(name: str, place: Workplace) -> Encode:
    """Load one system."""
    return OPENERS[name](place)


def _torch(threads: int) -> Encode:
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find_encoder_folder(PACKAGED).path), device="cpu", local_files_only=True)

    def encode(texts: Sequence[str]) -> FloatArray:
        torch.set_num_threads(threads)
        vectors = model.encode(list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    return encode


def _openvino(precision: Any, place: Workplace) -> Encode:
    plan = ExportPlan(find_encoder_folder(PACKAGED), precision, "bench", place.texts)
    return OpenVinoEncoder(exported_folder(plan, place.cache)).encode


class OnnxRuntimeEncoder(TransformerEncoder):
    """The same tokens, windows and batches, run by ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        tokenizer = find_encoder_folder(PACKAGED).path / "tokenizer.json"
        super().__init__(tokenizer, Window(MAX_TOKENS, 0, INPUTS), f"onnx:{path.stem}", WIDTH)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        """Return unit vectors of shape (rows, dimension)."""
        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return np.asarray(self._session.run(None, {name: known[name] for name in self._inputs})[0])


def _onnx(kind: str, place: Workplace) -> Encode:
    path = place.cache / f"onnx-{kind}.onnx"
    if not path.is_file():
        place.cache.mkdir(parents=True, exist_ok=True)
        with quiet():
            MAKERS[kind](SentenceEncoder(find_encoder_folder(PACKAGED)), path, place)
    return OnnxRuntimeEncoder(path).encode


def _plain(reference: SentenceEncoder, path: Path, place: Workplace) -> None:
    """Attention written out, as the fusions of ONNX Runtime expect it."""
    import torch
    from sentence_transformers import SentenceTransformer

    folder = find_encoder_folder(PACKAGED).path
    eager = {"attn_implementation": "eager"}
    model: Any = SentenceTransformer(str(folder), device="cpu", local_files_only=True, model_kwargs=eager).eval()
    names = reference.window.inputs

    class Graph(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.transformer = model[0].auto_model

        def forward(self, *tensors: Any) -> Any:
            feed = dict(zip(names, tensors, strict=True))
            mask = feed["attention_mask"].unsqueeze(-1).to(torch.float32)
            hidden = self.transformer(**feed).last_hidden_state
            return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9), dim=1)

    example = {name: torch.ones(2, 8, dtype=torch.long) for name in names}
    example["attention_mask"][1, 5:] = 0
    torch.onnx.export(
        Graph().eval(),
        tuple(example[name] for name in names),
        str(path),
        dynamo=False,
        input_names=list(names),
        output_names=["sentence_embedding"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names},
        opset_version=17,
    )


def _fused(reference: SentenceEncoder, path: Path, place: Workplace) -> None:
    from onnxruntime.transformers import optimizer

    plain = path.with_name("onnx-plain.onnx")
    if not plain.is_file():
        _plain(reference, plain, place)
    optimizer.optimize_model(
        str(plain), model_type="bert", num_heads=HEADS, hidden_size=WIDTH, opt_level=0
    ).save_model_to_file(str(path))


def _static_int8(reference: SentenceEncoder, path: Path, place: Workplace) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.texts = iter(calibration_split(place.texts)[0][:120])

        def get_next(self) -> Mapping[str, IntArray] | None:
            text = next(self.texts, None)
            if text is None:
                return None
            ids = np.array([reference.cut(text)[0][0]], dtype=np.int64)
            return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}

    fused = path.with_name("onnx-fused.onnx")
    if not fused.is_file():
        _fused(reference, fused, place)
    quantize_static(
        str(fused),
        str(path),
        Reader(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        extra_options={"MatMulConstBOnly": True},
    )


def _dynamic_int8(reference: SentenceEncoder, path: Path, place: Workplace) -> None:
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    fused = path.with_name("onnx-fused.onnx")
    if not fused.is_file():
        _fused(reference, fused, place)
    options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(str(fused), str(path), per_channel=True, extra_options=options)


MAKERS = {"plain": _plain, "fused": _fused, "static-int8": _static_int8, "dynamic-int8": _dynamic_int8}
OPENERS: dict[str, Callable[[Workplace], Encode]] = {
    BASELINES[0]: lambda place: _torch(1),
    BASELINES[1]: lambda place: _torch(2),
    "ONNX Runtime fp32": lambda place: _onnx("plain", place),
    "ONNX Runtime fp32, BERT fusions": lambda place: _onnx("fused", place),
    "ONNX Runtime int8 (static)": lambda place: _onnx("static-int8", place),
    "ONNX Runtime int8 (dynamic)": lambda place: _onnx("dynamic-int8", place),
    OPENVINO_FP32: lambda place: _openvino("fp32", place),
    OPENVINO_INT8: lambda place: _openvino("int8", place),
}
NAMES = tuple(OPENERS)
