"""The CSV of "Customer IT Support – Ticket Dataset" (Tobias Bueck): synthetic tickets in English and German."""

from pathlib import Path

from eval.errors import DataError
from eval.loaders import columns
from eval.loaders.held_out import HeldOut
from eval.loaders.loaded import Loaded

NAME = "ticket_csv"
COLUMNS = columns.Columns(
    text=("subject", "body"),
    labels={"category": "type", "team": "queue", "priority": "priority"},
    reply="answer",
    language="language",
    literal_newlines=True,
)


def load(source: Path, held_out: HeldOut = "test") -> Loaded:
    """Read the CSV, or the one CSV in a folder; raise `DataError`.

    Tags are not read: whoever chose the labels chose them too. The data has no split, so content makes one.
    """
    return columns.load(only_csv(source), COLUMNS, held_out=held_out, name=NAME)


def only_csv(source: Path) -> Path:
    """Return a file as it is, and of a folder its one CSV; raise `DataError` where it holds none or several."""
    if not source.is_dir():
        return source
    found = sorted([*source.glob("*.csv"), *source.glob("*.csv.gz")])
    if len(found) != 1:
        raise DataError(source, None, f"the folder holds {len(found)} CSV files", "name the file that should be read")
    return found[0]
