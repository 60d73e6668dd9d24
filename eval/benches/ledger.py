"""The ledger: one line for every look at a public test split, so that a reader can count the looks."""

import json
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from eval.errors import DataError
from triage.desk_files import read_json_lines
from triage.errors import DeskFileError
from triage.fault_text import first_fault
from triage.tickets import WireModel

LEDGER = Path(__file__).with_name("ledger.jsonl")


class Look(WireModel):
    """One look. data: the checksum of what was read, or how it is known; kind: a trial guides, a bench reports."""

    date: date
    set: str
    split: str
    kind: Literal["trial", "bench"]
    what: str
    figures: dict[str, float]
    data: str


def record_look(look: Look, path: Path = LEDGER) -> None:
    """Append a look."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(look.model_dump(mode="json"), ensure_ascii=False) + "\n")


def read_ledger(path: Path = LEDGER) -> list[Look]:
    """Read all looks. Raises `DataError`."""
    looks = []
    try:
        for line, value in read_json_lines(path):
            looks.append(_look(path, line, value))
    except DeskFileError as error:
        raise DataError(error.path, error.line, error.problem, error.remedy) from error
    return looks


def _look(path: Path, line: int, value: dict[str, object]) -> Look:
    try:
        return Look.model_validate(value)
    except ValidationError as error:
        raise DataError(path, line, first_fault(error, "the look"), "correct the line") from error
