"""The packaged MiniLM through sentence-transformers, as its documentation says to use it."""

from typing import TYPE_CHECKING

from models.encoder_folders import PACKAGED, find_encoder_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def load_packaged_encoder() -> "SentenceTransformer":
    """Load the encoder on the CPU. It cuts texts at 256 tokens and returns unit vectors, shape (n, 384)."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(find_encoder_folder(PACKAGED).path), device="cpu", local_files_only=True)
