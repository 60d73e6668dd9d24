"""A run is a folder that says what was run.

``outcomes.jsonl`` grows case by case beside ``unfinished.json``; ``run.json`` takes that file's place at the end, so
that a folder with it is whole, and one without it can be gone on with.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, ValidationError

from eval.errors import RunError
from eval.measurement import Measurement
from eval.outcomes import Outcome, cut_unfinished_line, read_outcomes
from models.artifact_files import write_json
from triage.fault_text import first_fault
from triage.suggestions import Versions
from triage.tickets import WireModel

OUTCOMES, UNFINISHED, FINISHED = "outcomes.jsonl", "unfinished.json", "run.json"


class CaseSet(WireModel):
    """The file of cases."""

    file: str
    sha256: str
    n: int


class Header(WireModel):
    """What was run. fields: by field and label, how many past tickets the desk has; rules: those that are on."""

    desk: str
    at: AwareDatetime
    seed: int
    cases: CaseSet
    versions: Versions
    fields: dict[str, dict[str, int]]
    rules: tuple[str, ...] = ()
    machine: dict[str, Any]

    def same_run(self, other: "Header") -> bool:
        """Tell whether outcomes of the other belong with those of this one."""
        mine, theirs = (header.model_dump(exclude={"at", "machine"}) for header in (self, other))
        return mine == theirs


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    header: Header
    measurements: tuple[Measurement, ...]

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Read a finished run. Raises `RunError`."""
        path = folder / FINISHED
        if not path.is_file():
            unfinished = (folder / UNFINISHED).is_file()
            problem = "the run has not finished" if unfinished else "there is no run here"
            raise RunError(folder, None, problem, "make one with `firstline eval run`")
        values = _read_json(path)
        try:
            measurements = tuple(Measurement.model_validate(entry) for entry in values["measurements"])
            return cls(folder, Header.model_validate(values["run"]), measurements)
        except ValidationError as error:
            raise RunError(path, None, first_fault(error, "the run"), "run the cases again") from error
        except (KeyError, TypeError) as error:
            raise RunError(path, None, "this is no run", "run the cases again") from error

    def __getitem__(self, name: str) -> Measurement:
        """Return a metric over all cases. Raises `KeyError`."""
        found = next((entry for entry in self.overall if entry.name == name), None)
        if found is None:
            raise KeyError(f"{name} is no metric of this run; it has {', '.join(m.name for m in self.overall)}")
        return found

    @property
    def overall(self) -> tuple[Measurement, ...]:
        """The measurements over all cases."""
        return tuple(entry for entry in self.measurements if entry.slice is None)

    def outcomes(self) -> Iterator[Outcome]:
        """Read the outcomes, one by one. Raises `RunError` for one that cannot be read, stands twice or is missing."""
        path, seen = self.folder / OUTCOMES, set[str]()
        for outcome in read_outcomes(path):
            if outcome.case.id in seen:
                raise RunError(path, len(seen) + 1, f"case {outcome.case.id!r} stands twice", "run the cases again")
            seen.add(outcome.case.id)
            yield outcome
        if len(seen) != self.header.cases.n:
            problem = f"there are {len(seen)} outcomes, and the run has {self.header.cases.n} cases"
            raise RunError(path, None, problem, "run the cases again")


def begin(folder: Path, header: Header) -> tuple[Header, list[str]]:
    """Begin a run in a folder, or go on with the one that was interrupted there.

    Returns the header to go on with (its clock is the first start's) and the ids of the cases that are done. Raises
    `RunError` where the folder holds a finished run, or one of other cases, versions or seed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(folder, None, f"no folder can be made ({error.strerror})", "name another one") from error
    if (folder / FINISHED).exists():
        raise RunError(folder, None, "a finished run is here already", "name another folder, or add --overwrite")
    if not (folder / UNFINISHED).exists():
        (folder / OUTCOMES).write_bytes(b"")
        write_json(folder / UNFINISHED, header.model_dump(mode="json"))
        return header, []
    try:
        earlier = Header.model_validate(_read_json(folder / UNFINISHED))
    except ValidationError as error:
        raise RunError(folder / UNFINISHED, None, first_fault(error, "the run"), "add --overwrite") from error
    if not header.same_run(earlier):
        problem = "an interrupted run of other cases, another build or another seed is here"
        raise RunError(folder, None, problem, "name another folder, or add --overwrite")
    (folder / OUTCOMES).touch()
    cut_unfinished_line(folder / OUTCOMES)
    return earlier, [outcome.case.id for outcome in read_outcomes(folder / OUTCOMES)]


def finish(folder: Path, header: Header, measurements: Sequence[Measurement]) -> Run:
    """Write ``run.json`` and return the run."""
    values = {
        "run": header.model_dump(mode="json"),
        "measurements": [entry.model_dump(mode="json") for entry in measurements],
    }
    write_json(folder / FINISHED, values)
    (folder / UNFINISHED).unlink()
    return Run.open(folder)


def clear(folder: Path) -> None:
    """Remove a run, finished or not, and nothing else."""
    for name in (FINISHED, UNFINISHED, OUTCOMES):
        (folder / name).unlink(missing_ok=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(path, None, "the file cannot be read", "run the cases again") from error
    if not isinstance(values, dict):
        raise RunError(path, None, "this is no run", "run the cases again")
    return values
