"""A process that forks builders which are meant to be killed: run as ``python -m eval.benches.kill_build_process``.

What a build imports is imported once, so that a builder begins within milliseconds. Builders write lines to the same
standard output: ``building REVISION``, ``publishing REVISION``, ``published REVISION GENERATION``, ``finished`` and
``failed WHY``. A line that was written before a builder died is read by whoever killed it.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

from tqdm import tqdm

from eval.benches.index_process import ONE_THREAD
from eval.errors import BenchError
from triage.assembly import encoder_for_build, generations_of
from triage.build import build_generation
from triage.desk_files import read_desk
from triage.generations import Generation, Generations

#: The one article that is another one in every build.
REVISED = "articles/revision.md"
#: Little of a desk, so that a build takes half a second: articles, and past tickets.
ARTICLES, PAST = 4, 20
#: What a builder says of a build, in this order.
STEPS = ("building", "publishing", "published")
#: Seconds without a word after which a builder counts as stuck.
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Kill:
    """When a builder dies: in which of its builds, from the beginning of what, after what share of its length."""

    build: int
    since: str
    share: float


class ToldGenerations(Generations):
    """Generations that say when a publish begins and when it is done."""

    def __init__(self, root: Path, revision: int) -> None:
        super().__init__(root)
        self.revision = revision

    def publish(self, write: Callable[[Path], dict[str, Any]], only_after: str | None = None) -> Generation:
        """Publish, and say so before and after."""
        tell("publishing", self.revision)
        published = super().publish(write, only_after)
        tell("published", self.revision, published.name)
        return published


class Builders:
    """The process that forks builders, one at a time, and what they say. For use in a ``with``."""

    def __init__(self, desk: Path, var: Path) -> None:
        command = [sys.executable, "-m", "eval.benches.kill_build_process", str(desk), str(var)]
        # A fork of a process whose arithmetic has threads of its own may hang.
        self._process = subprocess.Popen(  # noqa: S603 - ours
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | ONE_THREAD
        )
        self._lines: Queue[list[str]] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self._builder = 0

    def __enter__(self) -> "Builders":
        return self

    def __exit__(self, *_: object) -> None:
        if self._builder:
            os.kill(self._builder, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()

    def start(self, revision: int, count: int) -> None:
        """Fork a builder that builds so many times, the first time this revision."""
        self._ask(f"{revision} {count}")
        self._builder = int(self.word("started")[1])

    def whole_builds(self, revision: int, count: int) -> Iterator[list[str]]:
        """Let a builder build to its end, and yield what it says as it says it."""
        self.start(revision, count)
        while (line := self.word(*STEPS, "finished"))[0] != "finished":
            yield line
        self.reaped()

    def word(self, *expected: str) -> list[str]:
        """Return the next line as words. Raises `BenchError` where it is not of these kinds, or none comes."""
        try:
            line = self._lines.get(timeout=PATIENCE_S)
        except Empty:
            raise BenchError(f"a builder said nothing for {PATIENCE_S:.0f} s; it is stuck") from None
        if line[0] not in expected:
            raise BenchError(f"a builder was to say {' or '.join(expected)} and said: {' '.join(line)}")
        return line

    def kill(self) -> list[list[str]]:
        """Kill the builder and return what it had said that nobody has read. Raises `BenchError` if it had ended."""
        os.kill(self._builder, signal.SIGKILL)  # it stays a zombie, with its number, until it is reaped
        return self.reaped(-signal.SIGKILL)

    def reaped(self, code: int = 0) -> list[list[str]]:
        """Wait for the end of the builder and return its last lines. Raises `BenchError` for another exit code."""
        self._ask("reap")
        self._builder = 0
        said: list[list[str]] = []
        while (line := self.word(*STEPS, "finished", "ended"))[0] != "ended":
            said.append(line)
        if int(line[1]) != code:
            raise BenchError(f"a builder ended with {line[1]} where {code} was expected; see its traceback above")
        return said

    def _ask(self, line: str) -> None:
        if self._process.stdin is None or self._process.poll() is not None:
            raise BenchError("the process that forks builders is gone; see its traceback above")
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line.decode().split())
        self._lines.put(["gone"])


def planned(kills: int, draw: random.Random) -> list[Kill]:
    """Return moments in a builder's first or second build: half over all of it, a quarter each over its publish and
    over the end of that, where it is switched to."""
    since = [("building", "publishing", "building", "switching")[number % 4] for number in range(kills)]
    draw.shuffle(since)
    return [Kill(draw.randrange(2), what, draw.random()) for what in since]


def article_of(revision: int) -> str:
    """Return the file of the article that says which revision it is."""
    front = "id: revision\ntitle: Which revision of the knowledge this is\naudience: public\nstatus: published\n"
    return f"---\n{front}---\nThe knowledge of this desk is at {code_of(revision)} now.\n"


def code_of(revision: int) -> str:
    """Return a word that no other text holds."""
    return f"KBREV-{revision:06d}"


def small_desk(desk: Path, folder: Path) -> Path:
    """Write a desk with a few of another's articles and past tickets, and the encoder that needs no weights."""
    folder.mkdir(parents=True)
    for path in sorted(desk.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        if path.name == "desk.toml":
            text = 'encoder = "hashing"\n' + re.sub(r"(?m)^encoder\s*=.*\n", "", text)
        (folder / path.name).write_text(text, encoding="utf-8")
    (folder / "articles").mkdir()
    for path in sorted((desk / "articles").glob("*.md"))[:ARTICLES]:
        shutil.copyfile(path, folder / "articles" / path.name)
    if (desk / "history.jsonl").is_file():
        lines = (desk / "history.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / "history.jsonl").write_text("".join(lines[:PAST]), encoding="utf-8")
    return folder


def tell(*words: object) -> None:
    """Write a line at once: one call, so that a kill leaves all of it or none."""
    os.write(1, f"{' '.join(map(str, words))}\n".encode())


def build_once(folder: Path, var: Path, revision: int) -> None:
    """Write the revision into the desk and build it, as ``firstline build`` does."""
    tell("building", revision)
    (folder / REVISED).write_text(article_of(revision), encoding="utf-8")
    desk = read_desk(folder)
    generations = ToldGenerations(generations_of(desk.rules.settings, var).root, revision)
    build_generation(desk, encoder_for_build(desk, var), generations, datetime.now(UTC))


def build_often(folder: Path, var: Path, revisions: Sequence[int]) -> None:
    """Be a builder: build each revision, and end."""
    code = 1
    try:
        tell("started", os.getpid())
        for revision in revisions:
            build_once(folder, var, revision)
        tell("finished")
        code = 0
    except BaseException as error:
        traceback.print_exc()
        tell("failed", repr(error).replace("\n", " "))
    finally:
        os._exit(code)  # what the forking process began is not this one's to end


def main(folder: Path, var: Path) -> None:
    """Build once, then fork a builder for every line ``REVISION COUNT``; on ``reap``, say how it ended."""
    # Its thread takes a lock every ten seconds, and a builder that is forked then would wait for it for good.
    tqdm.monitor_interval = 0
    build_once(folder, var, 1)
    builder = 0
    for line in sys.stdin:
        if line.strip() == "reap":
            _, status = os.waitpid(builder, 0)
            tell("ended", os.waitstatus_to_exitcode(status))
            continue
        first, count = map(int, line.split())
        builder = os.fork()
        if not builder:
            build_often(folder, var, range(first, first + count))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
