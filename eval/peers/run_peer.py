"""Runs one peer in this process: ``python -m eval.peers.run_peer NAME TASK_FOLDER OUT.json``."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from eval.errors import BenchError, EvalError
from eval.peers.classifiers import OWN_CLASSIFIERS
from eval.peers.measuring import measure_peer, write_report
from eval.peers.searchers import OWN_SEARCHERS
from eval.peers.tasks import ClassifyTask, read_task

Load = TypeVar("Load")


def main(arguments: Sequence[str]) -> None:
    """Measure the peer on the task and write its report.

    Raises `DataError` for a task that cannot be read, `BenchError` for a peer that is not known, and whatever the
    peer raises: the caller reads the last line of it.
    """
    if len(arguments) != 3:
        raise BenchError("run_peer needs three arguments: NAME TASK_FOLDER OUT.json")
    name, folder, out = arguments
    task = read_task(Path(folder))
    if isinstance(task, ClassifyTask):
        measured = measure_peer(_known(name, OWN_CLASSIFIERS), task.examples, task.queries)
    else:
        measured = measure_peer(_known(name, OWN_SEARCHERS), task.documents, task.queries)
    write_report(name, measured, Path(out))


def _known(name: str, peers: Mapping[str, Load]) -> Load:
    if name not in peers:
        raise BenchError(f"there is no peer {name!r} for this kind of task; use one of {', '.join(peers)}")
    return peers[name]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except EvalError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
