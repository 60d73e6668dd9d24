"""Writes a sentence-transformers folder as one ONNX graph with pooling and normalisation inside. Needs torch."""

import contextlib
import io
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact_files import read_json, sha256_of_file, sync_folder, write_json
from models.encoder_folders import EncoderFolder
from models.errors import EncoderError
from models.onnx_encoder import FILES, FORMAT, OnnxEncoder

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
#: The exported graph must agree with torch to this, on texts of several lengths.
TOLERANCE = 1e-4
PROBES = (
    "ok",
    "The till closed after midnight and the day sheet is empty.",
    "Grüße – 1.234,50 € fehlen; " + "please look at the bank feed of last Tuesday, " * 20,
)


def exported_folder(folder: EncoderFolder, cache: Path) -> Path:
    """Return the cached export of these weights, exporting first where there is none.

    The cache is keyed by the hash of the weights, so two desks share one export. Raises `EncoderError`.
    """
    target = cache / f"onnx-fp32-{folder.weights_sha256[:12]}"
    if not (target / "card.json").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".export-") as scratch:
            made = Path(scratch) / "export"
            made.mkdir()
            _export(folder, made)
            sync_folder(made)
            with contextlib.suppress(OSError):
                made.rename(target)  # fails where another process finished first: its export is the same
        if not (target / "card.json").is_file():
            raise EncoderError(f"the export of {folder.name!r} could not be moved to {target}; is the disk writable?")
    return target


def _export(folder: EncoderFolder, made: Path) -> None:
    _refuse_other_pooling(folder)
    try:
        with _quiet():
            from sentence_transformers import SentenceTransformer
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()
            reference = SentenceTransformer(
                str(folder.path), device="cpu", local_files_only=True, trust_remote_code=False
            )
            _write_graph(reference[0].auto_model, made / "model.onnx")
    except Exception as error:  # the exporter raises many kinds; the cause is kept
        raise EncoderError(
            f"encoder {folder.name!r} does not export to ONNX ({error.__class__.__name__}: {error})"
        ) from error
    shutil.copyfile(folder.path / "tokenizer.json", made / "tokenizer.json")
    card = {
        "format": FORMAT,
        "name": folder.name,
        "identity": f"onnx-fp32:{folder.weights_sha256[:12]}",
        "weights_sha256": folder.weights_sha256,
        "dimension": int(reference.get_embedding_dimension() or 0),
        "max_tokens": int(reference.max_seq_length or 512),
        "files": {name: sha256_of_file(made / name) for name in sorted(FILES)},
    }
    write_json(made / "card.json", card)
    _compare(reference, OnnxEncoder(made))


def _write_graph(transformer: Any, path: Path) -> None:
    import torch

    class Graph(torch.nn.Module):  # type: ignore[misc]
        """Transformer, mean pooling over the real tokens, L2 norm."""

        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            hidden = self.transformer(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, dim=1)

    # Three tensors of their own (one object passed twice becomes one input), with padding in the mask.
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    example = (torch.full((2, 8), 7), mask, torch.zeros(2, 8, dtype=torch.long))
    axes = {0: torch.export.Dim("batch", min=1, max=4096), 1: torch.export.Dim("tokens", min=2, max=512)}
    program = torch.onnx.export(
        Graph().eval(),
        example,
        dynamo=True,
        input_names=list(INPUTS),
        output_names=["sentence_embedding"],
        dynamic_shapes=dict.fromkeys(INPUTS, axes),
        verbose=False,
    )
    if program is None:
        raise EncoderError("torch returned no graph")
    program.save(str(path))


def _refuse_other_pooling(folder: EncoderFolder) -> None:
    modules = [module["type"].rsplit(".", 1)[-1] for module in read_json(folder.path / "modules.json")]
    if modules not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise EncoderError(f"encoder {folder.name!r}: modules {modules} cannot be exported, only mean pooling can")
    pooling = read_json(folder.path / "1_Pooling" / "config.json")
    modes = [name for name, on in pooling.items() if name.startswith("pooling_mode") and on not in (False, "mean")]
    if modes not in (["pooling_mode_mean_tokens"], []):
        raise EncoderError(f"encoder {folder.name!r}: pooling {modes} cannot be exported, only mean pooling can")


def _compare(reference: Any, exported: OnnxEncoder) -> None:
    expected = reference.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
    worst = float(np.abs(exported.encode(PROBES) - expected).max())
    if worst > TOLERANCE:
        raise EncoderError(f"the exported graph differs from torch by {worst:.2g}, more than {TOLERANCE}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints and warns about operators that this graph does not use."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
