"""The file that a bulk run grows, and the file beside it that says what is being run.

``OUT`` grows line by line; ``OUT.unfinished.json`` stands beside it until ``OUT`` is whole. Every line begins with its
own number or with an id made from it, so that what a kill or a power cut left behind is told from what was written.
"""

import fcntl
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Literal

from pydantic import AwareDatetime, ValidationError

from models.artifact_files import sync_folder, write_json
from triage.errors import BulkError
from triage.fault_text import first_fault
from triage.suggestions import Versions
from triage.tickets import WireModel

#: A power cut loses the lines of so many seconds at most; they are worked on again.
SYNC_SECONDS = 1.0
#: What is read at once of a line that is too long to be kept.
PIECE = 65_536
#: What a line without a suggestion comes to.
ERRORS = "errors"
DISPOSITION = re.compile(rb'"disposition":"(\w+)"')


class TicketFile(WireModel):
    """The file of tickets. lines: blank ones included."""

    file: str
    sha256: str
    lines: int


class Header(WireModel):
    """What is run. at: the clock of the first start; manifest: SHA-256 of the generation's manifest."""

    format: Literal["firstline-bulk/1"] = "firstline-bulk/1"
    desk: str
    at: AwareDatetime
    tickets: TicketFile
    versions: Versions
    manifest: str

    def same_run(self, other: "Header") -> bool:
        """Tell whether lines of the other belong with those of this one: the clock and the file's name may differ."""
        return self._key == other._key

    def id_of(self, line: int) -> str:
        """Return the id of a line's suggestion, 32 hex digits: the same tickets and generation give the same ids."""
        return hashlib.blake2b(f"{self._key}:{line}".encode(), digest_size=16).hexdigest()

    @property
    def _key(self) -> str:
        return self.model_dump_json(exclude={"at": True, "tickets": {"file": True}})


class BulkOut:
    """The growing file. header: what is run, with the first start's clock; counts: what its lines came to so far."""

    def __init__(self, path: Path, descriptor: int, header: Header, timer: Callable[[], float]) -> None:
        self.path, self.header = path, header
        self.counts = Counter[str]()
        self._descriptor, self._timer = descriptor, timer
        self._synced = timer()

    @property
    def done(self) -> int:
        """How many lines it has."""
        return self.counts.total()

    def append(self, line: bytes, came_to: str) -> None:
        """Add a line, and flush to disk what was added where the last time was a second ago."""
        with as_bulk_error(self.path, "the file cannot be written", "see to it, and the same command goes on"):
            left = memoryview(line + b"\n")
            while left:
                left = left[os.write(self._descriptor, left) :]
            self.counts[came_to] += 1
            if self._timer() - self._synced >= SYNC_SECONDS:
                self.sync()

    def sync(self) -> None:
        """Flush to disk."""
        os.fsync(self._descriptor)
        self._synced = self._timer()

    def finish(self) -> None:
        """Say that the file is whole."""
        with as_bulk_error(self.path, "the file cannot be finished", "see to it, and the same command goes on"):
            self.sync()
            sidecar_of(self.path).unlink()
            sync_folder(self.path.parent)

    def keep_whole_lines(self) -> None:
        """Count the lines of an interrupted run, and cut off what was only begun.

        Raises `BulkError` for a whole line that this run did not write.
        """
        end = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                # After a power cut a file may be longer than what reached the disk, and then it ends in zeros.
                if not line.endswith(b"\n") or b"\0" in line:
                    break
                if number > self.header.tickets.lines or not line.startswith(self._beginnings(number)):
                    problem = f"line {number} was not written by the run that {sidecar_of(self.path).name} tells of"
                    raise BulkError(self.path, problem, "name another file, or add --overwrite")
                end += len(line)
                self.counts[came_to(line)] += 1
        os.ftruncate(self._descriptor, end)

    def _beginnings(self, number: int) -> tuple[bytes, bytes]:
        return f'{{"id":"{self.header.id_of(number)}",'.encode(), f'{{"line":{number},'.encode()


