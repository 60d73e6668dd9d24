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
from eval.loaders.rule_files import (
    EXAMPLE_RULE,
    MORE_SETTINGS,
    NO_RULES,
    desk_toml,
    fields_of,
    plain_letters,
    policy_toml,
    taxonomy_toml,
)
from models.artifact_files import sha256_of_file
from retrieval.article_files import ID
from triage.cleaning import safe_unicode
from triage.desk_files import hashes_of

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
    sources: SHA-256 of each file by name; counts: how much there is of what, `left_out.…` of what was not used and
    `noticed.…` of what deserves a look.
    """

    folder: Path
    desk_id: str
    format: str
    sources: Mapping[str, str]
    checksum: str
    counts: Mapping[str, int]


def write_desk(loaded: Loaded, folder: Path) -> DeskData:
    """Write a desk folder; one that this wrote before from the same format is replaced as a whole.

    Raises `DataError` for a folder that holds anything else, for one of somebody's own (`Loaded.title`) that was edited
    since, and for one that cannot be written.
    """
    checksum = checksum_of(loaded)
    desk_id = desk_id_of(loaded, checksum)
    data = DeskData(folder, desk_id, loaded.name, hashes(loaded.sources), checksum, counts(loaded))
    target = folder.resolve()
    staged = target.parent / f".{target.name}.part"
    try:
        check_replaceable(folder, loaded.name)
        shutil.rmtree(staged, ignore_errors=True)
        (staged / "articles").mkdir(parents=True)
        _write_files(loaded, staged, data)
        if target.exists():
            shutil.rmtree(target)
        staged.rename(target)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return data


def desk_id_of(loaded: Loaded, checksum: str) -> str:
    """Return an id by the data, or for a desk of somebody's own by its title: it stays when the export is a newer one.

    Keys and generations belong to an id.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", plain_letters(loaded.title or loaded.name)).strip("-")
    if loaded.title and slug:
        return slug[:40]
    return f"{slug[:31] or 'desk'}-{checksum[:8]}"


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
    found |= {f"left_out.{name}": number for name, number in loaded.left_out.items()}
    return found | {f"noticed.{name}": number for name, number in loaded.noticed.items()}


def check_replaceable(folder: Path, name: str) -> None:
    """Raise `DataError` for a folder in which `write_desk` would overwrite what it did not write."""
    try:
        held = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not held:
        return
    foreign = sorted(held - WRITTEN)
    remedy = "name a new or empty folder"
    if foreign:
        raise DataError(folder, None, f"the folder holds {foreign[0]}, which would be lost", remedy)
    try:
        made = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        was, written = made["format"], made.get("written")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(folder, None, "the folder holds files that were not made from data", remedy) from error
    if was != name:
        raise DataError(folder, None, f"the folder holds a desk made from {was}, not from {name}", remedy)
    if isinstance(written, dict) and (edited := _differing(written, _written(folder))):
        raise DataError(folder, None, f"{edited[0]} was changed since, and the change would be lost", remedy)


def _unwritable(folder: Path, error: OSError) -> DataError:
    problem = f"the folder cannot be written ({error.strerror})"
    return DataError(folder, None, problem, "name another folder, or check its rights and the disk")


def _written(folder: Path) -> dict[str, str]:
    cases = folder / "cases.jsonl"
    return hashes_of(folder) | ({cases.name: sha256_of_file(cases)} if cases.is_file() else {})


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _write_files(loaded: Loaded, folder: Path, data: DeskData) -> None:
    fields = fields_of(loaded.fields)
    texts = {
        "desk.toml": desk_toml(data.desk_id, loaded.title or loaded.name, loaded.languages)
        + (MORE_SETTINGS if loaded.title else ""),
        "taxonomy.toml": taxonomy_toml(fields, loaded.descriptions),
        "policy.toml": policy_toml(fields, bool(loaded.history)),
        "routing.toml": EXAMPLE_RULE if loaded.title else NO_RULES,
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
    made = {"format": data.format, "sources": data.sources, "checksum": data.checksum, "counts": data.counts}
    if loaded.title:
        made["written"] = _written(folder)
    (folder / "data.json").write_text(f"{json.dumps(made, indent=2)}\n", encoding="utf-8", newline="\n")


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
