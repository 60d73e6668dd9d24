"""What a build's heads said about past tickets that they had not seen: for `audit`, and to find thresholds again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact_files import read_arrays, read_json, write_arrays, write_json
from models.linear_head import softmax
from models.protocols import FloatArray, IntArray

PARTS = ("rows", "targets", "logits")


@dataclass(frozen=True)
class HeldOut:
    """One field's held-out logits.

    labels: of the field; rows: places in the desk's history, shape (n,), ascending; targets: label positions as the
    history says, shape (n,); logits: float32 of shape (n, labels), each row from a head that did not see it;
    temperature: what they are divided by for chances.
    """

    labels: tuple[str, ...]
    rows: IntArray
    targets: IntArray
    logits: FloatArray
    temperature: float

    def chances(self) -> NDArray[np.float64]:
        """Return calibrated chances of shape (n, labels)."""
        return softmax(self.logits.astype(np.float64) / self.temperature)

    def of_history(self, rows: IntArray) -> "HeldOut":
        """Return the same with other row numbers: `rows[i]` instead of i."""
        return replace(self, rows=rows[self.rows])


def nothing_held_out(labels: Sequence[str]) -> HeldOut:
    """Return what there is where no row could be held out."""
    none = np.zeros(0, dtype=np.int64)
    return HeldOut(tuple(labels), none, none, np.zeros((0, len(labels)), dtype=np.float32), 1.0)


def write_held_out(folder: Path, fields: Mapping[str, HeldOut]) -> None:
    """Write one npz and one card for all fields."""
    arrays: dict[str, Any] = {}
    card: dict[str, Any] = {}
    for number, (field, held_out) in enumerate(fields.items()):
        arrays |= {f"{part}_{number}": getattr(held_out, part) for part in PARTS}
        card[field] = {"number": number, "labels": list(held_out.labels), "temperature": held_out.temperature}
    write_arrays(folder / "held_out.npz", arrays)
    write_json(folder / "held_out.json", card)


def read_held_out(folder: Path) -> dict[str, HeldOut]:
    """Read what `write_held_out` wrote; raise `ArtifactError`."""
    arrays, card = read_arrays(folder / "held_out.npz"), read_json(folder / "held_out.json")
    fields = {}
    for field, entry in card.items():
        rows, targets, logits = (arrays[f"{part}_{entry['number']}"] for part in PARTS)
        fields[field] = HeldOut(tuple(entry["labels"]), rows, targets, logits, entry["temperature"])
    return fields
