"""Weights are found, and refused where they are not what they should be."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.encoder_folders import PACKAGED, PACKAGED_SHA256, check_weights, find_encoder_folder, packaged_folder
from models.errors import WeightsError

NEEDED = ("model.safetensors", "tokenizer.json", "modules.json")


def encoder_folder(folder: Path, without: str = "") -> Path:
    folder.mkdir()
    for name in NEEDED:
        if name != without:
            (folder / name).write_bytes(b"content of " + name.encode())
    return folder


@pytest.fixture
def flipped(tmp_path: Path) -> Iterator[Path]:
    """The packaged weights with one bit flipped."""
    path = tmp_path / "model.safetensors"
    shutil.copyfile(packaged_folder() / path.name, path)
    with path.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)[0]
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))
    yield path
    path.unlink()


def test_the_packaged_weights_are_the_published_ones() -> None:
    found = find_encoder_folder(PACKAGED)
    assert (found.name, found.weights_sha256) == (PACKAGED, PACKAGED_SHA256)
    assert all((found.path / name).is_file() for name in NEEDED)


def test_the_packaged_weights_do_not_depend_on_the_desk_folder(tmp_path: Path) -> None:
    assert find_encoder_folder(PACKAGED, tmp_path).path == packaged_folder()


def test_one_flipped_bit_is_refused_with_both_hashes_and_the_remedy(flipped: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        check_weights(flipped, PACKAGED_SHA256)
    with flipped.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    assert str(caught.value) == (
        f"{flipped} is not the expected weight file: sha256 {actual[:12]}…, expected 53aa51172d14…; "
        "it was changed or damaged, reinstall the encoder package"
    )


def test_the_expected_file_passes_and_gives_its_hash(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert check_weights(tmp_path / "w", expected) == expected


def test_a_missing_weight_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model\.safetensors is missing; reinstall the encoder package"):
        check_weights(tmp_path / "model.safetensors", PACKAGED_SHA256)


def test_a_folder_is_found_beside_the_desk_and_named_by_its_weights(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "tuned")
    found = find_encoder_folder("tuned", tmp_path)
    assert (found.name, found.path) == ("tuned", folder)
    assert found.weights_sha256 == hashlib.sha256(b"content of model.safetensors").hexdigest()


def test_other_weights_have_another_hash(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path / "tuned")
    before = find_encoder_folder(str(folder)).weights_sha256
    (folder / "model.safetensors").write_bytes(b"content of model.safetensorz")
    assert find_encoder_folder(str(folder)).weights_sha256 != before


@pytest.mark.parametrize("missing", NEEDED)
def test_a_folder_without_a_needed_file_is_refused(tmp_path: Path, missing: str) -> None:
    folder = encoder_folder(tmp_path / "tuned", without=missing)
    with pytest.raises(WeightsError) as caught:
        find_encoder_folder("tuned", tmp_path)
    assert str(caught.value) == (
        f"encoder 'tuned': {folder / missing} is missing; name a sentence-transformers folder with safetensors "
        "weights, or 'all-MiniLM-L6-v2'"
    )


def test_a_missing_folder_is_refused_with_the_place_that_was_searched(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"encoder 'nowhere': {tmp_path / 'nowhere'}/model.safetensors is missing"):
        find_encoder_folder("nowhere", tmp_path)
