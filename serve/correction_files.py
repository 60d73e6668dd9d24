"""The files that an export of feedback writes: which are still as they were written, and which somebody edited."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from models.artifact_files import write_bytes_atomically, write_json
from serve.errors import DataCommandError

#: Evaluation cases from feedback; `corrections.jsonl` is named where it is read.
CASES = "corrections-cases.jsonl"
#: The SHA-256 of each file that was written, by name.
RECORD = ".corrections.json"


def write_files(folder: Path, files: Mapping[str, bytes], replace: bool) -> bool:
    """Write files by name, each whole or not at all; False where all were as they are to be.

    Raises `DataCommandError`, before any is written, where one was edited or written by somebody else, unless
    `replace` says that it may go; and where the folder cannot be written.
    """
    try:
        before = {name: _bytes_of(folder / name) for name in files}
        record = _read_record(folder)
        for name, data in before.items():
            if data is not None and data != files[name] and record.get(name) != _hash(data) and not replace:
                raise DataCommandError(
                    f"{folder / name} was changed by hand, or not written by an export; keep it and name another "
                    "folder with --out, or overwrite it with --replace"
                )
        changed = [name for name, data in files.items() if data != before[name]]
        for name in changed:
            write_bytes_atomically(folder / name, files[name])
        _write_record(folder, record | {name: _hash(data) for name, data in files.items()})
    except OSError as error:
        raise DataCommandError(f"{folder}: cannot be written ({error.strerror}); name another folder") from error
    return bool(changed)


def note_written(path: Path, before: bytes, after: bytes) -> None:
    """Take a change of ours for none by hand: the record follows, where the file was as an export had left it."""
    record = _read_record(path.parent)
    if record.get(path.name) == _hash(before):
        _write_record(path.parent, record | {path.name: _hash(after)})


def _read_record(folder: Path) -> dict[str, str]:
    """Return hashes by name; none where there is no record, or one that nobody can read: then every file is foreign."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _write_record(folder: Path, record: Mapping[str, str]) -> None:
    if record != _read_record(folder):
        write_json(folder / RECORD, dict(record))


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()
