"""Many articles per file: JSON, JSON Lines and CSV, Firstline's own and help centres'."""

import csv
import gzip
import io
import json
import re
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from retrieval.article_files import SHALLOWER, decoded
from retrieval.articles import MAX_BYTES, Article, usable_id
from retrieval.documents import Audience, Status
from retrieval.errors import ArticleError, DeepMarkupError
from retrieval.help_center import Record, Surroundings, Vendor, as_records, is_folder, records_in, vendor_of
from retrieval.html_markdown import html_to_markdown
from retrieval.html_tree import looks_like_html
from retrieval.markdown_text import one_line, plain_to_markdown, readable

#: A file of many articles may have so many bytes once it is unpacked.
MAX_EXPORT = 200_000_000
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
#: An article has at least an id, a title and a text.
LEAST_COLUMNS = 3
Refuse = Callable[[ArticleError], None]

_csv_limit = threading.Lock()


@dataclass(frozen=True, slots=True)
class Unstated:
    """What an article is taken for that does not say it. As it stands, customers see nothing of it."""

    audience: Audience = "internal"
    status: Status = "draft"


KEPT_BACK = Unstated()


def read_records(path: Path, now: datetime, unstated: Unstated, refuse: Refuse) -> Iterator[Article]:
    """Yield the articles of a file; `refuse` is called with each record that is none.

    now: with a time zone; articles that are to be published later are not yet. Raises `ArticleError` for a file that
    cannot be read at all.
    """
    records = list(_placed_records(path, read_export_text(path), refuse))
    folders = {str(record.get("id")): record.get("visibility") for _, record in records if is_folder(record)}
    around = Surroundings(now, folders)
    for line, record in records:
        if is_folder(record):
            continue
        vendor = vendor_of(record)
        translations = list(vendor.translations(record))
        # An answer of Zammad has no text of its own.
        for each in translations if vendor.name == "Zammad" else (record, *translations):
            try:
                yield _article(path, line, each, vendor, around, unstated)
            except ArticleError as error:
                refuse(error)


def read_export_text(path: Path) -> str:
    """Return the text of a file, unpacked where it is gzipped; raise `ArticleError`."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MAX_EXPORT + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ArticleError(path, 1, "the gzip file is cut off or damaged", "fetch the file again") from error
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror})"
        raise ArticleError(path, 1, problem, "check its name and rights") from error
    if len(data) > MAX_EXPORT:
        raise ArticleError(path, 1, "the file holds more than 200 MB", "split it into several")
    return decoded(path, data)


def kind_of(path: Path) -> str:
    """Return a file's suffix in lower case, that of what is inside for ``.gz``."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _placed_records(path: Path, text: str, refuse: Refuse) -> Iterator[tuple[int, Record]]:
    kind = kind_of(path)
    if kind in (".csv", ".tsv"):
        yield from _csv_records(path, text, "\t" if kind == ".tsv" else ",", refuse)
        return
    # Not splitlines(): JSON text may hold U+2028 and its kind.
    lines = enumerate(text.split("\n"), start=1) if kind in (".jsonl", ".ndjson") else [(1, text)]
    for number, line in lines:
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=_no_double_keys)
            for record in records_in(value):
                if "" in record:
                    refuse(ArticleError(path, number, "not an article", "write one JSON object per article"))
                else:
                    yield number, record
        except (ValueError, RecursionError) as error:
            refuse(_not_json(path, number, error))


def _not_json(path: Path, line: int, error: Exception) -> ArticleError:
    """Return what is wrong with JSON that begins on a line, and where in the file that is."""
    problem = f"not JSON ({error})"
    if isinstance(error, RecursionError):
        problem = "JSON nested too deep"
    elif isinstance(error, json.JSONDecodeError):
        line, problem = line + error.lineno - 1, f"not JSON ({error.msg}, at character {error.colno})"
    return ArticleError(path, line, problem, "write JSON in UTF-8, in a .jsonl one object per line")


def _csv_records(path: Path, text: str, delimiter: str, refuse: Refuse) -> Iterator[tuple[int, Record]]:
    header: list[str] = []
    with _csv_limit:
        # A setting of the whole process, far below what an article may hold.
        before = csv.field_size_limit(MAX_BYTES + 1)
        try:
            records = list(_csv_rows(path, text, delimiter, refuse))
        finally:
            csv.field_size_limit(before)
    for line, row in records:
        if not header:
            header = [name.strip() for name in row]
            if len(set(header)) < len(header):
                raise ArticleError(path, line, "a column stands twice in the header", "give each column its own name")
            if len(header) < LEAST_COLUMNS:
                problem = "the header has fewer columns than id, title and text"
                raise ArticleError(path, line, problem, "separate columns with commas, in a .tsv with tabs")
        elif len(row) == len(header):
            yield line, dict(zip(header, row, strict=True))
        elif row:
            problem = f"the record has {len(row)} values, and the header {len(header)}"
            refuse(ArticleError(path, line, problem, "look for a missing or stray quote or comma"))


