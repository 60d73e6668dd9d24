"""What every loader returns: public data or an export in the shapes of a desk."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LoadedArticle:
    """An article, public and published; `text` is Markdown."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Loaded:
    """Data in the shapes of a desk.

    name: the format; fields: labels by field, sorted; history: rows of ``history.jsonl`` (a ticket with `labels`,
    `reply`, `resolved`); cases: rows of ``cases.jsonl``; sources: the files that were read, and no other; left_out: how
    many rows of each kind were read, or known to be there, and not used; noticed: how many were used and deserve a
    look; title: the name of a desk that is somebody's own (what was edited in it is not overwritten), "" for public
    data; descriptions: by field and label, proposals in place of the label in words.
    """

    name: str
    languages: Sequence[str]
    fields: Mapping[str, Sequence[str]]
    articles: Sequence[LoadedArticle]
    history: Sequence[dict[str, Any]]
    cases: Sequence[dict[str, Any]]
    sources: Sequence[Path]
    left_out: Mapping[str, int] = field(default_factory=dict)
    noticed: Mapping[str, int] = field(default_factory=dict)
    title: str = ""
    descriptions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def labels_by_field(rows: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the labels that occur, by field; both sorted, so that the order of rows changes nothing."""
    pairs = {pair for labels in rows for pair in labels.items()}
    found: dict[str, list[str]] = {name: [] for name in sorted({name for name, _ in pairs})}
    for name, label in sorted(pairs):
        found[name].append(label)
    return found


def counted(*counts: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of several counts by name, sorted; what never occurred is not named."""
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return {name: number for name, number in sorted(total.items()) if number}
