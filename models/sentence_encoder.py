"""The encoder through sentence-transformers and torch: the reference, for export, and where nothing else can run."""

import warnings
from typing import Any

import numpy as np

from models.encoder_folders import EncoderFolder
from models.errors import EncoderError
from models.protocols import FloatArray, IntArray
from models.transformer_encoder import TransformerEncoder, Window

#: What a text-only encoder may ask for; others need more than a tokenizer.
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class SentenceEncoder(TransformerEncoder):
    """A sentence-transformers folder, run by torch in fp32. Raises `EncoderError` where it cannot be loaded.

    Slow to start (torch and transformers are imported here): serve with `OpenVinoEncoder`.
    """

    def __init__(self, folder: EncoderFolder, device: str = "cpu") -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = SentenceTransformer(
                    str(folder.path), device=device, local_files_only=True, trust_remote_code=False
                )
        except Exception as error:  # damaged folders raise many kinds
            raise EncoderError(
                f"encoder {folder.name!r} cannot be loaded from {folder.path} ({error.__class__.__name__}: {error}); "
                "name a sentence-transformers folder that loads"
            ) from error
        self.model: Any = model.eval()
        self.device = device
        tokenizer = model.tokenizer
        inputs = tuple(name for name in tokenizer.model_input_names)
        if not set(inputs) <= set(INPUTS):
            raise EncoderError(f"encoder {folder.name!r} wants {sorted(inputs)}; only text encoders can be used")
        window = Window(int(model.max_seq_length or 512), int(tokenizer.pad_token_id or 0), inputs)
        identity = f"torch-fp32:{folder.mark}"
        super().__init__(folder.path / "tokenizer.json", window, identity, int(model.get_embedding_dimension() or 0))

    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        """Return unit vectors of shape (rows, dimension)."""
        import torch

        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        with torch.inference_mode():
            feed = {name: torch.from_numpy(known[name]).to(self.device) for name in self.window.inputs}
            return np.asarray(embed(self.model, feed).cpu().numpy(), dtype=np.float32)


def embed(model: Any, feed: dict[str, Any]) -> Any:
    """Return a sentence-transformers model's vectors, a tensor of shape (rows, dimension) with rows of norm 1."""
    import torch

    return torch.nn.functional.normalize(model(dict(feed))["sentence_embedding"], dim=1)
