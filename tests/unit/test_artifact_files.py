"""Files are whole or not there, hold no pickle, and say when they are damaged."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact_files import (
    read_arrays,
    read_json,
    sha256_of_file,
    write_arrays,
    write_bytes_atomically,
    write_json,
)
from models.errors import ArtifactError

ARRAYS = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "rows": np.array([1, 2], dtype=np.int64)}


def npz_bytes() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **ARRAYS)  # type: ignore[arg-type]
    return buffer.getvalue()


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = b"line\r\n" * 100_000
    (tmp_path / "f").write_bytes(content)
    assert sha256_of_file(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_atomic_write_replaces_the_content_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    write_bytes_atomically(path, b"old")
    write_bytes_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_bytes_atomically(path, "text, not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_rename_leaves_the_target_and_no_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_bytes_atomically(target, b"new")
    assert list(tmp_path.iterdir()) == [target]
    assert list(target.iterdir()) == [target / "inside"]


def test_an_atomic_write_is_as_readable_as_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x")
    write_bytes_atomically(tmp_path / "atomic", b"x")
    assert oct((tmp_path / "atomic").stat().st_mode) == oct((tmp_path / "plain").stat().st_mode)


def test_json_is_canonical_and_comes_back(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    write_json(first, {"b": ["Grüße", 1], "a": None})
    write_json(second, {"a": None, "b": ["Grüße", 1]})
    assert first.read_bytes() == second.read_bytes()
    assert first.read_text(encoding="utf-8") == '{\n "a": null,\n "b": [\n  "Grüße",\n  1\n ]\n}\n'
    assert read_json(first) == {"a": None, "b": ["Grüße", 1]}


@pytest.mark.parametrize("value", [{"x": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}])
def test_what_json_cannot_hold_leaves_the_old_card(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "card.json"
    write_json(path, {"x": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(path, value)
    assert read_json(path) == {"x": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [None, b"", b'{"a": ', b"\xff\xfe", b"{} {}"])
def test_a_missing_or_damaged_card_is_an_artifact_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "card.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"card\.json: cannot be read as JSON \(\w+\); build again"):
        read_json(path)


def test_arrays_come_back_with_shape_and_type(tmp_path: Path) -> None:
    write_arrays(tmp_path / "head.npz", ARRAYS)
    read = read_arrays(tmp_path / "head.npz")
    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array, strict=True)


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "head.npz", labels=np.array([{"pickled": True}], dtype=object))
    with pytest.raises(ArtifactError, match=r"head\.npz: cannot be read as arrays \(ValueError\); build again"):
        read_arrays(tmp_path / "head.npz")


def test_one_plain_array_is_not_an_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "head.npy", ARRAYS["rows"])
    with pytest.raises(ArtifactError, match="cannot be read as arrays"):
        read_arrays(tmp_path / "head.npy")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", json.dumps([1]).encode(), npz_bytes()[:-30]])
def test_missing_and_damaged_arrays_are_artifact_errors(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "head.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"head\.npz: cannot be read as arrays \(\w+\); build again"):
        read_arrays(path)


@pytest.mark.parametrize(
    ("mark", "offset"), [(b"\x93NUMPY", 20), (b"PK\x01\x02", 6), (b"PK\x01\x02", 8), (b"PK\x01\x02", 10)]
)
def test_a_flipped_byte_is_an_artifact_error(tmp_path: Path, mark: bytes, offset: int) -> None:
    data = bytearray(npz_bytes())
    data[data.index(mark) + offset] ^= 0xFF
    (tmp_path / "head.npz").write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match="cannot be read as arrays"):
        read_arrays(tmp_path / "head.npz")
