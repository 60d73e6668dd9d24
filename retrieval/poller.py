"""A thread that does one thing again and again, and outlives its failures."""

import logging
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType

log = logging.getLogger("firstline.retrieval")

#: How often a change is asked for, in seconds.
EVERY = 0.25


class Poller:
    """Calls `poll` every so many seconds until it is stopped. Use it as a context, or `start` and `stop` it.

    stopping: waited on between calls, for `every` seconds each; tests give one of their own.
    """

    def __init__(self, poll: Callable[[], object], every: float = EVERY, stopping: Event | None = None) -> None:
        self._poll = poll
        self._every = every
        self._stopping = stopping or Event()
        self._thread = Thread(target=self._run, name="firstline-poller", daemon=True)
        #: The class of the last call's exception, "" where it did not fail.
        self.failure = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wait until the call that runs has ended."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> "Poller":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            self._call()

    def _call(self) -> None:
        """Call once. A failure is logged when it begins and ends, by its class: its text may hold an article's."""
        try:
            self._poll()
            failure = ""
        except Exception as error:
            failure = type(error).__name__
        if failure and failure != self.failure:
            log.error("following the knowledge fails with %s; what was found last is served until it works", failure)
        elif self.failure and not failure:
            log.warning("following the knowledge works again")
        self.failure = failure
