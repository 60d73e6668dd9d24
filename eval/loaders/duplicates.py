"""The same text twice: once too often where the labels agree, a contradiction where they do not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from eval.loaders.held_out import content_hash
from eval.loaders.labelled_rows import LabelledRow


def without_duplicates(rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """Return the rows in their order, of those with one text and the same labels only the first.

    White space and case do not tell texts apart. A row that has a reply stays rather than one that has none.
    """
    kept: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
    for place, row in enumerate(rows):
        key = (content_hash(row.text), frozenset(row.labels.items()))
        if key not in kept or (row.reply and not rows[kept[key]].reply):
            kept[key] = place
    return [rows[place] for place in sorted(kept.values())]


def contradictions(rows: Sequence[LabelledRow]) -> Mapping[str, int]:
    """Return by field how many texts stand there with more than one of its labels."""
    labels: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        digest = content_hash(row.text)
        for field, label in row.labels.items():
            labels[field, digest].add(label)
    found: dict[str, int] = defaultdict(int)
    for (field, _), given in labels.items():
        found[f"contradictory_{field}"] += len(given) > 1
    return found
