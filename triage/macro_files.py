"""Reads the saved replies of a desk: front matter, and text with {placeholders}."""

import re
from pathlib import Path

from retrieval.article_files import read_front_matter
from retrieval.documents import Document
from retrieval.errors import ArticleError

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def read_macro(path: Path) -> Document:
    """Return one saved reply; raise `ArticleError` where id or title is missing, or a placeholder is no name."""
    fields, body, line = read_front_matter(path)
    for key in ("id", "title"):
        if not str(fields.get(key) or "").strip():
            raise ArticleError(path, 1, f"the macro has no {key}", f"add a line `{key}: …` to its front matter")
    for match in _PLACEHOLDER.finditer(body):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", match.group(1)):
            at = line + body[: match.start()].count("\n")
            raise ArticleError(
                path, at, f"placeholder {match.group()} is not a name", "write for instance {order_number}"
            )
    return Document(str(fields["id"]), str(fields["title"]), body.strip(), (), tags=tuple(fields.get("tags") or ()))