@contextmanager
def open_out(path: Path, header: Header, overwrite: bool, timer: Callable[[], float] = monotonic) -> Iterator[BulkOut]:
    """Begin a file, or go on with the one that was interrupted; no other process can until this one lets go or ends.

    Raises `BulkError` where a whole file is here, or one of other tickets or another generation, or one being written.
    """
    with as_bulk_error(path, "the file cannot be opened", "name another one"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        with as_bulk_error(path, "the file cannot be written", "name another one"):
            _lock(path, descriptor)
            if overwrite:
                os.ftruncate(descriptor, 0)
                os.fsync(descriptor)
            out = BulkOut(path, descriptor, header if overwrite else _header_to_go_on_with(path, header), timer)
            out.keep_whole_lines()
            # Also flushes the folder, and with it that the growing file is in it.
            write_json(sidecar_of(path), out.header.model_dump(mode="json"))
        yield out
    finally:
        with suppress(OSError):  # whoever stops the run has said why, and a finished one is on disk
            os.fsync(descriptor)
        os.close(descriptor)


def sidecar_of(path: Path) -> Path:
    """Return the file that stands beside one that is not whole."""
    return path.with_name(f"{path.name}.unfinished.json")


def came_to(line: bytes) -> str:
    """Return the disposition that a line of the growing file tells of, or `ERRORS`."""
    found = DISPOSITION.search(line)  # within a text of the line the quotes would be escaped
    return found[1].decode() if found else ERRORS


def check_paths(tickets: Path, out: Path) -> None:
    """Raise `BulkError` where a run over these files could not begin, before anything slow is done."""
    with as_bulk_error(tickets, "the file cannot be read", "check its name"):
        if tickets.exists() and not tickets.is_file():
            remedy = "write the tickets to a plain file first, which can be read twice"
            raise BulkError(tickets, "this is no plain file", remedy)
        tickets.open("rb").close()
    with as_bulk_error(out, "the file cannot be written", "name another one"):
        if out.exists() and not out.is_file():
            raise BulkError(out, "this is a folder" if out.is_dir() else "this is no plain file", "name a file")
        if not out.parent.is_dir():
            raise BulkError(out, f"there is no folder {out.parent}", "make it first")
        for mine in (out, sidecar_of(out)):
            if mine.exists() and mine.samefile(tickets):
                raise BulkError(mine, "this is the file of the tickets", "name another one for the suggestions")
        for needed in (out.parent, out):
            if needed.exists() and not os.access(needed, os.W_OK):
                raise BulkError(needed, "no permission to write", "name another file, or change its permissions")


def read_lines(path: Path, limit: int, on_bytes: Callable[[bytes], object]) -> Iterator[bytes | None]:
    """Yield a file's lines without their line breaks; None for one of more than `limit` bytes, never held whole.

    on_bytes: is given every byte of the file, in order. A line ends with a line feed and nothing else.
    """
    with (
        as_bulk_error(path, "the file cannot be read", "see to it, and the same command goes on"),
        path.open("rb") as file,
    ):
        while begun := file.readline(limit + len(b"\r\n")):
            on_bytes(begun)
            rest = begun
            while not rest.endswith(b"\n") and (rest := file.readline(PIECE)):
                on_bytes(rest)
            line = begun.removesuffix(b"\n").removesuffix(b"\r")
            yield line if len(line) <= limit else None


@contextmanager
def as_bulk_error(path: Path, problem: str, remedy: str) -> Iterator[None]:
    """Turn what the operating system says about a file into one sentence."""
    try:
        yield
    except OSError as error:
        raise BulkError(path, f"{problem} ({error.strerror})", remedy) from error


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BulkError(path, "another run is writing this file", "wait for it, or name another one") from error


def _header_to_go_on_with(path: Path, header: Header) -> Header:
    sidecar = sidecar_of(path)
    if not sidecar.exists():
        if path.stat().st_size:
            raise BulkError(path, "a file is here already", "name another one, or add --overwrite")
        return header
    try:
        earlier = Header.model_validate(json.loads(sidecar.read_bytes()))
    except ValidationError as error:
        raise BulkError(sidecar, first_fault(error, "the run"), "add --overwrite to begin again") from error
    except (ValueError, RecursionError) as error:
        raise BulkError(sidecar, "the file cannot be read", "add --overwrite to begin again") from error
    if not header.same_run(earlier):
        problem = "an interrupted run over other tickets or with another generation is here"
        raise BulkError(path, problem, "name another file, or add --overwrite")
    return earlier
