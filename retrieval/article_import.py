"""Writes articles into a desk's folder, one Markdown file each, and out of it again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from models.artifact_files import write_bytes_atomically
from models.protocols import Progress, no_progress
from retrieval.article_files import read_front_matter, read_markdown_file
from retrieval.articles import Article, file_text, to_document
from retrieval.errors import ArticleError

#: What an import wrote: the SHA-256 of each file by its name, so that a later one knows which were edited since.
RECORD = ".imported.json"
#: Names that some systems keep for devices.
RESERVED = frozenset(("aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))))


@dataclass(frozen=True)
class Imported:
    """What an import did.

    drafts and internal count all articles that are in the desk now; refused: files that were not overwritten;
    no_longer: files of earlier imports whose articles the source does not hold any more.
    """

    written: int
    unchanged: int
    drafts: int
    internal: int
    refused: tuple[ArticleError, ...]
    no_longer: tuple[str, ...]


@dataclass(frozen=True)
class Exported:
    """What an export did. refused: files that could not be read."""

    written: int
    refused: tuple[ArticleError, ...]


def import_articles(
    articles: Sequence[Article], desk: Path, replace: bool = False, progress: Progress = no_progress
) -> Imported:
    """Write articles into a desk's folder `articles`.

    An article whose id a file has already goes into that file. One that is not as an import left it, or that none
    wrote, is overwritten only with `replace`. Raises `ArticleError` for a folder that is no desk, or not writable.
    """
    folder = _articles_folder(desk)
    record = _read_record(folder)
    before = {*record}
    ids = _ids_by_name(folder)
    # Of two files with one id the first is the article.
    names = {article_id: name for name, article_id in reversed(ids.items())}
    kept: list[Article] = []
    refused: list[ArticleError] = []
    here: set[str] = set()
    written = 0
    try:
        for number, article in enumerate(articles):
            progress("write articles", number, len(articles))
            name = names.get(article.id) or _free_name(article.id, ids)
            ids[name] = article.id
            here.add(name)
            path, data = folder / name, file_text(article).encode()
            now = path.read_bytes() if path.exists() else None
            if now not in (None, data) and not replace and sha256(now or b"").hexdigest() != record.get(name):
                problem = f"{path} was changed since, or not written by an import"
                remedy = "keep it, or overwrite it with --replace"
                refused.append(ArticleError(article.path, article.line, problem, remedy))
                continue
            if now != data:
                _replace(path, data)
                written += 1
            record[name] = sha256(data).hexdigest()
            kept.append(article)
        progress("write articles", len(articles), len(articles))
        _write_record(folder, record)
    except OSError as error:
        _write_record(folder, record)
        raise _unwritable(folder, error) from error
    return Imported(
        written=written,
        unchanged=len(kept) - written,
        drafts=sum(article.status == "draft" for article in kept),
        internal=sum(article.audience == "internal" for article in kept),
        refused=tuple(refused),
        no_longer=tuple(sorted(name for name in before - here if (folder / name).exists())),
    )


def export_articles(desk: Path, out: Path, overwrite: bool = False, progress: Progress = no_progress) -> Exported:
    """Write every article of a desk's folder into a JSON Lines file, which an import reads as the same articles.

    Raises `ArticleError` for a folder that is no desk or holds no article, and for a file that is there already.
    """
    folder = _articles_folder(desk)
    if out.exists() and not overwrite:
        raise ArticleError(out, 1, "the file is there already", "name another file, or use --overwrite")
    rows: list[str] = []
    refused: list[ArticleError] = []
    paths = sorted(folder.glob("*.md"))
    for number, path in enumerate(paths):
        progress("read articles", number, len(paths))
        try:
            article = read_markdown_file(path)
            to_document(article)
        except ArticleError as error:
            refused.append(error)
        else:
            row = {key: value for key, value in asdict(article).items() if key not in ("path", "line")}
            rows.append(f"{json.dumps(row, ensure_ascii=False)}\n")
    progress("read articles", len(paths), len(paths))
    if not rows:
        raise ArticleError(folder, 1, "there is no article that can be read", "import some, or write a Markdown file")
    try:
        write_bytes_atomically(out, "".join(rows).encode())
    except OSError as error:
        raise _unwritable(out, error) from error
    return Exported(len(rows), tuple(refused))


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that readers see all of it or what was there before.

    It is not flushed to disk, which takes longer than all else with thousands of files: after a power cut the import
    is run again.
    """
    staged = path.with_name(f".{path.name}.part")
    try:
        staged.write_bytes(data)
        staged.replace(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def _articles_folder(desk: Path) -> Path:
    """Return a desk's folder of articles, made where it is missing."""
    if not (desk / "desk.toml").is_file():
        raise ArticleError(desk, 1, "there is no such desk folder", "name a folder that holds desk.toml")
    folder = desk / "articles"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _ids_by_name(folder: Path) -> dict[str, str]:
    """Return the id that each file states, "" where it cannot be read."""
    ids: dict[str, str] = {}
    for path in sorted(folder.glob("*.md")):
        try:
            ids[path.name] = str(read_front_matter(path)[0].get("id"))
        except ArticleError:
            ids[path.name] = ""
    return ids


def _free_name(article_id: str, ids: dict[str, str]) -> str:
    """Return a file's name for an id, one that no other article has on any system."""
    name = f"{article_id}-article.md" if article_id.partition(".")[0].casefold() in RESERVED else f"{article_id}.md"
    others = {other.casefold() for other, held in ids.items() if held}
    if name.casefold() not in others:
        return name
    return f"{article_id}-{sha256(article_id.encode()).hexdigest()[:8]}.md"


def _read_record(folder: Path) -> dict[str, str]:
    """Return what earlier imports wrote; a record that is damaged says that nothing did."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(name): str(digest) for name, digest in record.items()} if isinstance(record, dict) else {}


def _write_record(folder: Path, record: dict[str, str]) -> None:
    try:
        write_bytes_atomically(folder / RECORD, f"{json.dumps(record, indent=1, sort_keys=True)}\n".encode())
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(path: Path, error: OSError) -> ArticleError:
    return ArticleError(path, 1, f"it cannot be written ({error.strerror})", "check its rights and the disk")
