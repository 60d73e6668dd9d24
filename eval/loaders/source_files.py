"""Reads what others wrote, plain or gzipped: JSON, JSON Lines, CSV. Every fault is a `DataError` at its line."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from eval.errors import DataError

AGAIN = "download the file again"


def find(folder: Path, *names: str) -> Path:
    """Return the first of these files that a folder holds, plain or as ``.gz``; raise `DataError` if there is none."""
    if not folder.is_dir():
        raise DataError(folder, None, "there is no such folder", f"name the folder that holds {names[0]}")
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise DataError(folder, None, f"the folder does not hold {' or '.join(names)}", "name the folder of the data set")


def kind_of(path: Path) -> str:
    """Return a file's suffix in lower case, that of what is inside for ``.gz``: ".csv"."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def read_text(path: Path) -> str:
    """Return a whole file's text; line ends stay as they are, a byte order mark goes."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(path, line, "the file is not UTF-8", "save it with the encoding UTF-8") from error


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, unpacked where it is gzipped."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(path, None, "the gzip file is cut off or damaged", AGAIN) from error
    except OSError as error:
        raise DataError(path, None, f"the file cannot be read ({error.strerror})", "check its name") from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds."""
    return _json_object(path, None, read_text(path))


def read_json_lines(path: Path, keys: Collection[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line from 1, object) of a JSON Lines file, blank lines skipped; each object must have the keys."""
    yield from json_lines(path, read_text(path), keys)


def json_lines(path: Path, text: str, keys: Collection[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield what `read_json_lines` does, of a text that was read from `path`."""
    # Not splitlines(): JSON text may hold U+2028 and its kind.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            value = _json_object(path, number, line)
            for key in keys:
                if key not in value:
                    raise DataError(path, number, f"the object has no {key!r}", f"give every object the keys {[*keys]}")
            yield number, value


def read_csv(path: Path, columns: Collection[str], delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line on which the record starts, values by column) of a CSV file whose first record names its columns."""
    yield from csv_records(path, read_text(path), columns, delimiter)


def csv_records(
    path: Path, text: str, columns: Collection[str], delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield what `read_csv` does, of a text that was read from `path`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            remedy = 'put the value in quotes, and write a quote within it as ""'
            raise DataError(path, line, f"the record does not parse ({error})", remedy) from error
        if record is None:
            break
        if header is None:
            header = [name.strip() for name in record]
            _check_header(path, header, columns)
        elif len(record) == len(header):
            yield line, dict(zip(header, record, strict=True))
        elif record:
            problem = f"the record has {len(record)} values, and the header {len(header)}"
            raise DataError(path, line, problem, "look for a missing or stray quote or comma")
    if header is None:
        raise DataError(path, None, "the file is empty", AGAIN)


def read_records(path: Path, columns: Collection[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, texts by column) of a ``.csv``, ``.tsv`` or ``.jsonl`` file; null is blank, a number its digits."""
    kind = kind_of(path)
    if kind in (".csv", ".tsv"):
        yield from read_csv(path, columns, "\t" if kind == ".tsv" else ",")
    elif kind == ".jsonl":
        for line, value in read_json_lines(path, columns):
            yield line, {column: _plain(path, line, column, value[column]) for column in columns}
    else:
        raise DataError(
            path, None, f"files of the kind {kind!r} are not read", "give a .csv, .tsv or .jsonl, or its .gz"
        )


def text_at(path: Path, line: int | None, value: dict[str, Any], key: str) -> str:
    """Return a text of an object; raise `DataError` where it is missing or something else."""
    found = value.get(key)
    if not isinstance(found, str):
        raise DataError(path, line, f"{key} is {'missing' if found is None else 'not a text'}", f'write "{key}": "…"')
    return found


def texts_at(path: Path, line: int | None, value: dict[str, Any], key: str) -> list[str]:
    """Return a list of texts of an object; raise `DataError` where it is missing or something else."""
    found = value.get(key)
    if not isinstance(found, list) or not all(isinstance(entry, str) for entry in found):
        raise DataError(path, line, f"{key} is not a list of texts", f'write "{key}": ["…"]')
    return found


def _plain(path: Path, line: int, column: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise DataError(path, line, f"{column} is not a text", "write a text, a number or null")
    return "" if value is None else str(value)


def _json_object(path: Path, line: int | None, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(path, line or error.lineno, f"not JSON ({error.msg})", AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise DataError(path, line, f"not JSON ({error})", AGAIN) from error
    if not isinstance(value, dict):
        raise DataError(path, line, "not a JSON object", "write {…} with its keys")
    return value


def _check_header(path: Path, header: list[str], columns: Collection[str]) -> None:
    for name in header:
        if header.count(name) > 1:
            raise DataError(path, 1, f"the column {name!r} stands twice", "give one of them another name")
    for column in columns:
        if column not in header:
            raise DataError(path, 1, f"there is no column {column!r}", f"the columns are {', '.join(header)}")
