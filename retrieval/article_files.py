"""Markdown files with front matter into documents."""

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from retrieval.documents import Document
from retrieval.errors import ArticleError
from retrieval.plain_text import to_plain_text

MAX_BYTES = 10_000_000
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
KEYS = {"id", "title", "audience", "status", "locale", "updated", "owner", "tags", "revision"}


def read_articles(folder: Path) -> list[Document]:
    """Read every ``*.md`` of a folder, in name order. Raises `ArticleError` at the first one that is not right."""
    documents = [read_article(path) for path in sorted(folder.glob("*.md"))]
    _refuse_double_ids(folder, documents)
    return documents


def read_article(path: Path) -> Document:
    """Read one Markdown file with YAML front matter; raise `ArticleError` naming the line and the remedy."""
    fields, body, body_line = read_front_matter(path)
    unknown = sorted(set(fields) - KEYS)
    if unknown:
        raise ArticleError(path, 1, f"unknown key {unknown[0]!r} in the front matter", f"use only {sorted(KEYS)}")
    for key in ("id", "title"):
        if not str(fields.get(key) or "").strip():
            raise ArticleError(path, 1, f"the article has no {key}", f"add a line `{key}: …` to its front matter")
    if not ID.fullmatch(str(fields["id"])):
        raise ArticleError(path, 1, f"id {fields['id']!r} is not usable", "use letters, digits, dot, dash, at most 64")
    audience = _one_of(path, fields, "audience", ("public", "internal"), "internal")
    status = _one_of(path, fields, "status", ("published", "draft"), "draft")
    text, blocks = to_plain_text(body)
    if not blocks:
        raise ArticleError(path, body_line, "the article has no text", "write its body below the front matter")
    return Document(
        id=str(fields["id"]),
        title=str(fields["title"]).strip(),
        text=text,
        blocks=blocks,
        audience="public" if audience == "public" else "internal",
        status="published" if status == "published" else "draft",
        locale=str(fields.get("locale") or "en"),
        revision=_revision(path, fields),
        updated=_date(fields.get("updated")),
        owner=str(fields.get("owner") or ""),
        tags=tuple(str(tag) for tag in fields.get("tags") or ()),
    )


def read_front_matter(path: Path) -> tuple[dict[str, Any], str, int]:
    """Return the front matter's keys, the body, and the line on which the body starts.

    Raises `ArticleError` for a file that is missing, too large, not UTF-8, or without a front matter that parses.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ArticleError(path, 1, "the file is larger than 10 MB", "split it into several articles")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ArticleError(path, line, "the file is not UTF-8", "save it with the encoding UTF-8") from error
    except OSError as error:
        raise ArticleError(
            path, 1, f"the file cannot be read ({error.strerror})", "check its name and rights"
        ) from error
    match = re.match(r"---[ \t]*\n(.*?)^---[ \t]*\n?", text, flags=re.DOTALL | re.MULTILINE)
    if match is None:
        raise ArticleError(path, 1, "there is no front matter", "begin the file with `---`, keys, and `---` again")
    try:
        fields = yaml.safe_load(match.group(1))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 2 + (mark.line if mark else 0)
        raise ArticleError(path, line, "the front matter does not parse", "quote values with a colon") from error
    if not isinstance(fields, dict):
        raise ArticleError(path, 2, "the front matter holds no keys", "write lines such as `title: …`")
    return fields, text[match.end() :], match.group(0).count("\n") + 1


def _one_of(path: Path, fields: dict[str, Any], key: str, allowed: tuple[str, ...], default: str) -> str:
    # What is not stated is kept from customers: internal, draft.
    value = str(fields.get(key, default))
    if value not in allowed:
        raise ArticleError(path, 1, f"{key} is {value!r}", f"write {' or '.join(allowed)}")
    return value


def _revision(path: Path, fields: dict[str, Any]) -> int:
    value = fields.get("revision", 1)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ArticleError(path, 1, f"revision is {value!r}", "write a whole number from 1 up")
    return value


def _date(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value or "")


def _refuse_double_ids(folder: Path, documents: Iterable[Document]) -> None:
    seen: set[str] = set()
    for document in documents:
        if document.id in seen:
            raise ArticleError(folder, 1, f"two articles have the id {document.id!r}", "give one of them another id")
        seen.add(document.id)
