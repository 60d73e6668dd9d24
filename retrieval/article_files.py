"""Markdown files with front matter into documents."""

import re
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
    documents: dict[str, Document] = {}
    paths: dict[str, Path] = {}
    for path in sorted(folder.glob("*.md")):
        document = read_article(path)
        if document.id in documents:
            first = paths[document.id].name
            raise ArticleError(path, 1, f"the id {document.id!r} is {first}'s already", "give one of them another id")
        documents[document.id], paths[document.id] = document, path
    return list(documents.values())


def article_ids(folder: Path) -> set[str]:
    """Return the ids of all articles of a folder, published or not. Raises `ArticleError`."""
    return {str(read_front_matter(path)[0].get("id")) for path in sorted(folder.glob("*.md"))}


def read_article(path: Path) -> Document:
    """Read one Markdown file with YAML front matter; raise `ArticleError` naming the line and the remedy."""
    fields, body, body_line = read_front_matter(path)
    unknown = sorted(set(fields) - KEYS)
    if unknown:
        raise ArticleError(path, 1, f"unknown key {unknown[0]!r} in the front matter", f"use only {sorted(KEYS)}")
    for key in ("id", "title"):
        if not _text(path, fields, key):
            raise ArticleError(path, 1, f"the article has no {key}", f"add a line `{key}: …` to its front matter")
    if not ID.fullmatch(fields["id"]):
        raise ArticleError(path, 1, f"id {fields['id']!r} is not usable", "use letters, digits, dot, dash, at most 64")
    # What is not stated is kept from customers: internal, draft.
    audience = _one_of(path, fields, "audience", ("internal", "public"))
    status = _one_of(path, fields, "status", ("draft", "published"))
    text, blocks = to_plain_text(body)
    if not blocks:
        raise ArticleError(path, body_line, "the article has no text", "write its body below the front matter")
    return Document(
        id=fields["id"],
        title=_text(path, fields, "title"),
        text=text,
        blocks=blocks,
        audience="public" if audience == "public" else "internal",
        status="published" if status == "published" else "draft",
        locale=_text(path, fields, "locale") or "en",
        revision=_revision(path, fields),
        updated=_date(path, fields),
        owner=_text(path, fields, "owner"),
        tags=_tags(path, fields),
    )


def read_front_matter(path: Path) -> tuple[dict[str, Any], str, int]:
    """Return the front matter's keys, the body, and the line on which the body starts.

    Raises `ArticleError` for a file that is missing, too large, not UTF-8, or without a front matter that parses.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ArticleError(path, 1, "the file is larger than 10 MB", "split it into several articles")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ArticleError(path, line, "the file is not UTF-8", "save it with the encoding UTF-8") from error
    except OSError as error:
        raise ArticleError(
            path, 1, f"the file cannot be read ({error.strerror})", "check its name and rights"
        ) from error
    match = re.match(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    if match is None:
        raise ArticleError(path, 1, "there is no front matter", "begin the file with `---`, keys, and `---` again")
    try:
        # The base loader makes no guesses: `no`, 0101 and 2026-02-30 stay what was written.
        fields = yaml.BaseLoader(match.group(1)).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 2 + (mark.line if mark else 0)
        raise ArticleError(path, line, "the front matter does not parse", "quote values with a colon") from error
    if not isinstance(fields, dict):
        raise ArticleError(path, 2, "the front matter holds no keys", "write lines such as `title: …`")
    return fields, text[match.end() :], match.group(0).count("\n") + 1


def _text(path: Path, fields: dict[str, Any], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str):
        raise ArticleError(path, 1, f"{key} is not a text", f"write one line `{key}: …`")
    return value.strip()


def _one_of(path: Path, fields: dict[str, Any], key: str, allowed: tuple[str, str]) -> str:
    value = _text(path, fields, key) if key in fields else allowed[0]
    if value not in allowed:
        raise ArticleError(path, 1, f"{key} is {value!r}", f"write {' or '.join(sorted(allowed))}")
    return value


def _revision(path: Path, fields: dict[str, Any]) -> int:
    value = _text(path, fields, "revision") or "1"
    if not re.fullmatch(r"[1-9]\d{0,8}", value):
        raise ArticleError(path, 1, f"revision is {value!r}", "write a whole number from 1 up")
    return int(value)


def _date(path: Path, fields: dict[str, Any]) -> str:
    value = _text(path, fields, "updated")
    try:
        return date.fromisoformat(value).isoformat() if value else ""
    except ValueError as error:
        raise ArticleError(path, 1, f"updated is {value!r}", "write a date such as 2026-03-31") from error


def _tags(path: Path, fields: dict[str, Any]) -> tuple[str, ...]:
    value = fields.get("tags") or []
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise ArticleError(path, 1, "tags is not a list", "write for instance `tags: [billing, refunds]`")
    return tuple(value)
