"""An article on its way into a desk: what is said of it, and its body in Markdown."""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import yaml

from retrieval.documents import Audience, Document, Status
from retrieval.errors import ArticleError
from retrieval.markdown_text import readable
from retrieval.plain_text import to_plain_text

#: An article may have so many bytes.
MAX_BYTES = 10_000_000
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Article:
    """What a file says of an article. path and line tell where it begins; they do not count when two are compared."""

    id: str
    title: str
    markdown: str
    audience: Audience = "internal"
    status: Status = "draft"
    locale: str = "en"
    revision: int = 1
    updated: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    path: Path = field(default=Path(), compare=False)
    line: int = field(default=1, compare=False)


def to_document(article: Article) -> Document:
    """Return the article as it is searched; raise `ArticleError` where it has no text, or too much."""
    if len(article.markdown) > MAX_BYTES:
        raise ArticleError(article.path, article.line, "the article is longer than 10 MB", "split it into several")
    text, blocks = to_plain_text(article.markdown)
    if not blocks:
        problem, remedy = "the article has no text", "write its body below the front matter"
        raise ArticleError(article.path, article.line, problem, remedy)
    return Document(
        id=article.id,
        title=article.title,
        text=text,
        blocks=blocks,
        audience=article.audience,
        status=article.status,
        locale=article.locale,
        revision=article.revision,
        updated=article.updated,
        owner=article.owner,
        tags=article.tags,
    )


def file_text(article: Article) -> str:
    """Return the Markdown file with front matter that reads as this article."""
    keys: dict[str, object] = {
        "id": article.id,
        "title": article.title,
        "audience": article.audience,
        "status": article.status,
        "locale": article.locale,
    }
    keys |= {"updated": article.updated} if article.updated else {}
    keys |= {"owner": article.owner} if article.owner else {}
    keys |= {"tags": list(article.tags)} if article.tags else {}
    keys |= {"revision": str(article.revision)} if article.revision != 1 else {}
    # One line for each value, however long.
    front = yaml.safe_dump(keys, allow_unicode=True, sort_keys=False, width=10**9)
    body = readable(article.markdown).strip("\n")
    return f"---\n{front}---\n\n{body}\n"


def usable_id(said: str) -> str:
    """Return an id that an article may have: the same where it may, else a slug of its end and a short hash."""
    if ID.fullmatch(said):
        return said
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", said)[-52:].strip("._-") or "article"
    return f"{slug}-{sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
