"""Articles alone: a folder of Markdown files, or JSON Lines."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from eval.errors import DataError
from eval.loaders.knowledge import Knowledge, as_markdown
from eval.loaders.loaded import Loaded, LoadedArticle
from eval.loaders.source_files import read_json_lines, read_text, text_at
from retrieval.article_files import read_front_matter
from retrieval.errors import ArticleError

NAME = "article_set"
#: Keys that may hold an article's body. Only `markdown` is Markdown; the others are plain text.
BODIES = ("markdown", "text", "body", "contents")
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.M)


def load(source: Path) -> Loaded:
    """Read a folder of ``*.md``, its subfolders too, or a JSON Lines file of articles; raise `DataError`.

    JSON Lines: `id`, `title`, one of `markdown`, `text`, `body` or `contents`, and optionally `description`, which
    becomes the first paragraph. Markdown: the path is the id, unless a front matter names one; articles that it calls
    internal or a draft are left out.
    """
    knowledge = Knowledge()
    sources = add_articles(knowledge, source)
    return knowledge.loaded(NAME, sources)


def add_articles(knowledge: Knowledge, source: Path, limit: int | None = None) -> list[Path]:
    """Add the first `limit` articles of a source (all where None), and return the files that were read."""
    articles = _markdown_files(knowledge, source) if source.is_dir() else _json_articles(source)
    read: dict[Path, None] = {}
    for path, line, article in islice(articles, limit):
        knowledge.add_article(path, line, article)
        read[path] = None
    if not read and limit != 0:
        raise DataError(source, None, "there is no article", "name a folder of Markdown files, or a .jsonl of articles")
    return list(read)


def _json_articles(path: Path) -> Iterator[tuple[Path, int | None, LoadedArticle]]:
    for line, value in read_json_lines(path, ("id", "title")):
        key = next((key for key in BODIES if key in value), None)
        if key is None:
            raise DataError(path, line, "the article has no body", f"give it one of the keys {', '.join(BODIES)}")
        title, body = text_at(path, line, value, "title"), text_at(path, line, value, key)
        text = body if key == "markdown" else as_markdown(_below_title(title, body))
        if value.get("description") is not None:
            text = f"{as_markdown(text_at(path, line, value, 'description'))}\n\n{text}"
        yield path, line, LoadedArticle(text_at(path, line, value, "id"), title, text)


def _below_title(title: str, body: str) -> str:
    """Return a plain body without the line that only says the title again."""
    first, _, rest = body.lstrip().partition("\n")
    return rest if rest.strip() and first.strip() == title.strip() else body


def _markdown_files(knowledge: Knowledge, folder: Path) -> Iterator[tuple[Path, int | None, LoadedArticle]]:
    for path in sorted(folder.rglob("*.md")):
        keys: dict[str, object] = {}
        body = read_text(path)
        if re.match(r"---[ \t]*\r?\n", body):
            try:
                keys, body, _ = read_front_matter(path)
            except ArticleError as error:
                raise DataError(error.path, error.line, error.problem, error.remedy) from error
        if keys.get("audience") == "internal" or keys.get("status") == "draft":
            knowledge.left_out["articles_not_public"] += 1
            continue
        heading = HEADING.search(body)
        title = str(keys.get("title") or (heading.group(1) if heading else path.stem))
        yield path, None, LoadedArticle(str(keys.get("id") or path.relative_to(folder).as_posix()), title, body)
