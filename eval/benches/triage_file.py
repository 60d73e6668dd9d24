"""The file of the triage bench, of which a run may renew some sets and keep the others."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from eval.benches.frame import Bar, Row
from eval.benches.triage_rows import SetResult
from eval.machine import machine, part_versions


@dataclass(frozen=True)
class Kept:
    """Rows and bars of the whole bench."""

    rows: Sequence[Row]
    bars: Sequence[Bar]

    @property
    def seconds(self) -> float:
        """How long all sets took, each when it was measured."""
        return sum(float(str(row["seconds"])) for row in self.rows if "run" in row)


def rows_of_run(name: str, result: SetResult, day: date, seconds: float) -> list[Row]:
    """Return a set's rows, each with its day, and a row without a table that says when and on what it was measured."""
    versions = ", ".join(f"{part} {version}" for part, version in part_versions().items())
    ran: Row = {
        "run": name,
        "measured": str(day),
        "seconds": round(seconds, 1),
        "processor": str(machine()["processor"]),
        "versions": versions,
    }
    return [*({**row, "measured": str(day)} for row in result.rows), ran]


def merged(earlier: Mapping[str, Any], new: Kept, ran: Collection[str], order: Sequence[str]) -> Kept:
    """Return the new rows and bars with the earlier ones of sets that did not run, in the bench's order.

    earlier: what the file held, {} where there was none. A set that ran is replaced as a whole, and one that the bench
    no longer has is gone.
    """
    stay = set(order) - set(ran)
    rows = [row for row in earlier.get("rows", ()) if set_of_row(row) in stay]
    bars = [Bar(**bar) for bar in earlier.get("bars", ()) if set_of(bar["name"]) in stay]
    return Kept(
        sorted([*rows, *new.rows], key=lambda row: order.index(set_of_row(row))),
        sorted([*bars, *new.bars], key=lambda bar: order.index(set_of(bar.name))),
    )


def set_of_row(row: Row) -> str:
    """Return the set that a row is of."""
    return str(row["run"]) if "run" in row else set_of(str(row["table"]))


def set_of(name: str) -> str:
    """Return the set that a table's or a bar's name begins with."""
    return name.partition(": ")[0]
