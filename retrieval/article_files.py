"""One article per file: Markdown with front matter, or HTML."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nh3
import yaml

from retrieval.articles import ID as ID
from retrieval.articles import MAX_BYTES, Article, to_document, usable_id
from retrieval.documents import Document
from retrieval.errors import ArticleError, DeepMarkupError
from retrieval.html_markdown import html_to_markdown
from retrieval.html_tree import MAX_DEPTH, depth_of, shallow
from retrieval.markdown_text import one_line, readable

KEYS = {"id", "title", "audience", "status", "locale", "updated", "owner", "tags", "revision"}
#: A front matter of more characters is none.
MAX_FRONT = 100_000
FRONT = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
NOTHING_KNOWN: Mapping[str, Document] = MappingProxyType({})
SHALLOWER = "take out some of the elements around its text"


def read_articles(
    folder: Path, refuse: Callable[[ArticleError], None] | None = None, known: Mapping[str, Document] = NOTHING_KNOWN
) -> list[Document]:
    """Read every ``*.md`` of a folder, in name order.

    refuse: takes what is wrong with an article that is left out; without it that is raised, as `ArticleError`; known:
    documents by the SHA-256 of the files that they were read from, which are not parsed again.
    """
    documents: dict[str, Document] = {}
    paths: dict[str, Path] = {}
    for path in sorted(folder.glob("*.md")):
        try:
            document = read_article(path, known)
            if document.id in documents:
                problem = f"the id {document.id!r} is {paths[document.id].name}'s already"
                raise ArticleError(path, 1, problem, "give one of them another id")
        except ArticleError as error:
            if refuse is None:
                raise
            refuse(error)
        else:
            documents[document.id], paths[document.id] = document, path
    return list(documents.values())


def article_ids(folder: Path) -> set[str]:
    """Return the ids of all articles of a folder, published or not. Raises `ArticleError`."""
    return {str(read_front_matter(path)[0].get("id")) for path in sorted(folder.glob("*.md"))}


def read_article(path: Path, known: Mapping[str, Document] = NOTHING_KNOWN) -> Document:
    """Read one Markdown file with YAML front matter; raise `ArticleError` naming the line and the remedy."""
    data = read_file(path)
    source = sha256(data).hexdigest()
    return known.get(source) or replace(to_document(_markdown_article(path, text_in(path, data))), source=source)


def read_markdown_file(path: Path) -> Article:
    """Read what a Markdown file with front matter says; raise `ArticleError` naming the line and the remedy."""
    return _markdown_article(path, read_file_text(path))


def _markdown_article(path: Path, text: str) -> Article:
    fields, body, body_line = parse_front_matter(path, text)
    return article_of(path, fields, readable(body).strip("\n"), body_line)


def read_html_file(path: Path) -> Article:
    """Read an HTML page. Raises `ArticleError`.

    Its keys stand in a front matter before the page, or in ``<meta name="audience" content="public">`` and the like.
    Without them the title is the page's, the id is made from the file's name, and customers do not see it.
    """
    text = read_file_text(path)
    fields: dict[str, Any] = {}
    body_line = 1
    if text.startswith("---"):
        fields, text, body_line = parse_front_matter(path, text)
    fields = _page_fields(text) | fields
    fields.setdefault("id", usable_id(path.stem))
    fields.setdefault("title", path.stem)
    try:
        markdown = html_to_markdown(text, one_line(str(fields["title"])))
    except DeepMarkupError as error:
        raise ArticleError(path, body_line, str(error), SHALLOWER) from error
    return article_of(path, fields, markdown, body_line)


def article_of(path: Path, fields: Mapping[str, Any], markdown: str, body_line: int) -> Article:
    """Check what a front matter says, and return the article; raise `ArticleError` naming the key."""
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
    return Article(
        id=fields["id"],
        title=_text(path, fields, "title"),
        markdown=markdown,
        audience="public" if audience == "public" else "internal",
        status="published" if status == "published" else "draft",
        locale=_text(path, fields, "locale") or "en",
        revision=_revision(path, fields),
        updated=_date(path, fields),
        owner=_text(path, fields, "owner"),
        tags=_tags(path, fields),
        path=path,
        line=body_line,
    )


def read_front_matter(path: Path) -> tuple[dict[str, Any], str, int]:
    """Return the front matter's keys, the body, and the line on which the body starts.

    Raises `ArticleError` for a file that is missing, too large, not UTF-8, or without a front matter that parses.
    """
    return parse_front_matter(path, read_file_text(path))


def read_file_text(path: Path) -> str:
    """Return a file's text, lines ended by \\n, without a byte order mark; raise `ArticleError`."""
    return text_in(path, read_file(path))


