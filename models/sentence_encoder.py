"""The encoder through sentence-transformers and torch: the reference, and for encoders that do not export."""

from collections.abc import Sequence

import numpy as np

from models.encoder_folders import EncoderFolder
from models.errors import EncoderError
from models.protocols import FloatArray, Progress, check_vectors, no_progress


class SentenceEncoder:
    """A sentence-transformers folder, run by torch on the CPU in fp32.

    Slow to start (torch and transformers are imported here): serve with `OnnxEncoder`.
    """

    def __init__(self, folder: EncoderFolder, batch_size: int = 32) -> None:
        from sentence_transformers import SentenceTransformer

        try:
            self._model = SentenceTransformer(
                str(folder.path), device="cpu", local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            raise EncoderError(f"encoder {folder.name!r} cannot be loaded from {folder.path}: {error}") from error
        self._batch_size = batch_size
        self.identity = f"torch-fp32:{folder.weights_sha256[:12]}"
        self.dimension = int(self._model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return unit vectors of shape (len(texts), dimension)."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        vectors = self._model.encode(
            list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        progress("encode", len(texts), len(texts))
        return check_vectors(np.asarray(vectors, dtype=np.float32), len(texts), self.dimension, self.identity)
