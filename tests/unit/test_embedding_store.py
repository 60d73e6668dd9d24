"""The file of kept vectors: never wrong, whatever happens to it."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from stat import S_IMODE
from tempfile import TemporaryDirectory
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.embedding_cache import EmbeddingCache, hash_of
from models.embedding_file import file_name
from models.embedding_store import BATCH, EmbeddingStore, forget_hashes
from models.errors import ArtifactError
from models.hashing_encoder import HashingEncoder
from models.protocols import FloatArray, Progress, no_progress

DAY = date(2026, 11, 20)
#: Wide vectors of short texts: a process that is killed while it works is most likely killed while it writes.
SIZE = 384
THREADS = 6
TEXTS = [str(number) for number in range(60)]
#: Keeps batches of numbered texts, and says when each is kept; speaks at all only of warnings otherwise.
WORKER = f"""
import resource, sys
from datetime import date
from pathlib import Path
from models.embedding_cache import EmbeddingCache
from models.embedding_store import EmbeddingStore
from models.hashing_encoder import HashingEncoder

folder, first, batches, size, limit = Path(sys.argv[1]), *map(int, sys.argv[2:])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
encoder = HashingEncoder({SIZE})
print("ready", flush=True)
sys.stdin.readline()
cache = EmbeddingCache(encoder, EmbeddingStore(folder, encoder, date(2026, 11, 20), print))
for batch in range(first, first + batches):
    cache.encode([str(number) for number in range(batch * size, (batch + 1) * size)])
    print(batch, flush=True)
"""


class Asked(HashingEncoder):
    """An encoder that remembers what it was asked."""

    def __init__(self, identity: str = f"hashing:{SIZE}", dimension: int = SIZE) -> None:
        super().__init__(dimension)
        self.identity = identity
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        self.texts += texts
        return super().encode(texts, progress)


class Shelf:
    """A folder of kept vectors that is opened anew for each call."""

    def __init__(self, folder: Path, encoder: Asked | None = None) -> None:
        self.folder, self.encoder = folder, encoder or Asked()
        self.path = folder / file_name(self.encoder.identity)
        self.heard: list[str] = []

    def cache(self, days: int = 0, patience: float = 15.0, max_rows: int = 10**6) -> EmbeddingCache:
        day = DAY + timedelta(days)
        store = EmbeddingStore(self.folder, self.encoder, day, self.heard.append, max_rows, patience)
        return EmbeddingCache(self.encoder, store)

    def asked(self, texts: Sequence[str] = TEXTS, cache: EmbeddingCache | None = None) -> list[str]:
        """Encode, check the vectors bit for bit, and return the texts that had to be encoded."""
        self.encoder.texts = []
        vectors = (cache or self.cache()).encode(texts)
        assert vectors.tobytes() == HashingEncoder(self.encoder.dimension).encode(texts).tobytes()
        return self.encoder.texts

    def change(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A shelf that holds the texts."""
    shelf = Shelf(tmp_path / "embeddings")
    assert shelf.asked() == TEXTS
    return shelf


