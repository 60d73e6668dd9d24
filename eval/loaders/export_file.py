"""An export as a help desk's own tools write it: its encoding and its delimiter are found out, and told."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from eval.errors import DataError
from eval.loaders.source_files import csv_records, json_lines, kind_of, read_bytes

#: What may stand between values, and what it is called.
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
SHOWN = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "cp1252": "Windows-1252", "iso8859-1": "Latin-1"}
#: A header that is much longer names no columns; records that the delimiter is judged by.
TRIED_RECORDS = 200
TRIED_CHARACTERS = 500_000
FOREIGN_WORD = re.compile(r"\w*[^\W\d_a-zA-Z]\w*")


@dataclass(frozen=True)
class ExportText:
    """What a file says; `doubtful` are words by which a reader sees whether a guessed encoding is the right one."""

    text: str
    encoding: str
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportFile:
    """All records of an export, values by column, with the lines on which they start; delimiter "" for JSON Lines."""

    path: Path
    encoding: str
    doubtful: tuple[str, ...]
    delimiter: str
    header: Sequence[str]
    lines: Sequence[int]
    rows: Sequence[Mapping[str, str]]

    @property
    def records(self) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Line and values of each record."""
        return zip(self.lines, self.rows, strict=True)


def read_export(path: Path, encoding: str = "") -> ExportFile:
    """Read a ``.csv``, ``.tsv``, ``.txt`` or ``.jsonl`` file, plain or as ``.gz``; raise `DataError`."""
    kind = kind_of(path)
    if kind not in (".csv", ".tsv", ".txt", ".jsonl"):
        remedy = "save the export as .csv, .tsv or .jsonl (or its .gz)"
        raise DataError(path, None, f"files of the kind {kind!r} are not read", remedy)
    found = decoded(path, read_bytes(path), encoding)
    if kind == ".jsonl":
        delimiter, records = "", _json_records(path, found.text)
    else:
        delimiter = delimiter_of(found.text)
        records = list(csv_records(path, found.text, (), delimiter))
    if not records:
        raise DataError(path, None, "the file holds no row", "check that it is the right file")
    lines, rows = [line for line, _ in records], [row for _, row in records]
    return ExportFile(path, found.encoding, found.doubtful, delimiter, tuple(rows[0]), lines, rows)


def decoded(path: Path, data: bytes, encoding: str = "") -> ExportText:
    """Return the text of a file's bytes.

    A byte order mark decides, then NULs (UTF-16 without a mark), then whether it is UTF-8; what is left is read as
    Windows-1252 (Latin-1 where that leaves bytes without a meaning), which any bytes could be: hence `doubtful`.
    Raises `DataError` for what is no text, and for UTF-8 with a stray byte.
    """
    if encoding:
        return ExportText(_as_named(path, data, encoding), encoding)
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return ExportText(_as_named(path, data, name), SHOWN.get(name, "UTF-16"))
    if name := _unmarked_utf16(data):
        return ExportText(_as_named(path, data, name), "UTF-16")
    if b"\x00" in data:
        raise DataError(path, None, "the file is not text", "save the export as .csv, not as a spreadsheet")
    try:
        return ExportText(data.decode("utf-8"), "UTF-8")
    except UnicodeDecodeError as error:
        lenient = data.decode("utf-8", "replace")
        strays = lenient.count("\ufffd")
        if sum(letter > "\x7f" for letter in lenient) > 2 * strays:
            line = data[: error.start].count(b"\n") + 1
            problem = f"the file is UTF-8 but for {strays} byte{'s' * (strays > 1)}, the first of them on this line"
            raise DataError(path, line, problem, "save it with one encoding, or name it with --encoding") from error
    for name in ("cp1252", "iso8859-1"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        return ExportText(text, SHOWN[name], tuple(islice(dict.fromkeys(FOREIGN_WORD.findall(text)), 5)))
    raise AssertionError("Latin-1 gives every byte a meaning")


def delimiter_of(text: str) -> str:
    """Return the delimiter that splits a header into several names and most records into as many values.

    A comma where none does: a file of one column.
    """
    best, delimiter = (0.0, 0), ","
    for tried in DELIMITERS:
        # Not strict, and without the last record: the text may be cut off within a quoted value.
        reader = csv.reader(io.StringIO(text[:TRIED_CHARACTERS], newline=""), delimiter=tried)
        try:
            records = [record for record in islice(reader, TRIED_RECORDS) if record]
        except csv.Error:
            continue
        if len(text) > TRIED_CHARACTERS and len(records) > 2:
            records.pop()
        width = len(records[0]) if records else 0
        if width > 1:
            fitting = sum(len(record) == width for record in records) / len(records)
            best, delimiter = max((best, delimiter), ((fitting, width), tried), key=lambda pair: pair[0])
    return delimiter


def _as_named(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError as error:
        raise DataError(path, None, f"there is no encoding {encoding!r}", "write for instance windows-1252") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(path, line, f"the file is not {encoding}", "name another encoding with --encoding") from error


def _unmarked_utf16(data: bytes) -> str:
    """Return the name of UTF-16 without a byte order mark where every other byte of the beginning is mostly NUL."""
    start = data[:2_000]
    for name, first in (("utf-16-be", 0), ("utf-16-le", 1)):
        if start[first::2].count(0) > 0.4 * len(start[first::2]) and not start[1 - first :: 2].count(0):
            return name
    return ""


def _json_records(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    """Return records that all have the keys of any; null or missing is blank, a list its plain values with commas.

    A key that holds an object anywhere is none of the columns.
    """
    found = list(json_lines(path, text))
    nested = {key for _, value in found for key, held in value.items() if isinstance(held, dict)}
    keys = [key for key in dict.fromkeys(key for _, value in found for key in value) if key not in nested]
    return [(line, {key: _as_text(value.get(key)) for key in keys}) for line, value in found]


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
