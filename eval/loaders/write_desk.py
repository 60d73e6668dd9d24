"""Writes loaded data as a desk folder that can be built and evaluated like any other."""

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from eval.errors import DataError
from eval.loaders.loaded import Loaded, LoadedArticle
from eval.loaders.rule_files import desk_toml, fields_of, policy_toml, taxonomy_toml
from models.artifact_files import sha256_of_file
from retrieval.article_files import ID
from triage.cleaning import safe_unicode

#: All that a folder may hold for it to be overwritten.
WRITTEN = frozenset(
    (
        "desk.toml",
        "taxonomy.toml",
        "policy.toml",
        "routing.toml",
        "articles",
        "history.jsonl",
        "cases.jsonl",
        "data.json",
    )
)


@dataclass(frozen=True)
class DeskData:
    """What ``data.json`` says of a desk that was made from data.

    checksum: SHA-256 over all that was read into the desk (so that the same rows are the same desk, gzipped or not);
    sources: SHA-256 of each file by name; counts: how much there is of what, `left_out.…` of what was not used.
    """

    folder: Path
    desk_id: str
    format: str
    sources: Mapping[str, str]
    checksum: str
    counts: Mapping[str, int]


def write_desk(loaded: Loaded, folder: Path) -> DeskData:
    """Write a desk folder; one that this wrote before from the same format is replaced as a whole.

    Raises `DataError` for a folder that holds anything else, or that cannot be written.
    """
    checksum = checksum_of(loaded)
    slug = re.sub(r"[^a-z0-9]+", "-", loaded.name.lower()).strip("-")[:31]
    data = DeskData(folder, f"{slug}-{checksum[:8]}", loaded.name, hashes(loaded.sources), checksum, counts(loaded))
    target = folder.resolve()
    staged = target.parent / f".{target.name}.part"
    try:
        _check_replaceable(folder, loaded.name)
        shutil.rmtree(staged, ignore_errors=True)
        (staged / "articles").mkdir(parents=True)
        _write_files(loaded, staged, data)
        if target.exists():
            shutil.rmtree(target)
        staged.rename(target)
    except OSError as error:
        problem = f"the folder cannot be written ({error.strerror})"
        raise DataError(folder, None, problem, "name another folder, or check its rights and the disk") from error
    return data


def usable_id(article_id: str) -> str:
    """Return an id that an article file may have: the same where it may, else a slug of its end and a short hash."""
    if ID.fullmatch(article_id):
        return article_id
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", article_id)[-52:].strip("._-") or "article"
    return f"{slug}-{sha256(article_id.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def checksum_of(loaded: Loaded) -> str:
    """Return the SHA-256 of labels, articles, history and cases."""
    articles = [[article.id, article.title, article.text] for article in loaded.articles]
    fields = {name: list(labels) for name, labels in loaded.fields.items()}
    return sha256(_json_lines([fields, articles, list(loaded.history), list(loaded.cases)])).hexdigest()


def hashes(sources: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by the shortest end of their paths that tells them apart."""
    paths = [path.resolve() for path in sources]
    for depth in count(1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(set(paths)):
            break
    return {name: sha256_of_file(path) for name, path in sorted(zip(names, paths, strict=True))}


def counts(loaded: Loaded) -> dict[str, int]:
    """Return how many rows, articles and labels there are."""
    found = {"history": len(loaded.history), "cases": len(loaded.cases), "articles": len(loaded.articles)}
    found |= {f"{field}_labels": len(labels) for field, labels in loaded.fields.items()}
    return found | {f"left_out.{name}": number for name, number in loaded.left_out.items()}


def _check_replaceable(folder: Path, name: str) -> None:
    if not folder.exists():
        return
    held = {path.name for path in folder.iterdir()}
    if not held:
        return
    foreign = sorted(held - WRITTEN)
    remedy = "name a new or empty folder"
    if foreign:
        raise DataError(folder, None, f"the folder holds {foreign[0]}, which would be lost", remedy)
    try:
        was = json.loads((folder / "data.json").read_text(encoding="utf-8"))["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(folder, None, "the folder holds files that were not made from data", remedy) from error
    if was != name:
        raise DataError(folder, None, f"the folder holds a desk made from {was}, not from {name}", remedy)


def _write_files(loaded: Loaded, folder: Path, data: DeskData) -> None:
    fields = fields_of(loaded.fields)
    texts = {
        "desk.toml": desk_toml(data.desk_id, loaded.name, loaded.languages),
        "taxonomy.toml": taxonomy_toml(fields),
        "policy.toml": policy_toml(fields),
        "routing.toml": "# The data names no rules: all is left to the classifier.\n",
        "data.json": json.dumps(
            {"format": data.format, "sources": data.sources, "checksum": data.checksum, "counts": data.counts}, indent=2
        )
        + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    for article in loaded.articles:
        text = article_text(article, loaded.languages[0])
        (folder / "articles" / f"{usable_id(article.id)}.md").write_text(text, encoding="utf-8", newline="\n")
    # No file rather than an empty one: a desk may have no history, and no cases.
    for name, rows in (("history.jsonl", loaded.history), ("cases.jsonl", map(_with_usable_ids, loaded.cases))):
        if lines := _json_lines(rows):
            (folder / name).write_bytes(lines)


def article_text(article: LoadedArticle, locale: str) -> str:
    """Return a Markdown file with front matter."""
    title = " ".join(safe_unicode(article.title).split())
    keys = {"id": usable_id(article.id), "title": title, "audience": "public", "status": "published", "locale": locale}
    # One line for each value, however long.
    front = yaml.safe_dump(keys, allow_unicode=True, sort_keys=False, width=10**9)
    return f"---\n{front}---\n\n{safe_unicode(article.text)}\n"


def _with_usable_ids(case: dict[str, Any]) -> dict[str, Any]:
    expect = case["expect"]
    if "articles" not in expect:
        return case
    return case | {"expect": expect | {"articles": [usable_id(article) for article in expect["articles"]]}}


def _json_lines(rows: Iterable[object]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode("utf-8", "replace")
