"""What every bench has in common: rows of figures, bars, and the file they are written to."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.errors import BenchError
from eval.machine import machine, part_versions
from eval.measurement import Measurement
from models.artifact_files import write_bytes_atomically

#: A figure with its interval as {"value", "low", "high"}; a plain number or word; None where nothing was measured.
Cell = float | int | str | None | Mapping[str, float | None]
#: One line of a table: {"table": …, "system": …, and figures by name}.
Row = Mapping[str, Cell]
#: Columns that say what a row is about.
NAMING = ("system", "field", "metric", "version")


@dataclass(frozen=True)
class Bar:
    """A figure held against its target; low and high are its interval, or the spread of repeats."""

    name: str
    value: float
    low: float
    high: float
    target: str
    holds: bool


def at_least(name: str, found: Measurement, target: float) -> Bar:
    """Hold a measurement against a lower bound. Raises `BenchError` where it has no scored case."""
    if found.value is None or found.low is None or found.high is None:
        raise BenchError(f"{name}: no case carries what it needs; add cases")
    return Bar(name, found.value, found.low, found.high, f">= {target:g}", found.value >= target)


def between(name: str, value: float, interval: tuple[float, float], target: tuple[float, float]) -> Bar:
    """Hold a figure against a range."""
    return Bar(name, value, *interval, f"{target[0]:g} to {target[1]:g}", target[0] <= value <= target[1])


def figure(found: Measurement) -> Cell:
    """Return a measurement as a cell."""
    return None if found.value is None else {"value": found.value, "low": found.low, "high": found.high}


def tables_text(rows: Sequence[Row]) -> str:
    """Return rows as Markdown tables, one per `table`, with the columns that its rows have."""
    names = list(dict.fromkeys(str(row["table"]) for row in rows))
    return "\n\n".join(_table(name, [row for row in rows if row["table"] == name]) for name in names)


def write_bench(name: str, started: float, rows: Sequence[Row], bars: Sequence[Bar], out: Path) -> None:
    """Print the tables and bars and write the bench's file; started: of `time.monotonic`."""
    if tables := [row for row in rows if "table" in row]:
        print(tables_text(tables), end="\n\n")
    for bar in bars:
        print(bar_text(bar))
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {
        "machine": machine(),
        "versions": part_versions(),
        "seconds": round(time.monotonic() - started, 1),
        "rows": list(rows),
        "bars": [asdict(bar) for bar in bars],
    }
    # Not sorted by name: the order of columns is the order in which they are read.
    write_bytes_atomically(out / f"{name}.json", json.dumps(found, ensure_ascii=False, indent=1).encode())
    print(f"Written to {out / f'{name}.json'}")


def bar_text(bar: Bar) -> str:
    """Return a bar as one line."""
    verdict = "holds" if bar.holds else "MISSED"
    return f"{bar.name:<52} {bar.value:9.3f}  ({bar.low:.3f} – {bar.high:.3f})  {bar.target:<13} {verdict}"


def data_folder(name: str) -> Path:
    """Return a set's folder under ``$DATA``. Raises `BenchError` where it is not there."""
    folder = Path(os.environ.get("DATA", "data")) / name
    if not folder.is_dir():
        raise BenchError(f"{folder}: the data is not there; name its folder with `make bench-… DATA=/path/to/data`")
    return folder


def _table(name: str, rows: Sequence[Row]) -> str:
    found = dict.fromkeys(key for row in rows for key in row if key != "table")
    columns = sorted(found, key=lambda column: column not in NAMING)  # what names a row comes first
    cells = [[cell_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[place]) for line in cells)) for place, column in enumerate(columns)]
    lines = [columns, ["-" * width for width in widths], *cells]
    body = (
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
    return "\n".join([f"**{name}**", "", *body])


def cell_text(cell: Cell) -> str:
    """Return a cell as a reader sees it; what was not measured is a dash."""
    if isinstance(cell, Mapping):
        value, low, high = (cell[key] for key in ("value", "low", "high"))
        return f"{value:.3f} ({low:.3f}–{high:.3f})" if low is not None and high is not None else f"{value:.3f}"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.2f}"
    return "–" if cell is None else str(cell)
