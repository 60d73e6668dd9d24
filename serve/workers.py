"""Several processes that serve one socket: starts them, starts those again that die, and stops them together."""

import json
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from serve.errors import StartError

#: Seconds that a worker must have lived for its death to be taken for an accident, and answered at once.
STEADY = 60.0
#: Seconds before a worker is started again: the first time, and the longest.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0

SIGNALS = (signal.SIGTERM, signal.SIGINT)
Work = Callable[[int, "WorkerEnd"], None]

log = logging.getLogger("firstline.workers")


class WorkerEnd:
    """A worker's end of the line to its parent."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    def ready(self) -> None:
        """Say that requests are accepted."""
        self._say(["ready", ""])

    def failed(self, why: str) -> None:
        """Say in a sentence why this worker cannot serve."""
        self._say(["failed", why])

    def wait_for_parent(self, hurry: Callable[[], None], gone: Callable[[], None]) -> None:
        """Listen until the parent is gone, for whatever reason; call `hurry` each time it says so."""
        try:
            while True:
                self._line.recv_bytes()
                hurry()
        except (OSError, EOFError):
            gone()

    def _say(self, message: Sequence[str]) -> None:
        try:
            self._line.send_bytes(json.dumps(message).encode())
        except OSError:
            log.warning("the parent is gone")


@dataclass
class _Worker:
    """A running worker. since: when it was started, in monotonic seconds; why: what it said before it gave up."""

    process: SpawnProcess
    line: Connection
    since: float
    is_ready: bool = False
    why: str = ""


@dataclass(frozen=True)
class Crew:
    """What workers are to be: how many, their work, and the seconds after which one that does not stop is killed.

    before: is called with a worker's place before it is started; after: once it is gone.
    """

    count: int
    work: Work
    patience: float
    before: Callable[[int], None] = lambda place: None
    after: Callable[[int], None] = lambda place: None


class Supervisor:
    """Keeps a crew at work until a signal. Each worker has a place, 0 to count - 1; who dies is replaced in it."""

    def __init__(self, crew: Crew, opened: Callable[[], None]) -> None:
        """opened: is called once, when all are ready."""
        self._crew, self._opened = crew, opened
        self._workers: dict[int, _Worker] = {}
        self._due: dict[int, float] = {}
        self._quick_deaths = dict.fromkeys(range(crew.count), 0)
        self._is_open, self._kill_at = False, float("inf")
        self._stopping, self._why = False, ""
        self._signals: list[int] = []

    def run(self) -> None:
        """Return when all have stopped after a signal; raise `StartError` where a first worker cannot start at all."""
        with self._catching_signals() as bell:
            for place in range(self._crew.count):
                self._start(place)
            while self._workers or (self._due and not self._stopping):
                self._wait(bell)
                self._answer_signals()
                for place in list(self._workers):
                    self._look_at(place)
                self._start_those_due()
                if time.monotonic() >= self._kill_at:
                    self._kill_at = float("inf")
                    self._each(SpawnProcess.kill)
        if self._why:
            raise StartError(self._why)

    def _start(self, place: int) -> None:
        self._crew.before(place)
        ours, theirs = connection.Pipe()
        process = get_context("spawn").Process(target=_work, args=(self._crew.work, place, theirs))
        # A terminal's Ctrl+C reaches all processes: it is this one's to answer, from their first moment on.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process.start()
        finally:
            signal.signal(signal.SIGINT, previous)
        theirs.close()
        self._workers[place] = _Worker(process, ours, time.monotonic())
        log.info("a worker is started", extra={"worker": place})

    def _wait(self, bell: socket.socket) -> None:
        """Wait until something happens, or is due."""
        lines = [worker.line for worker in self._workers.values() if not worker.line.closed]
        ends = [worker.process.sentinel for worker in self._workers.values()]
        moment = min([self._kill_at, *self._due.values()])
        pause = max(0.0, moment - time.monotonic())
        connection.wait([bell, *lines, *ends], None if moment == float("inf") else pause)
        try:
            bell.recv(4096)
        except BlockingIOError:
            return

    def _answer_signals(self) -> None:
        while self._signals:
            if self._signals.pop(0) == signal.SIGINT and self._stopping:
                self._hurry()
            else:
                self._stop()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping, self._kill_at = True, time.monotonic() + self._crew.patience
            self._due.clear()
            self._each(SpawnProcess.terminate)

    def _hurry(self) -> None:
        for worker in self._workers.values():
            try:
                worker.line.send_bytes(b"hurry")
            except OSError:
                continue

    def _each(self, do: Callable[[SpawnProcess], None]) -> None:
        for worker in self._workers.values():
            do(worker.process)

    def _look_at(self, place: int) -> None:
        """Hear what a worker says; where it is gone, stop everything or plan another."""
        worker = self._workers[place]
        _hear(worker)
        if worker.process.is_alive():
            self._open_when_all_are_ready()
            return
        worker.process.join()
        _hear(worker)
        worker.line.close()
        del self._workers[place]
        self._crew.after(place)
        if not self._stopping:
            self._replace(place, worker)

    def _open_when_all_are_ready(self) -> None:
        if self._is_open or self._stopping or self._due:
            return
        if all(worker.is_ready for worker in self._workers.values()):
            self._is_open = True
            self._opened()

    def _replace(self, place: int, worker: _Worker) -> None:
        code = worker.process.exitcode or 0
        why = worker.why or f"a worker ended before it was ready (exit code {code}); see the log, and start again"
        if not self._is_open and not worker.is_ready:
            self._why = self._why or why
            self._stop()
            return
        log.error("a worker died", extra={"worker": place, "exit_code": code})
        if not worker.is_ready:
            log.error("a worker could not start again: %s", why, extra={"worker": place})
        is_steady = worker.is_ready and time.monotonic() - worker.since >= STEADY
        self._quick_deaths[place] = 0 if is_steady else self._quick_deaths[place] + 1
        self._due[place] = time.monotonic() + pause_before(self._quick_deaths[place])

    def _start_those_due(self) -> None:
        for place in [place for place, moment in self._due.items() if moment <= time.monotonic()]:
            del self._due[place]
            self._start(place)

    @contextmanager
    def _catching_signals(self) -> Iterator[socket.socket]:
        """Note signals, and wake the wait by a byte in the socket that is given."""
        bell, ringer = socket.socketpair()
        bell.setblocking(False)
        ringer.setblocking(False)
        previous = {number: signal.signal(number, lambda got, _: self._signals.append(got)) for number in SIGNALS}
        wakes = signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)
        try:
            yield bell
        finally:
            signal.set_wakeup_fd(wakes)
            for number, handler in previous.items():
                signal.signal(number, handler)
            bell.close()
            ringer.close()


def pause_before(quick_deaths: int) -> float:
    """Return the seconds to wait before a worker is started again, by how often it died soon after its start."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (quick_deaths - 1)) if quick_deaths else 0.0


def _hear(worker: _Worker) -> None:
    try:
        while not worker.line.closed and worker.line.poll():
            kind, text = json.loads(worker.line.recv_bytes())
            worker.is_ready = worker.is_ready or kind == "ready"
            worker.why = text if kind == "failed" else worker.why
    except (OSError, EOFError):
        worker.line.close()


def _work(work: Work, place: int, line: Connection) -> None:
    work(place, WorkerEnd(line))