def read_file(path: Path) -> bytes:
    """Return what a file holds; raise `ArticleError` where it cannot be read or is too large."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ArticleError(path, 1, "the file is larger than 10 MB", "split it into several articles")
        return path.read_bytes()
    except OSError as error:
        remedy = "check its name and rights"
        raise ArticleError(path, 1, f"the file cannot be read ({error.strerror})", remedy) from error


def text_in(path: Path, data: bytes) -> str:
    """Do what `read_file_text` does, with what was read from `path`."""
    return decoded(path, data).replace("\r\n", "\n").replace("\r", "\n")


def decoded(path: Path, data: bytes) -> str:
    """Return the text that bytes say in UTF-8, without a byte order mark; raise `ArticleError` naming the line."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ArticleError(path, 1, "the file is UTF-16", "save it with the encoding UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        remedy = "save it with the encoding UTF-8 (if it is Windows-1252: iconv -f WINDOWS-1252 -t UTF-8)"
        raise ArticleError(path, line, "the file is not UTF-8", remedy) from error
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise ArticleError(path, line, "the file is not text (it holds a NUL)", "save it as text, in UTF-8")
    return text


def parse_front_matter(path: Path, text: str) -> tuple[dict[str, Any], str, int]:
    """Do what `read_front_matter` does, with a text that was read from `path`."""
    match = FRONT.match(text)
    if match is None or match.end() > MAX_FRONT:
        raise ArticleError(path, 1, "there is no front matter", "begin the file with `---`, keys, and `---` again")
    try:
        # The base loader makes no guesses: `no`, 0101 and 2026-02-30 stay what was written.
        loader = yaml.BaseLoader(match.group(1))
        node = loader.get_single_node()
        fields = loader.construct_document(node) if node else None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = 2 + (mark.line if mark else 0)
        raise ArticleError(path, line, "the front matter does not parse", "quote values with a colon") from error
    if not isinstance(node, yaml.MappingNode) or not isinstance(fields, dict):
        raise ArticleError(path, 2, "the front matter holds no keys", "write lines such as `title: …`")
    _refuse_twice(path, [key for key, _ in node.value])
    return fields, text[match.end() :], match.group(0).count("\n") + 1


def _refuse_twice(path: Path, keys: Sequence[yaml.Node]) -> None:
    """Raise `ArticleError` where a key stands twice: YAML would take the last, be it `audience: public`."""
    seen: set[str] = set()
    for key in keys:
        if key.value in seen:
            problem = f"the key {key.value!r} stands twice in the front matter"
            raise ArticleError(path, 2 + key.start_mark.line, problem, "keep one of them")
        seen.add(key.value)


class _Head(HTMLParser):
    """Collects the meta elements, title and first headings of a page that was cleaned."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.meta: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "meta" and said.get("name") in KEYS:
            self.meta.setdefault(str(said["name"]), said.get("content") or "")
        elif tag in ("title", "h1") and tag not in self.texts:
            self.inside, self.texts[tag] = tag, ""

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[self.inside] += data


def _page_fields(page: str) -> dict[str, Any]:
    """Return the keys that the head of a page states: its meta elements, and its title or else its first heading."""
    page = shallow(page[:MAX_FRONT])
    if depth_of(page) > MAX_DEPTH:
        return {}
    head = _Head()
    head.feed(
        nh3.clean(
            page,
            tags={"meta", "title", "h1"},
            clean_content_tags={"script", "style"},
            attributes={"meta": {"name", "content"}},
        )
    )
    head.close()
    titles = [one_line(head.texts[name]) for name in ("title", "h1") if one_line(head.texts.get(name, ""))]
    fields: dict[str, Any] = ({"title": titles[0]} if titles else {}) | head.meta
    if "tags" in fields:
        fields["tags"] = [tag.strip() for tag in fields["tags"].split(",") if tag.strip()]
    return fields


def _text(path: Path, fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str):
        raise ArticleError(path, 1, f"{key} is not a text", f"write one line `{key}: …`")
    return one_line(value)


def _one_of(path: Path, fields: Mapping[str, Any], key: str, allowed: tuple[str, str]) -> str:
    value = _text(path, fields, key) if key in fields else allowed[0]
    if value not in allowed:
        raise ArticleError(path, 1, f"{key} is {value!r}", f"write {' or '.join(sorted(allowed))}")
    return value


def _revision(path: Path, fields: Mapping[str, Any]) -> int:
    value = _text(path, fields, "revision") or "1"
    if not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        raise ArticleError(path, 1, f"revision is {value!r}", "write a whole number from 1 up")
    return int(value)


def _date(path: Path, fields: Mapping[str, Any]) -> str:
    value = _text(path, fields, "updated")
    try:
        return date.fromisoformat(value).isoformat() if value else ""
    except ValueError as error:
        raise ArticleError(path, 1, f"updated is {value!r}", "write a date such as 2026-03-31") from error


def _tags(path: Path, fields: Mapping[str, Any]) -> tuple[str, ...]:
    value = fields.get("tags") or []
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise ArticleError(path, 1, "tags is not a list", "write for instance `tags: [billing, refunds]`")
    return tuple(one_line(tag) for tag in value)
