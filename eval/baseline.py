"""The run that a desk is held against. It lies in the desk's folder; renewing it says what is forgiven."""

import gzip
from collections.abc import Sequence
from pathlib import Path

from eval.compare_runs import Comparison, compare_runs
from eval.comparison_text import comparison_text
from eval.errors import RunError
from eval.outcomes import PACKED
from eval.run_record import FINISHED, OUTCOMES, Run
from models.artifact_files import write_bytes_atomically

BASELINE = "baseline"


def baseline_of(desk: Path) -> Run:
    """Open a desk's baseline. Raises `RunError` where there is none."""
    try:
        return Run.open(desk / BASELINE)
    except RunError as error:
        remedy = f"make one with `firstline eval baseline {desk}`"
        raise RunError(desk / BASELINE, None, error.problem, remedy) from error


def write_baseline(run: Run, desk: Path) -> None:
    """Put a run in the place of a desk's baseline. Raises `RunError` where it cannot be written."""
    folder = desk / BASELINE
    try:
        folder.mkdir(exist_ok=True)
        # Without a time in it, the same run gives the same bytes.
        packed = gzip.compress((run.folder / OUTCOMES).read_bytes(), mtime=0)
        write_bytes_atomically(folder / PACKED, packed)
        write_bytes_atomically(folder / FINISHED, (run.folder / FINISHED).read_bytes())
    except OSError as error:
        problem = f"the baseline cannot be written ({error.strerror})"
        raise RunError(folder, None, problem, "free the disk or folder") from error


def forgiven(found: Comparison) -> Sequence[str]:
    """Say what was worse than the baseline, and no longer counts once the run is the baseline."""
    lost = [f"{flip.metric}: {flip.case} is lost" for flip in found.flips if flip.lost]
    fails = [f"{d.gate.name}: {d.before:.3f} before, {d.after:.3f} now" for d in found.differences if d.fails]
    return [*fails, *(f"{code} is no longer given" for code in found.silenced), *lost]


def refresh(run: Run, desk: Path) -> str:
    """Make a run the desk's baseline and return what is forgiven, in words."""
    if not (desk / BASELINE / FINISHED).is_file():
        write_baseline(run, desk)
        return f"{desk / BASELINE} is new: nothing to forgive"
    found = compare_runs(baseline_of(desk), run)
    write_baseline(run, desk)
    losses = forgiven(found)
    said = [f"Forgiven, {len(losses)} in all:", *(f"  {loss}" for loss in losses)] if losses else ["Nothing is worse."]
    return "\n".join([comparison_text(found), "", *said])
