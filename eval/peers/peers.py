"""Runs peers beside Firstline, each in a process of its own, so that time and memory are its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eval.errors import BenchError
from eval.peers.classifiers import OWN_CLASSIFIERS
from eval.peers.environments import ensure_environment
from eval.peers.results import PeerFailure, PeerResult, read_result
from eval.peers.searchers import OWN_SEARCHERS
from eval.peers.tasks import ClassifyTask, SearchTask, Task, write_task
from models.encoder_folders import PACKAGED, find_encoder_folder
from models.errors import ModelsError

__all__ = [
    "CLASSIFIERS",
    "SEARCHERS",
    "ClassifyTask",
    "PeerFailure",
    "PeerLimits",
    "PeerResult",
    "SearchTask",
    "Task",
    "run_peer",
    "write_task",
]

CLASSIFIERS = (*OWN_CLASSIFIERS, "setfit")
SEARCHERS = tuple(OWN_SEARCHERS)
#: Where `eval` and `models` lie: a process started here finds them, whichever interpreter runs it.
ROOT = Path(__file__).resolve().parents[2]
#: No peer asks a hub for anything.
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True)
class PeerLimits:
    """What a peer may take. seconds: the whole process, environment not counted.

    setfit_iterations: SetFit's `num_iterations`; twice so many pairs are trained on per example, 20 is the library's
    own default.
    """

    seconds: float = 1800
    setfit_iterations: int = 5


def run_peer(
    name: str,
    task: Task,
    workdir: Path,
    limits: PeerLimits = PeerLimits(),
    var: Path = Path("var"),
    report: Callable[[str], None] = print,
) -> PeerResult | PeerFailure:
    """Run one peer on a task and return its checked result, or why there is none: never an exception of the peer's.

    workdir: gets a folder `name` with the task, the report and the process's log. var: where environments are kept.
    report: gets lines for people while an environment is made.
    """
    known = CLASSIFIERS if isinstance(task, ClassifyTask) else SEARCHERS
    if name not in known:
        return PeerFailure(name, f"there is no such peer for this kind of task; use one of {', '.join(known)}")
    folder = (workdir / name).resolve()
    write_task(task, folder / "task")
    out = folder / "report.json"
    out.unlink(missing_ok=True)
    try:
        command = _command(name, folder, limits, var.resolve(), report)
    except (BenchError, ModelsError) as error:
        return PeerFailure(name, str(error))
    return _run(name, command, folder, limits.seconds) or read_result(name, out, task)


def _command(name: str, folder: Path, limits: PeerLimits, var: Path, report: Callable[[str], None]) -> list[str]:
    """Return the command line of a peer; raise `BenchError` where its environment cannot be made."""
    files = [str(folder / "task"), str(folder / "report.json")]
    if name != "setfit":
        return [sys.executable, "-E", "-m", "eval.peers.run_peer", name, *files]
    python = ensure_environment(var / "peers" / "setfit", Path(__file__).with_name("setfit.txt"), report)
    encoder = find_encoder_folder(PACKAGED).path
    settings = ["--encoder", str(encoder), "--num-iterations", str(limits.setfit_iterations)]
    return [str(python), "-E", "-m", "eval.peers.setfit_peer", *files, *settings]


def _run(name: str, command: list[str], folder: Path, seconds: float) -> PeerFailure | None:
    """Run a peer's process to its end; return why it failed, or None."""
    log = folder / "log.txt"
    environment = os.environ | OFFLINE | {"HF_HOME": str(folder / "hub")}
    with log.open("wb") as file:
        try:
            done = subprocess.run(  # noqa: S603 - our own modules, a checked name
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return PeerFailure(name, f"it was stopped at its limit of {seconds:g} seconds")
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        how = f"the system ended it with {signal.Signals(-done.returncode).name}"
    else:
        how = f"it failed with {_last_line(log)}"
    return PeerFailure(name, f"{how}; see {name}/{log.name}")


def _last_line(log: Path) -> str:
    """Return the last line that says something: of a traceback, the exception."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no word"
