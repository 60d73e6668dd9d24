"""Versioned folders of everything that was learned and indexed: written whole, checked by hash, switched at once."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.artifact_files import read_json, sha256_of_file, sync_file, sync_folder, write_bytes_atomically, write_json
from models.errors import ArtifactError
from triage.errors import GenerationError

FORMAT = "firstline-generation/9"
MANIFEST = "manifest.json"
#: How the names of folders begin that nobody reads.
SCRATCH = ".building-"
NUMBER = re.compile(r"\d{6}")


@dataclass(frozen=True)
class Generation:
    """A generation whose files have all been checked against its manifest."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Its number, such as ``000001``."""
        return self.folder.name


class Generations:
    """The generations of one desk, under ``var/generations/<desk>``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(self, write: Callable[[Path], dict[str, Any]], only_after: str | None = None) -> Generation:
        """Let `write` fill a new folder (it returns what the manifest says), then make it the current generation.

        A process that dies on the way leaves a folder that nobody reads; the next build removes it. only_after: the
        name of the generation that has to be the current one, else `GenerationError` is raised and nothing is written.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._only_builder():
            if only_after is not None and self.current_name() != only_after:
                raise GenerationError(
                    f"{self.root}: {only_after} is no longer the current generation; nothing was built"
                )
            return self._publish(write)

    @contextmanager
    def _only_builder(self) -> Iterator[None]:
        """Let one process at a time publish; the lock goes with the process."""
        folder = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _publish(self, write: Callable[[Path], dict[str, Any]]) -> Generation:
        self._clear()
        scratch = Path(tempfile.mkdtemp(dir=self.root, prefix=SCRATCH))
        try:
            facts = write(scratch)
            files = {
                str(path.relative_to(scratch)): _facts_of(path) for path in sorted(scratch.rglob("*")) if path.is_file()
            }
            write_json(scratch / MANIFEST, {"format": FORMAT, **facts, "files": files})
            for folder in (scratch, *(path for path in scratch.rglob("*") if path.is_dir())):
                sync_folder(folder)
            scratch.chmod(0o755)
            names = self.names()
            target = scratch.rename(self.root / f"{int(names[-1]) + 1 if names else 1:06d}")
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        sync_folder(self.root)
        self._point_to(target.name)
        return Generation(target, read_json(target / MANIFEST))

    def _clear(self) -> None:
        """Remove what killed processes left."""
        for stale in self.root.glob(f"{SCRATCH}*"):
            shutil.rmtree(stale, ignore_errors=True)
        for stale in self.root.glob(".current.*"):
            stale.unlink(missing_ok=True)

    def _point_to(self, name: str) -> None:
        write_bytes_atomically(self.root / "current", f"{name}\n".encode())

    def roll_back(self, name: str | None = None) -> Generation:
        """Make an older generation the current one: that of a name, else the newest sound one before the current.

        Later builds count on from the newest there is. Raises `GenerationError` where there is none, or it is damaged.
        """
        with self._only_builder():
            older = [known for known in self.names() if known < self.current_name()]
            if name is None:
                found = next((one for known in reversed(older) if (one := self._sound(known))), None)
                if found is None:
                    raise GenerationError(f"{self.root}: there is no sound generation before {self.current_name()}")
            elif name not in self.names():
                raise GenerationError(f"{self.root}: there is no generation {name!r}; see `firstline generations list`")
            else:
                found = self.open(name)
            self._point_to(found.name)
            return found

    def purge(self, keep: int) -> list[str]:
        """Remove all but the newest `keep` generations and the current one; return the names of those removed.

        A process that dies on the way leaves nothing that would be read.
        """
        with self._only_builder():
            self._clear()
            names, current = self.names(), self.current_name()
            removed = [name for name in names[: max(0, len(names) - keep)] if name != current]
            for name in removed:
                hidden = (self.root / name).rename(self.root / f"{SCRATCH}purged-{name}")
                sync_folder(self.root)
                shutil.rmtree(hidden)
            return removed

    def _sound(self, name: str) -> Generation | None:
        try:
            return self.open(name)
        except GenerationError:
            return None

    def names(self) -> list[str]:
        """Return all generation names, oldest first."""
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if path.is_dir() and NUMBER.fullmatch(path.name))

    def current_name(self) -> str:
        """Return the name of the current generation, "" where there is none."""
        pointer = self.root / "current"
        named = pointer.read_text(encoding="utf-8", errors="replace").strip() if pointer.is_file() else ""
        return named if NUMBER.fullmatch(named) else next(reversed(self.names()), "")

    def open_current(self, on_refused: Callable[[str], None]) -> Generation:
        """Return the current generation; where it is damaged, tell `on_refused` and return the newest sound older one.

        Raises `GenerationError` where none is sound.
        """
        names, current = self.names(), self.current_name()
        older = [name for name in reversed(names) if name < current]
        for name in ([current] if current in names else []) + older:
            try:
                return self.open(name)
            except GenerationError as error:
                on_refused(str(error))
        raise GenerationError(f"{self.root}: no generation can be served; run `firstline build` for this desk")

    def sound_current(self) -> Generation | None:
        """Return the current generation where there is one and it is sound."""
        name = self.current_name()
        return self._sound(name) if name in self.names() else None

    def open(self, name: str) -> Generation:
        """Check every file of a generation against its manifest; raise `GenerationError` where one differs."""
        folder = self.root / name
        try:
            manifest = read_json(folder / MANIFEST)
        except ArtifactError as error:
            raise GenerationError(f"{folder}: the manifest cannot be read; build again or roll back") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise GenerationError(f"{folder}: a generation of another format; build again")
        try:
            _ = manifest["encoder"]["identity"], manifest["encoder"]["dimension"], manifest["knowledge_revision"]
            damaged = [name for name, facts in manifest["files"].items() if not _is_sound(folder / name, facts)]
        except (KeyError, TypeError, AttributeError) as error:
            raise GenerationError(f"{folder}: the manifest is damaged; build again or roll back") from error
        if damaged:
            raise GenerationError(f"{folder / damaged[0]} is missing or damaged; build again or roll back")
        return Generation(folder, manifest)


def _facts_of(path: Path) -> dict[str, Any]:
    """Return what the manifest says of a file, once its bytes are on the disk."""
    sync_file(path)
    return {"sha256": sha256_of_file(path), "bytes": path.stat().st_size}


def _is_sound(path: Path, facts: dict[str, Any]) -> bool:
    same_size = path.is_file() and path.stat().st_size == facts["bytes"]
    return bool(same_size and sha256_of_file(path) == facts["sha256"])