def _csv_rows(path: Path, text: str, delimiter: str, refuse: Refuse) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            problem = f"the record does not parse ({error}), and nothing after it was read"
            refuse(ArticleError(path, line, problem, 'put the value in quotes, and write a quote within it as ""'))
            return
        if row is None:
            return
        yield line, row


def _article(
    path: Path, line: int, record: Record, vendor: Vendor, around: Surroundings, unstated: Unstated
) -> Article:
    said_id, title = _text(record.get("id")), _text(record.get("title"))
    for key, value in (("id", said_id), ("title", title)):
        if not value:
            raise ArticleError(path, line, f"the article has no {key}", f'write "{key}": "…"')
    markdown = _markdown(path, line, record, vendor, title)
    description = _text(_first(record, vendor.description))
    if description:
        markdown = f"{plain_to_markdown(description)}\n\n{markdown}"
    return Article(
        id=usable_id(said_id),
        title=title,
        markdown=markdown,
        audience=vendor.audience(record, around) or unstated.audience,
        status=vendor.status(record, around) or unstated.status,
        locale=_text(_first(record, vendor.locale)) or _folder_language(record) or "en",
        revision=_revision(record),
        updated=_day(_first(record, vendor.updated)),
        owner=_text(_first(record, vendor.owner)),
        tags=_tags(_first(record, vendor.tags)),
        path=path,
        line=line,
    )


def _markdown(path: Path, line: int, record: Record, vendor: Vendor, title: str) -> str:
    keys = (*vendor.markdown, *vendor.html, *vendor.either)
    key = next((key for key in keys if record.get(key) not in (None, "")), None)
    if key is None:
        problem = f"the article has no {' or '.join(keys[:3])}"
        raise ArticleError(path, line, problem, f"export it with its text ({vendor.name}: {vendor.source})")
    body = record[key]
    if not isinstance(body, str):
        raise ArticleError(path, line, f"{key} is not a text", f'write "{key}": "…"')
    if len(body) > MAX_BYTES:
        raise ArticleError(path, line, "the article is longer than 10 MB", "split it into several articles")
    if key in vendor.markdown:
        return readable(body)
    if key in vendor.either and not looks_like_html(body):
        return plain_to_markdown(readable(body))
    try:
        return html_to_markdown(body, title)
    except DeepMarkupError as error:
        raise ArticleError(path, line, str(error), SHALLOWER) from error


def _first(record: Record, keys: tuple[str, ...]) -> Any:
    return next((record[key] for key in keys if record.get(key) not in (None, "", [])), None)


def _text(value: object) -> str:
    """Return a text or a whole number on one line; "" for anything else."""
    return one_line(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _folder_language(record: Record) -> str:
    """Return the language of the folders that Freshdesk says an article lies in."""
    levels = [level.get("data") for level in as_records(record.get("hierarchy"))]
    return next((_text(data.get("language")) for data in levels if isinstance(data, Mapping)), "")


def _tags(value: object) -> tuple[str, ...]:
    """Return tags: a list of texts or of objects with a name (also one level down), or a text with commas."""
    if isinstance(value, Mapping):
        value = value.get("tags")
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if isinstance(value, str):
        value = value.split(",")
    found = value if isinstance(value, list) else []
    names = [_text(tag.get("name") if isinstance(tag, Mapping) else tag) for tag in found]
    return tuple(dict.fromkeys(name for name in names if name))


def _day(value: object) -> str:
    """Return the day of a date, a time or seconds since 1970; "" for anything else: it only tells how fresh it is."""
    try:
        if isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"[0-9]{9,11}", value)):
            return datetime.fromtimestamp(int(value), UTC).date().isoformat()
        text = str(value or "").strip()
        return date.fromisoformat(text[:10]).isoformat() if text else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _revision(record: Record) -> int:
    said = _text(record.get("revision"))
    return int(said) if re.fullmatch(r"[1-9][0-9]{0,8}", said) else 1


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _no_double_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return value
