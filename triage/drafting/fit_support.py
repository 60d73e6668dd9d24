"""Fits the head that comes with Firstline: ``python -m triage.drafting.fit_support desks/demo`` (needs a built desk).

Rows: sentences that an article of the desk supports, in other words than its own, and sentences with one fault.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.protocols import FloatArray, IntArray
from models.recent_vectors import RecentVectors
from retrieval.documents import Document
from retrieval.passages import split_into_passages
from triage.assembly import build_engine
from triage.desk_files import read_desk
from triage.drafting.alignment import Sources, Vectors, units_of
from triage.drafting.support import WEIGHTS, SupportHead
from triage.drafting.support_signals import SIGNALS, signals

FOLDS, STRENGTH = 5, 0.3
#: Of supported sentences in other words, the share that may be taken for unsupported.
FALSE_ALARMS = 0.1


@dataclass(frozen=True)
class SupportRow:
    """A sentence about an article; fault: None where the article supports it."""

    article: str
    text: str
    style: str
    fault: str | None


def read_rows(path: Path) -> list[SupportRow]:
    """Read JSON Lines."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [SupportRow(row["article"], row["text"], row["style"], row["fault"]) for row in found]


def signals_of(rows: Sequence[SupportRow], documents: Mapping[str, Document], vectors: Vectors) -> FloatArray:
    """Return the signals of each row beside all of its article, float32 of shape (rows, signals)."""
    sources = {
        id: Sources(units_of(documents[id], split_into_passages(documents[id])), vectors, vectors)
        for id in dict.fromkeys(row.article for row in rows)
    }
    aligned = [(sources[row.article].align(row.text), documents[row.article].text) for row in rows]
    return np.stack(
        [np.zeros(len(SIGNALS), np.float32) if one is None else signals(one, text) for one, text in aligned]
    )


def fit_support(found: FloatArray, supported: Sequence[bool], groups: Sequence[str]) -> SupportHead:
    """Fit on all rows; the threshold is the one below which `FALSE_ALARMS` of the supported rows lie when held out.

    groups: rows of one group, such as an article's, are held out together.
    """
    targets = np.array(supported, dtype=np.int64)
    held_out = held_out_chances(found, targets, groups)
    head = _fit(found, targets)
    return SupportHead(*head[:3], head[3], float(np.quantile(held_out[targets == 1], FALSE_ALARMS)))


def held_out_chances(found: FloatArray, targets: IntArray, groups: Sequence[str]) -> FloatArray:
    """Return each row's chance by a head that saw no row of its group, shape (rows,)."""
    from sklearn.model_selection import GroupKFold

    chances: FloatArray = np.zeros(len(targets), dtype=np.float32)
    for seen, unseen in GroupKFold(FOLDS).split(found, targets, groups):
        head = SupportHead(*_fit(found[seen], targets[seen]), threshold=0.5)
        chances[unseen] = [head.chance(row) for row in found[unseen]]
    return chances


def _fit(found: FloatArray, targets: IntArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    from sklearn.linear_model import LogisticRegression

    means, scales = found.mean(axis=0), found.std(axis=0)
    scales[scales == 0] = 1
    model = LogisticRegression(C=STRENGTH, max_iter=3_000).fit((found - means) / scales, targets)
    return means, scales, model.coef_[0].astype(np.float32), float(model.intercept_[0])


def card_of(head: SupportHead) -> dict[str, Any]:
    """Return what `bundled_head` reads."""
    columns = {"means": head.means, "scales": head.scales, "weights": head.weights}
    told = {part: dict(zip(SIGNALS, map(_short, column), strict=True)) for part, column in columns.items()}
    return {**told, "bias": _short(head.bias), "threshold": _short(head.threshold)}


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def main(desk: Path, var: Path = Path("var")) -> None:
    """Fit on the desk's ``support.jsonl`` and write the weights."""
    rows, documents = read_rows(desk / "support.jsonl"), {one.id: one for one in read_desk(desk).articles}
    found = signals_of(rows, documents, RecentVectors(build_engine(desk, var).encoder))
    head = fit_support(found, [row.fault is None for row in rows], [row.article for row in rows])
    WEIGHTS.write_text(json.dumps(card_of(head), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(rows)} sentences; supported from a chance of {head.threshold:.3f}: {WEIGHTS}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
