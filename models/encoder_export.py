"""Writes a sentence-transformers folder as one OpenVINO graph, pooling and norm inside, fp32 or int8. Needs torch."""

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models.artifact_files import sha256_of_file, sync_folder, write_json
from models.encoder_folders import EncoderFolder
from models.errors import EncoderError
from models.openvino_encoder import FILES, FORMAT, OpenVinoEncoder, openvino
from models.sentence_encoder import SentenceEncoder, embed

Precision = Literal["int8", "fp32"]

#: The exported fp32 graph must agree with torch to this, on texts of several lengths.
TOLERANCE = 1e-4
#: int8 vectors must keep this mean cosine with fp32 on texts that did not calibrate them.
MIN_COSINE = 0.99
PROBES = (
    "ok",
    " Leading and   inner blanks",
    "The till closed after midnight and the day sheet is EMPTY.",
    "Grüße – 1.234,50 € fehlen; " + "please look at the bank feed of last Tuesday, " * 20,
    "A subject\n" + "The export has stopped again and nobody in the shop knows why. " * 60,
)
#: At most so many texts set the ranges of int8 numbers or judge the result. One of five judges: an odd number, since
#: desk and sample take turns.
MAX_SAMPLE = 360
JUDGING_EACH = 5


@dataclass(frozen=True)
class ExportPlan:
    """What to export: the encoder, the number format, and the desk whose texts calibrate int8."""

    folder: EncoderFolder
    precision: Precision
    desk: str
    texts: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The export's folder: fp32 is the same for every desk."""
        whose = f"-{self.desk}" if self.precision == "int8" else ""
        return f"openvino-{self.precision}-{self.folder.mark}{whose}"


def exported_folder(plan: ExportPlan, cache: Path) -> Path:
    """Return the cached export, exporting first where there is none.

    A desk's int8 export is kept while its encoder is the same: calibrating again for every changed article would
    change every vector. Raises `EncoderError`.
    """
    target = cache / plan.name
    if not (target / "card.json").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".export-") as scratch:
            made = Path(scratch) / "export"
            made.mkdir()
            _export(plan, made)
            sync_folder(made)
            with contextlib.suppress(OSError):
                made.rename(target)  # fails where another process finished first: its export serves as well
        if not (target / "card.json").is_file():
            raise EncoderError(f"the export of {plan.folder.name!r} could not be moved to {target}; is it writable?")
    return target


def _export(plan: ExportPlan, made: Path) -> None:
    reference = SentenceEncoder(plan.folder)
    try:
        with quiet():
            graph = _trace(reference)
            if plan.precision == "int8":
                graph = _quantise(graph, reference, calibration_split(plan.texts)[0])
            openvino().save_model(graph, str(made / "model.xml"), compress_to_fp16=False)
    except Exception as error:  # the converters raise many kinds; the cause is kept
        raise EncoderError(
            f"encoder {plan.folder.name!r} does not export ({error.__class__.__name__}: {error})"
        ) from error
    shutil.copyfile(plan.folder.path / "tokenizer.json", made / "tokenizer.json")
    files = {name: sha256_of_file(made / name) for name in sorted(FILES)}
    mark = "" if plan.precision == "fp32" else "-" + sha256(files["model.bin"].encode()).hexdigest()[:8]
    card = {
        "format": FORMAT,
        "name": plan.folder.name,
        "precision": plan.precision,
        "identity": f"openvino-{plan.precision}:{plan.folder.mark}{mark}",
        "weights_sha256": plan.folder.weights_sha256,
        "dimension": reference.dimension,
        "max_tokens": reference.window.max_tokens,
        "pad_id": reference.window.pad_id,
        "inputs": list(reference.window.inputs),
        "files": files,
    }
    write_json(made / "card.json", card)
    _compare(plan, reference, OpenVinoEncoder(made))


def _trace(reference: SentenceEncoder) -> Any:
    import torch

    names = reference.window.inputs

    class Graph(torch.nn.Module):  # type: ignore[misc]
        """Every module of the folder, then the L2 norm; inputs by position."""

        def __init__(self) -> None:
            super().__init__()
            self.model = reference.model

        def forward(self, *tensors: Any) -> Any:
            return embed(self.model, dict(zip(names, tensors, strict=True)))

    # Padding in the example, so that the mask is part of what is traced.
    example = {name: torch.ones(2, 8, dtype=torch.long) for name in names}
    example["attention_mask"][1, 5:] = 0
    graph = openvino().convert_model(Graph().eval(), example_input=tuple(example[name] for name in names))
    for port, name in zip(graph.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    graph.outputs[0].get_tensor().set_names({"sentence_embedding"})
    return graph


def _quantise(graph: Any, reference: SentenceEncoder, texts: Sequence[str]) -> Any:
    """Return the graph in static int8, ranges from `texts`: what a text's vector is never depends on its batch.

    Embedding tables are left to `_halve_tables`.
    """
    import nncf

    def feed(text: str) -> dict[str, Any]:
        ids = np.array([reference.cut(text)[0][0]], dtype=np.int64)
        known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        return {name: known[name] for name in reference.window.inputs}

    nncf.set_log_level(logging.ERROR)
    quantised = nncf.quantize(
        graph,
        nncf.Dataset(list(texts), feed),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(texts),
        ignored_scope=nncf.IgnoredScope(types=["Gather"], validate=False),
    )
    _halve_tables(quantised)
    return quantised


def _halve_tables(graph: Any) -> None:
    """Keep embedding tables as float16: read in place from the file, where int8 would be unpacked to float32."""
    openvino()
    import openvino.opset13 as ops

    for node in graph.get_ops():
        table = node.input_value(0).get_node() if node.get_type_name() == "Gather" else None
        if table is not None and table.get_type_name() == "Constant" and table.data.dtype == np.float32:
            half = ops.constant(table.data.astype(np.float16))
            node.input(0).replace_source_output(ops.convert(half, "f32").output(0))


def calibration_split(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the texts that calibrate int8, and those that judge it.

    Half are the desk's own, spread over all it has, and half are the sample that comes with Firstline; a desk with
    little text takes more of the sample. Taken in turns, so that both parts hold both.
    """
    sample = Path(__file__).with_name("calibration_sample.txt").read_text(encoding="utf-8").strip().split("\n\n")
    own = [text for text in dict.fromkeys(texts) if text.strip()]
    own = own[:: max(1, len(own) // (MAX_SAMPLE - len(sample)))]
    turns = (text for pair in zip_longest(own, sample) for text in pair if text)
    found = list(dict.fromkeys(turns))[:MAX_SAMPLE]
    judging = found[::JUDGING_EACH]
    return [text for text in found if text not in judging], judging


def _compare(plan: ExportPlan, reference: SentenceEncoder, exported: OpenVinoEncoder) -> None:
    if plan.precision == "fp32":
        worst = float(np.abs(exported.encode(PROBES) - reference.encode(PROBES)).max())
        if worst > TOLERANCE:
            raise EncoderError(f"the exported graph differs from torch by {worst:.2g}, more than {TOLERANCE}")
        return
    _, texts = calibration_split(plan.texts)
    cosine = float((exported.encode(texts) * reference.encode(texts)).sum(axis=1).mean())
    if cosine < MIN_COSINE:
        raise EncoderError(
            f"in int8 encoder {plan.folder.name!r} keeps a mean cosine of {cosine:.3f} with fp32, below {MIN_COSINE}; "
            'write precision = "fp32" in desk.toml'
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The converters print, draw bars and warn about what this graph does not use."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
