"""The folder a tuning run works in: which run it belongs to, and which of its checkpoints are whole.

The trainer writes the optimiser's, the schedule's and the random state with ``torch.save``, and transformers reads
them with ``torch.load(weights_only=True)``, which builds tensors and plain values and refuses everything else. Each
checkpoint also gets a list of hashes once all of it is written: one without it, or with a file that differs, was
broken off or damaged and is removed. The list is no guard against somebody who may write into the folder; that is
what ``weights_only`` is for. The pickled training arguments, which nothing reads, are removed.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.artifact_files import read_json, sha256_of_file, write_json
from models.errors import ArtifactError, FineTuneError

HASHES = "hashes.json"
STATE = "trainer_state.json"
#: Weights, and the optimiser's two moments of each.
SIZES_PER_CHECKPOINT = 3
#: The best, the newest, and the one being written.
CHECKPOINTS = 3


class WorkFolder:
    """One run's card, checkpoints and lock, in a folder beside the output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints = folder / "checkpoints"

    @contextmanager
    def of_run(self, fingerprint: str) -> Iterator[None]:
        """Hold the folder for this run, emptied if it was another's. Raises `FineTuneError` if in use."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder, os.O_RDONLY)
        try:
            self._lock(lock)
            if self._fingerprint() != fingerprint:
                self.empty()
                write_json(self.folder / "run.json", {"fingerprint": fingerprint})
            yield
        finally:
            os.close(lock)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FineTuneError(f"{self.folder} is in use by another run; wait until that one has ended") from error

    def _fingerprint(self) -> str:
        try:
            return str(read_json(self.folder / "run.json")["fingerprint"])
        except (ArtifactError, KeyError, TypeError):
            return ""

    def empty(self) -> None:
        """Remove all that earlier runs left."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def seal(self, checkpoint: Path) -> None:
        """Note the hashes of a checkpoint that is written to its end."""
        (checkpoint / "training_args.bin").unlink(missing_ok=True)
        files = [path for path in sorted(checkpoint.rglob("*")) if path.is_file()]
        write_json(checkpoint / HASHES, {str(path.relative_to(checkpoint)): sha256_of_file(path) for path in files})

    def last_whole(self) -> Path | None:
        """Return the newest checkpoint that is whole and whose best one is too; the others are removed."""
        found = sorted(self.checkpoints.glob("checkpoint-*"), key=_step, reverse=True)
        whole = [path for path in found if _is_whole(path)]
        for path in set(found) - set(whole):
            shutil.rmtree(path)
        return next((path for path in whole if self.best_of(path) in whole), None)

    def best_of(self, checkpoint: Path) -> Path:
        """Return the best checkpoint at the time of this one."""
        return Path(str(self.state_of(checkpoint).get("best_model_checkpoint")))

    def state_of(self, checkpoint: Path) -> dict[str, Any]:
        """Return the trainer's state at this checkpoint."""
        return dict(read_json(checkpoint / STATE))

    def refuse_small_disk(self, weights_bytes: int) -> None:
        """Raise `FineTuneError` where the checkpoints will not fit."""
        needed = weights_bytes * (SIZES_PER_CHECKPOINT * CHECKPOINTS + 1)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise FineTuneError(
                f"{self.folder}: {free >> 20} MiB free, fine-tuning this encoder needs {needed >> 20} MiB for its "
                "checkpoints; free some space"
            )


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rsplit("-", 1)[-1]
    return int(number) if number.isdigit() else -1


def _is_whole(checkpoint: Path) -> bool:
    try:
        hashes = dict(read_json(checkpoint / HASHES))
        return STATE in hashes and all(sha256_of_file(checkpoint / name) == value for name, value in hashes.items())
    except (ArtifactError, OSError, TypeError, ValueError):
        return False
