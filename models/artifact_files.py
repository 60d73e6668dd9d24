"""Files that hold arrays and cards: npz without pickle, JSON, SHA-256, and writes that are whole or not there."""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ArtifactError

#: Made files are read by whichever user serves them.
READABLE = 0o644
#: What NumPy and zipfile raise on damaged files, by experiment.
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    AttributeError,
    RuntimeError,
    zipfile.BadZipFile,
)


def sha256_of_file(path: Path) -> str:
    """Return the lower-case hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path, mode: int = READABLE) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that is flushed and renamed at the end: readers see all of it or none.

    mode: the permissions of the file. Where the body raises, nothing is left behind.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there; see `replacing`."""
    with replacing(path) as file:
        file.write(data)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut."""
    sync_file(folder)


def sync_file(path: Path) -> None:
    """Flush what was written to a file that others closed."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON (sorted keys, no NaN) atomically."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    write_bytes_atomically(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON card; raise `ArtifactError` where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: cannot be read as JSON ({error.__class__.__name__}); build again") from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as an uncompressed npz, into a folder that is not read yet."""
    with path.open("wb") as file:
        np.savez(file, **dict(arrays))  # type: ignore[arg-type]


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read an npz without ever unpickling; raise `ArtifactError` where it is missing, damaged or holds objects."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except DAMAGE as error:
        raise ArtifactError(f"{path}: cannot be read as arrays ({error.__class__.__name__}); build again") from error