class Worker:
    """A process that keeps numbered texts."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip()

    def start(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def worker(project: Path, folder: Path, *numbers: int) -> Iterator[Worker]:
    """Start a worker on (first batch, batches, texts in a batch, bytes that a file may have or 0)."""
    command = [sys.executable, "-c", WORKER, str(folder), *map(str, numbers)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=project, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        working = Worker(process)
        try:
            assert working.line() == "ready"
            yield working
        finally:
            process.kill()


def open_files() -> list[str]:
    links = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return [os.path.realpath(link) for link in links]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def at_once(work: Callable[[], object]) -> list[object]:
    barrier = threading.Barrier(THREADS)

    def wait_and_work(_: int) -> object:
        barrier.wait(30)
        return work()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(wait_and_work, range(THREADS)))


def numbers(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


class TestProcesses:
    def test_one_that_is_killed_keeps_every_batch_that_was_done(self, shelf: Shelf, project: Path) -> None:
        size = 400
        for run in range(6):
            first = 1 + run * 1000
            with worker(project, shelf.folder, first, 1000, size, 0) as working:
                working.start()
                said = [working.line() for _ in range(1 + run % 3)]
                working.process.kill()  # somewhere in the batch after
                assert working.process.wait(30) < 0
            assert said == numbers(first, first + len(said))
            assert shelf.asked(numbers(first * size, (first + len(said)) * size)) == []
        assert shelf.asked() == []
        assert shelf.heard == []
        with closing(sqlite3.connect(shelf.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def test_two_that_write_at_once_lose_nothing(self, tmp_path: Path, project: Path) -> None:
        shelf = Shelf(tmp_path / "new")
        with worker(project, shelf.folder, 0, 12, 50, 0) as one, worker(project, shelf.folder, 6, 12, 50, 0) as two:
            one.start()
            two.start()
            said, errors = two.process.communicate(timeout=120)
            assert (said.split(), errors) == (numbers(6, 18), "")
            said, errors = one.process.communicate(timeout=120)
            assert (said.split(), errors) == (numbers(0, 12), "")
        assert shelf.asked(numbers(0, 18 * 50)) == []
        assert shelf.heard == []

    def test_a_full_disk_is_told_once_and_what_is_kept_is_read(self, shelf: Shelf, project: Path) -> None:
        full = shelf.path.stat().st_size
        with worker(project, shelf.folder, 0, 5, 300, full) as working:
            working.start()
            said, errors = working.process.communicate(timeout=120)
        assert errors == ""
        first, *rest = said.splitlines()
        assert first.startswith(f"{shelf.path} cannot be written (")
        assert rest == numbers(0, 5)
        assert shelf.asked() == []
        assert shelf.asked(numbers(300, 310)) == numbers(300, 310)
        assert shelf.heard == []


def checksum(text: str, cell: bytes) -> int:
    return crc32(cell, crc32(hash_of(text), crc32(f"hashing:{SIZE} {SIZE}".encode())))


def vector_of(text: str, scale: float = 1.0) -> bytes:
    return (HashingEncoder(SIZE).encode([text]) * np.float32(scale)).tobytes()


def flipped(cell: bytes, bit: int) -> bytes:
    return (int.from_bytes(cell, "little") ^ 1 << bit).to_bytes(len(cell), "little")


#: What "7" has in the file: the vector, and the checksum where it is another than that of the vector "7" should have.
DAMAGED_ROWS: dict[str, tuple[object, int | None]] = {
    "flipped bit": (flipped(vector_of("7"), 1234), None),
    "flipped bit of the checksum": (vector_of("7"), checksum("7", vector_of("7")) ^ 4),
    "too short": (vector_of("7")[:-4], checksum("7", vector_of("7")[:-4])),
    "too long": (vector_of("7") + bytes(4), checksum("7", vector_of("7") + bytes(4))),
    "empty": (b"", checksum("7", b"")),
    "nothing": (None, None),
    "text": ("7" * SIZE * 4, checksum("7", b"7" * SIZE * 4)),
    "number": (7, None),
    "not a number": (vector_of("7", float("nan")), checksum("7", vector_of("7", float("nan")))),
    "twice as long": (vector_of("7", 2.0), checksum("7", vector_of("7", 2.0))),
    "longer than can be squared": (vector_of("7", 1e30), checksum("7", vector_of("7", 1e30))),
    "zeros": (bytes(SIZE * 4), checksum("7", bytes(SIZE * 4))),
}


@pytest.mark.parametrize(("cell", "check"), DAMAGED_ROWS.values(), ids=DAMAGED_ROWS.keys())
def test_a_damaged_row_is_encoded_again_and_replaced(shelf: Shelf, cell: object, check: int | None) -> None:
    check = checksum("7", vector_of("7")) if check is None else check
    shelf.change("UPDATE vectors SET vector = ?, checksum = ? WHERE hash = ?", cell, check, hash_of("7"))
    assert shelf.asked() == ["7"]
    assert shelf.asked() == []
    assert shelf.heard == []


def test_a_row_with_the_vector_of_another_text_is_encoded_again(shelf: Shelf) -> None:
    other = "SELECT checksum, vector FROM vectors WHERE hash = ?"
    shelf.change(f"UPDATE vectors SET (checksum, vector) = ({other}) WHERE hash = ?", hash_of("8"), hash_of("7"))
    assert shelf.asked() == ["7"]
    assert shelf.heard == []


def test_a_checksum_that_is_no_text_either_is_damage_of_its_row(shelf: Shelf) -> None:
    shelf.change("UPDATE vectors SET checksum = CAST(x'ff' AS TEXT) WHERE hash = ?", hash_of("7"))
    assert shelf.asked() == ["7"]
    assert shelf.heard == []


def test_a_number_as_wide_as_a_vector_is_none(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, Asked(dimension=1))
    shelf.asked(["till"])
    shelf.change("UPDATE vectors SET vector = 1234")
    assert shelf.asked(["till"]) == ["till"]
    assert shelf.heard == []


def test_a_damaged_day_does_not_matter(shelf: Shelf) -> None:
    shelf.change("UPDATE uses SET day = 'yesterday' WHERE id = 1")
    shelf.change("DELETE FROM uses WHERE id = 2")
    assert shelf.asked(cache=shelf.cache(days=1)) == []
    assert shelf.heard == []


def write_over(path: Path, data: bytes, start: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def misspell(path: Path) -> None:
    """Make the name of a table one that cannot be decoded, so that neither can the message of it."""
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE uses (id", b"CREATE TABLE us\xc5s (id"))


def other_database(path: Path, statement: str = "CREATE TABLE notes (text)") -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)


def statement(text: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(text)

    return change


DAMAGED_FILES: dict[str, Callable[[Path], object]] = {
    "a text": lambda path: path.write_text("These are notes.\n" * 100, encoding="utf-8"),
    "half of it": truncate,
    "only its first page": lambda path: os.truncate(path, 8192),
    "another start": lambda path: write_over(path, b"x" * 16),
    "zeros within": lambda path: write_over(path, bytes(3 * 8192), 8192),
    "noise within": lambda path: write_over(path, b"\xa5" * 8192, 8192),
    "a damaged name": misspell,
    "another database": other_database,
    "a later version": statement("PRAGMA user_version = 2"),
    "an older version": statement("PRAGMA user_version = 0"),
    "another program's": statement("PRAGMA application_id = 1"),
    "no table": statement("DROP TABLE vectors"),
    "another table": statement("ALTER TABLE vectors RENAME COLUMN checksum TO sum"),
}


@pytest.mark.parametrize("damage", DAMAGED_FILES.values(), ids=DAMAGED_FILES.keys())
def test_a_damaged_or_foreign_file_is_set_aside_and_begun_anew(shelf: Shelf, damage: Callable[[Path], object]) -> None:
    damage(shelf.path)
    damaged = shelf.path.read_bytes()
    assert shelf.asked() == TEXTS
    aside = shelf.path.with_suffix(".damaged")
    assert shelf.heard == [f"{shelf.path} was damaged or no embedding cache: it is now {aside.name}, and begun anew"]
    assert aside.read_bytes() == damaged
    assert shelf.asked() == []
    assert len(shelf.heard) == 1


@pytest.mark.parametrize("damage", [truncate, lambda path: write_over(path, bytes(16))], ids=["cut", "zeros"])
def test_damage_under_an_open_store_loses_no_work(shelf: Shelf, damage: Callable[[Path], object]) -> None:
    cache, other = shelf.cache(), shelf.cache()
    damage(shelf.path)
    assert shelf.asked(cache=cache) == TEXTS
    assert shelf.asked(cache=other) == []
    assert len(shelf.heard) == 1


def test_work_that_meets_the_damage_first_is_done_on_the_new_file(shelf: Shelf) -> None:
    store = EmbeddingStore(shelf.folder, shelf.encoder, DAY, shelf.heard.append)
    truncate(shelf.path)
    store.write([hash_of("7")], HashingEncoder(SIZE).encode(["7"]))
    assert shelf.asked(["7"]) == []
    assert len(shelf.heard) == 1


def test_a_file_that_another_process_has_begun_anew_is_not_set_aside(shelf: Shelf) -> None:
    statement("PRAGMA user_version = 2")(shelf.path)
    old = shelf.path.with_name("old")
    with closing(sqlite3.connect(shelf.path, isolation_level=None)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("BEGIN EXCLUSIVE")
        cache = pool.submit(shelf.cache)  # waits on the file that is wrong
        wait_until(lambda: open_files().count(str(shelf.path)) == 2)
        shelf.path.rename(old)
        faster = Shelf(shelf.folder)
        assert faster.asked() == TEXTS
        other.execute("ROLLBACK")
        assert shelf.asked(cache=cache.result(60)) == []
    assert shelf.heard == faster.heard == []


def test_a_damaged_file_that_cannot_be_set_aside_is_told_once(shelf: Shelf) -> None:
    shelf.path.with_suffix(".damaged").mkdir()
    shelf.path.write_bytes(b"x" * 8192)
    assert shelf.asked() == TEXTS
    assert [f"{shelf.path} cannot be read (file is not a database)" in text for text in shelf.heard] == [True]


def test_an_empty_file_and_a_removed_one_are_begun_without_a_word(shelf: Shelf) -> None:
    cache = shelf.cache()
    for start in (b"", b"S"):
        shelf.path.write_bytes(start)
        assert shelf.asked(cache=cache) == TEXTS
    shutil.rmtree(shelf.folder)
    assert shelf.asked(cache=cache) == TEXTS
    assert shelf.asked() == []
    assert shelf.heard == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**30), st.integers(0, 7)), min_size=1, max_size=8), st.integers(0, 1))
def test_flipped_bits_anywhere_never_change_a_vector_or_stop_a_build(bits: list[tuple[int, int]], days: int) -> None:
    with TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        shelf.asked(TEXTS[:12])
        data = bytearray(shelf.path.read_bytes())
        for place, bit in bits:
            data[place % len(data)] ^= 1 << bit
        shelf.path.write_bytes(data)
        cache = shelf.cache(days)
        shelf.asked(TEXTS[:12], cache)
        shelf.asked(TEXTS[:12], cache)


@pytest.mark.parametrize(
    ("lock", "can"), [("EXCLUSIVE", "read"), ("IMMEDIATE", "written")], ids=["for all", "for writing"]
)
def test_a_file_that_another_process_holds_for_long_is_told_once(shelf: Shelf, lock: str, can: str) -> None:
    with closing(sqlite3.connect(shelf.path, isolation_level=None)) as other:
        other.execute(f"BEGIN {lock}")
        cache = shelf.cache(patience=0.01)
        assert shelf.asked([*TEXTS, "new"], cache) == ([*TEXTS, "new"] if can == "read" else ["new"])
        assert shelf.asked(["newer"], cache) == ["newer"]
        assert shelf.asked(TEXTS, cache) == (TEXTS if can == "read" else [])
    assert shelf.heard == [
        f"{shelf.path} cannot be {can} (database is locked): new vectors are not kept this time; see that the disk "
        "has space, the file can be written and no other process holds it"
    ]
    assert shelf.asked() == []


def test_threads_that_all_wait_for_a_held_file_tell_it_once(shelf: Shelf) -> None:
    store = EmbeddingStore(shelf.folder, shelf.encoder, DAY, shelf.heard.append, patience=0.2)
    with closing(sqlite3.connect(shelf.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert at_once(lambda: store.read([hash_of("7")])) == [{}] * THREADS
    assert len(shelf.heard) == 1


def test_threads_that_begin_a_file_at_once_lose_nothing(tmp_path: Path) -> None:
    for number in range(15):
        shelf = Shelf(tmp_path / str(number))
        at_once(lambda shelf=shelf: shelf.cache().encode(TEXTS[:3]))
        assert shelf.heard == []
        assert shelf.asked(TEXTS[:3]) == []
        assert [path.name for path in shelf.folder.iterdir()] == [shelf.path.name]


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    shelf = Shelf(tmp_path / "file" / "embeddings")
    cache = shelf.cache()
    assert [shelf.asked(cache=cache), shelf.asked(cache=cache)] == [TEXTS, TEXTS]
    assert [f"{shelf.path} cannot be read" in text for text in shelf.heard] == [True]


def test_a_folder_in_the_place_of_the_file_is_told_once_and_left_alone(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.path.mkdir()
    cache = shelf.cache()
    assert [shelf.asked(cache=cache), shelf.asked(cache=cache)] == [TEXTS, TEXTS]
    assert len(shelf.heard) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [shelf.path.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_read_and_told_once(shelf: Shelf) -> None:
    shelf.path.chmod(0o400)
    shelf.folder.chmod(0o500)
    try:
        cache = shelf.cache(days=1)
        assert shelf.asked([*TEXTS, "new"], cache) == ["new"]
        assert shelf.asked([*TEXTS, "new"], cache) == ["new"]
        assert [f"{shelf.path} cannot be" in text for text in shelf.heard] == [True]
    finally:
        shelf.folder.chmod(0o700)


def test_the_file_is_private_and_holds_no_text(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "var" / "embeddings")
    before = os.umask(0)
    try:
        shelf.asked(["a secret of the customer"])
    finally:
        os.umask(before)
    assert S_IMODE(shelf.path.stat().st_mode) == 0o600
    assert S_IMODE(shelf.folder.stat().st_mode) == 0o700
    assert [entry.name for entry in shelf.folder.iterdir()] == [shelf.path.name]
    assert b"secret" not in shelf.path.read_bytes()
    shelf.path.chmod(0o644)
    shelf.asked(["more"])
    assert S_IMODE(shelf.path.stat().st_mode) == 0o600


IDENTITIES = ["a:b", "a-b", "a/b", "A:b", "../a", "", ".", "a\x00b", "é", "e\u0301", "\ud83d", "a" * 500, "a" * 501]


def test_every_identity_has_a_file_of_its_own(tmp_path: Path) -> None:
    names = {file_name(identity).lower() for identity in IDENTITIES}
    assert len(names) == len(IDENTITIES)
    for identity in IDENTITIES:
        shelf = Shelf(tmp_path, Asked(identity))
        assert shelf.asked(["till"]) == ["till"]
        assert shelf.heard == []
    assert {path.name.lower() for path in tmp_path.iterdir()} == names


def test_vectors_of_another_encoder_or_dimension_are_never_given(shelf: Shelf) -> None:
    other = Shelf(shelf.folder, Asked("other"))
    shutil.copyfile(shelf.path, other.path)
    assert other.asked() == TEXTS
    wider = Shelf(shelf.folder, Asked(dimension=SIZE + 1))
    assert wider.path == shelf.path
    assert wider.asked() == TEXTS


def test_opening_drops_what_was_not_used_for_longest(shelf: Shelf) -> None:
    assert shelf.asked(TEXTS[20:30], shelf.cache(days=2)) == []
    assert shelf.asked(TEXTS[:10], shelf.cache(days=1)) == []
    assert shelf.asked(["new"], shelf.cache(days=1, max_rows=15)) == ["new"]
    with closing(sqlite3.connect(shelf.path)) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("vectors", "uses")]
    assert counts == [(16,), (16,)]
    kept = [*TEXTS[20:30], *TEXTS[5:10], "new"]
    assert shelf.asked(kept, shelf.cache(days=2)) == []
    assert shelf.asked() == [text for text in TEXTS if text not in kept]


def test_a_use_is_noted_once_a_day(shelf: Shelf) -> None:
    assert shelf.asked(cache=shelf.cache(days=1)) == []
    before = shelf.path.read_bytes()
    for days in (1, 0):  # a clock that was set back takes no day away
        assert shelf.asked(cache=shelf.cache(days=days)) == []
        assert shelf.path.read_bytes() == before
    assert shelf.asked(cache=shelf.cache(days=2)) == []
    assert shelf.path.read_bytes() != before


class TestForget:
    def test_overwrites_vectors_and_hashes_of_every_encoder(self, shelf: Shelf) -> None:
        # As many as make SQLite split pages, which leaves copies of hashes behind.
        texts, gone = numbers(0, 5 * BATCH), numbers(0, 5 * BATCH)[::2]
        other = Shelf(shelf.folder, Asked("other:8", 8))
        other.asked(texts)
        assert all(vector_of(text) in shelf.path.read_bytes() for text in TEXTS)
        shelf.cache().forget(gone)
        data = other.path.read_bytes()
        assert not [text for text in gone if hash_of(text) in data]
        data = shelf.path.read_bytes()
        assert [text for text in TEXTS if vector_of(text) in data] == TEXTS[1::2]
        assert other.asked(texts) == gone
        assert shelf.asked() == TEXTS[::2]

    def test_removes_damaged_files_whole(self, shelf: Shelf) -> None:
        other = shelf.folder / "other.sqlite"
        other.write_bytes(b"damaged" * 1000)
        misspelt = Shelf(shelf.folder, Asked("misspelt"))
        misspelt.asked()
        misspell(misspelt.path)
        shelf.path.with_suffix(".damaged").write_bytes(b"set aside")
        shelf.cache().forget(TEXTS[:1])
        assert [path.name for path in shelf.folder.iterdir()] == [shelf.path.name]
        assert shelf.asked() == TEXTS[:1]

    def test_says_so_where_it_cannot(self, shelf: Shelf) -> None:
        cache = shelf.cache(patience=0.01)
        with closing(sqlite3.connect(shelf.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ArtifactError, match=r"forgotten \(database is locked\); delete the folder"):
                cache.forget(TEXTS[:1])
        assert shelf.asked() == []

    def test_nothing_kept_is_nothing_to_forget(self, tmp_path: Path) -> None:
        forget_hashes(tmp_path / "none", [hash_of("till")])
        assert not (tmp_path / "none").exists()
