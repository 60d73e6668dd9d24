"""Vectors on disk, by the SHA-256 of their text: one file per encoder, which may be deleted at any time."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from zlib import crc32

import numpy as np

from models.embedding_file import (
    FILE_ERRORS,
    count_rows,
    delete_rows,
    drop_rows,
    file_name,
    insert_rows,
    is_damage,
    journal_of,
    note_use,
    opened,
    select_rows,
)
from models.errors import ArtifactError
from models.protocols import FloatArray, TextEncoder

#: Texts per query and per transaction; SQLite before 3.32 takes 999 parameters.
BATCH = 900
MAX_ROWS = 1_000_000
#: Seconds to wait for another process that holds the file.
PATIENCE = 15.0
#: How far a kept vector's norm may be from 1.
NORM_TOLERANCE = 1e-3

Result = TypeVar("Result")


class EmbeddingStore:
    """One encoder's vectors. Many threads and processes may use a file at once; each call opens and closes it.

    encoder: whose vectors these are; only its identity and dimension are read.
    today: noted with each row that is used, at most once a day, so that the least recently used can be told.
    max_rows: beyond it, opening drops the least recently used rows. Their space is used again; the file stays as big.
    patience: seconds to wait for another process.

    No text is in the file, only hashes. No call but `forget` raises: a damaged or foreign file is set aside as
    ``*.damaged`` and begun anew, one that cannot be written is only read from then on, one that cannot be read is left
    alone. `warn` hears of each once.
    """

    def __init__(
        self,
        folder: Path,
        encoder: TextEncoder,
        today: date,
        warn: Callable[[str], None],
        max_rows: int = MAX_ROWS,
        patience: float = PATIENCE,
    ) -> None:
        self.path = folder / file_name(encoder.identity)
        self.dimension = encoder.dimension
        self._seed = crc32(f"{encoder.identity} {encoder.dimension}".encode("utf-8", "surrogatepass"))
        self._day = today.toordinal()
        self._warn, self._patience = warn, patience
        self._reads = self._writes = True
        self._changing_state = Lock()
        if self._attempt(count_rows, 0, writing=False) > max_rows:
            self._attempt(lambda connection: drop_rows(connection, max_rows), None, writing=True)

    def read(self, hashes: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """Return the vectors of those texts that are kept and sound. At most `BATCH` hashes."""
        none: list[tuple[Any, ...]] = []
        size, day = 4 * self.dimension, self._day
        rows = self._attempt(lambda connection: select_rows(connection, hashes, size, day), none, writing=False)
        whole = [row for row in rows if row[1] == self._checksum(row[0], row[2])]
        vectors = np.frombuffer(b"".join(row[2] for row in whole), dtype="<f4").astype(np.float32)
        vectors = vectors.reshape(len(whole), self.dimension)
        with np.errstate(over="ignore", invalid="ignore"):
            sound = np.abs(np.linalg.norm(vectors, axis=1) - 1) <= NORM_TOLERANCE  # false where one is not finite
        if stale := [row[0] for row in whole if row[3]]:
            self._attempt(lambda connection: note_use(connection, stale, day), None, writing=True)
        return {row[0]: vector for row, vector, good in zip(whole, vectors, sound, strict=True) if good}

    def write(self, hashes: Sequence[bytes], vectors: FloatArray) -> None:
        """Keep vectors of shape (len(hashes), dimension), in the place of what was kept for these texts."""
        cells = [row.tobytes() for row in vectors.astype("<f4", copy=False)]
        rows = [(key, self._checksum(key, cell), cell) for key, cell in zip(hashes, cells, strict=True)]
        self._attempt(lambda connection: insert_rows(connection, rows, self._day), None, writing=True)

    def forget(self, hashes: Sequence[bytes]) -> None:
        """Remove texts from the files of all encoders in this folder; see `forget_hashes`."""
        forget_hashes(self.path.parent, hashes, self._patience)

    def _checksum(self, key: bytes, cell: bytes) -> int:
        """Return what tells a damaged row, or one of another text or encoder."""
        return crc32(cell, crc32(key, self._seed))

    def _attempt(self, work: Callable[[sqlite3.Connection], Result], otherwise: Result, writing: bool) -> Result:
        """Do `work` on the file; return `otherwise` where that cannot be done."""
        for first in (True, False):
            if not (self._writes if writing else self._reads):
                break
            seen = _inode(self.path)
            try:
                with opened(self.path, self._patience) as connection:
                    return work(connection)
            except FILE_ERRORS as error:
                if not (first and is_damage(error) and self._set_aside(seen)):
                    self._give_up(error, writing)
        return otherwise

    def _set_aside(self, seen: int | None) -> bool:
        """Rename a damaged file, if no other process has replaced it since; tell whether it is out of the way."""
        aside = self.path.with_suffix(".damaged")
        with self._changing_state:
            try:
                if seen is not None and seen == _inode(self.path):
                    self.path.replace(aside)
                    journal_of(self.path).unlink(missing_ok=True)
                    self._warn(f"{self.path} was damaged or no embedding cache: it is now {aside.name}, and begun anew")
            except OSError:
                return False
        return True

    def _give_up(self, error: Exception, writing: bool) -> None:
        with self._changing_state:
            known = not (self._writes if writing else self._reads)
            self._writes, self._reads = False, self._reads and writing
        if not known:
            self._warn(
                f"{self.path} cannot be {'written' if writing else 'read'} ({error}): new vectors are not kept this "
                "time; see that the disk has space, the file can be written and no other process holds it"
            )


def forget_hashes(folder: Path, hashes: Sequence[bytes], patience: float = PATIENCE) -> None:
    """Remove texts, by their SHA-256, from every encoder's file in `folder`, and overwrite the place they had.

    A file that is damaged or was set aside is removed whole, since nobody can say what it holds. What remains is
    outside these files: backups and snapshots of them, and blocks of the disk that the file system gave free (SQLite's
    journal of a change is deleted, not overwritten). A process that encodes one of the texts later keeps it again.
    Raises `ArtifactError` where a file cannot be changed: then the texts may still be there.
    """
    try:
        for path in sorted(folder.glob("*.sqlite")):
            _forget_in(path, hashes, patience)
        for path in folder.glob("*.damaged"):
            path.unlink(missing_ok=True)
    except FILE_ERRORS as error:
        raise ArtifactError(f"{folder}: texts could not be forgotten ({error}); delete the folder") from error


def _forget_in(path: Path, hashes: Sequence[bytes], patience: float) -> None:
    try:
        with opened(path, patience) as connection:
            delete_rows(connection, hashes)
    except FILE_ERRORS as error:
        if not is_damage(error):
            raise
        path.unlink(missing_ok=True)
        journal_of(path).unlink(missing_ok=True)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
