"""Firstline and its peers on one desk of public data: the same rows, the same metrics, a process each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from eval.benches.frame import Cell
from eval.benches.ledger import Look, record_look
from eval.benches.measured_process import Taken, run_firstline
from eval.errors import BenchError
from eval.loaders.loaded import Loaded
from eval.loaders.write_desk import DeskData, write_desk
from eval.peers.peers import PeerFailure, PeerLimits, PeerResult, Task, run_peer
from eval.resampling import Resamples, difference_error, difference_interval, share_interval, value_of
from eval.run_record import Run
from eval.run_suite import SEED
from eval.statistics import Array, Statistic


@dataclass(frozen=True)
class FirstlineOnDesk:
    """A desk that was built and run with the commands that a user has, and what they took."""

    data: DeskData
    run: Run
    build: Taken
    suggest: Taken

    def cost(self) -> dict[str, Cell]:
        """Return what a build and a ticket cost."""
        return {
            "fit s": round(self.build.seconds, 1),
            "ms per query": self.run["latency.p50_ms"].value,
            "peak MiB": round(max(self.build.peak_mib, self.suggest.peak_mib)),
        }


def run_on(loaded: Loaded, name: str, work: Path, var: Path, build_with: Sequence[str] = ()) -> FirstlineOnDesk:
    """Write a desk, build it (with options of the command) and run its cases. Raises `BenchError`, `DataError`."""
    folder = work / name
    print(f"{name}: {len(loaded.history)} rows of history, {len(loaded.articles)} articles, {len(loaded.cases)} cases")
    data = write_desk(loaded, folder / "desk")
    desk, out = str(folder / "desk"), str(folder / "run")
    build = run_firstline(["build", desk, "--var", str(var), *build_with], folder / "build.log")
    arguments = ["eval", "run", desk, "--out", out, "--overwrite", "--var", str(var)]
    suggest = run_firstline(arguments, folder / "run.log")
    print(f"{name}: built in {build.seconds:.0f} s, run in {suggest.seconds:.0f} s")
    run = Run.open(folder / "run")
    check_exceptions(name, [outcome.error for outcome in run.outcomes()])
    return FirstlineOnDesk(data, run, build, suggest)


def check_exceptions(name: str, errors: Sequence[str | None]) -> None:
    """Say on how many cases the engine raised an exception; raise `BenchError` where it answered none of them."""
    raised = [error for error in errors if error is not None]
    if raised and len(raised) == len(errors):
        raise BenchError(f"{name}: the engine raised an exception on every case, such as {raised[0]}; mend it first")
    if raised:
        print(f"{name}: {len(raised)} of {len(errors)} cases raised an exception ({raised[0]}, say): they are wrong")


def try_peer(name: str, task: Task, work: Path, var: Path) -> PeerResult | PeerFailure:
    """Run a peer and say how long it took, or why it did not."""
    found = run_peer(name, task, work, PeerLimits(), var)
    if isinstance(found, PeerFailure):
        print(f"  {name}: not run: {found.reason}")
    else:
        print(f"  {name}: fitted in {found.fit_seconds:.0f} s, {found.milliseconds_per_query:.1f} ms per query")
    return found


def measured(statistic: Statistic, rows: Array) -> dict[str, float]:
    """Return a statistic of rows, each a case by itself, with its interval."""
    cases = np.arange(len(rows))
    resamples = Resamples([str(case) for case in cases], SEED)
    value = value_of(statistic, rows)
    low, high = share_interval(value, resamples.of(statistic, cases, rows), len(rows))
    return {"value": value, "low": low, "high": high}


def lead_of(statistic: Statistic, ours: Array, theirs: Array) -> dict[str, float]:
    """Return how far the first rows are ahead of the second, over the same cases, with the interval."""
    cases = np.arange(len(ours))
    resamples = Resamples([str(case) for case in cases], SEED)
    lead = value_of(statistic, ours) - value_of(statistic, theirs)
    change = resamples.of(statistic, cases, ours) - resamples.of(statistic, cases, theirs)
    error = difference_error(change, len(ours), len(ours))
    low, high = difference_interval(lead, error, len(ours))
    return {"value": lead, "low": low, "high": high}


def note_look(ledger: Path, today: date, name: str, split: str, data: DeskData, figures: Mapping[str, float]) -> None:
    """Write a look at a test split into the ledger."""
    note_checksum(ledger, today, (name, split), data.checksum, figures)


def note_checksum(
    ledger: Path, today: date, part: tuple[str, str], checksum: str, figures: Mapping[str, float]
) -> None:
    """Write a look into the ledger; part: the set and its split; checksum: of all that was read, several desks' too."""
    name, split = part
    rounded = {what: round(value, 4) for what, value in figures.items()}
    look = Look(
        date=today, set=name, split=split, kind="bench", what="bench, all systems", figures=rounded, data=checksum
    )
    record_look(look, ledger)
