"""One process that serves: it says when it is ready, and when it is told to stop it says so before it does."""

import logging
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import uvicorn

from serve.errors import StartError
from serve.readiness import Readiness

#: Seconds that requests may take to finish once the socket is closed.
GRACE = 30
#: uvicorn looks around ten times a second; gauges are set every so many times.
TICKS_TO_A_WATCH = 10
BACKLOG = 2048

log = logging.getLogger("firstline.server")


@dataclass(frozen=True)
class Hooks:
    """What a server calls: `opened` once when it accepts requests, `watch` about every second, both on its loop."""

    opened: Callable[[], None]
    watch: Callable[[], None]


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains: not ready, then (after `drain_seconds`) closed, then done with what it had begun.

    SIGTERM drains, however often it comes. SIGINT drains too; a second one ends the wait, a third one everything. In a
    worker SIGINT is ignored: a terminal sends it to all processes, and the parent says what is to be done.
    """

    def __init__(
        self, config: uvicorn.Config, readiness: Readiness, hooks: Hooks, drain_seconds: float, is_worker: bool = False
    ) -> None:
        super().__init__(config)
        self._readiness, self._hooks, self._drain_seconds = readiness, hooks, drain_seconds
        self._is_worker = is_worker
        self._stop_at: float | None = None

    def drain(self) -> None:
        """Begin to drain; of no effect when it has begun. Safe from threads and signal handlers."""
        self._readiness.drain()
        if self._stop_at is None:
            self._stop_at = time.monotonic() + self._drain_seconds

    def hurry(self) -> None:
        """End the wait for clients to notice, if one goes on, else the wait for requests to finish."""
        self.drain()
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Answer a signal. It is not raised again at the end, as uvicorn would: what is left to close is closed."""
        if sig != signal.SIGINT:
            self.drain()
        elif not self._is_worker:
            if self._stop_at is None:
                self.drain()
            else:
                self.hurry()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept requests, and say so."""
        await super().startup(sockets)
        if not self.should_exit:
            self._readiness.open()
            self._hooks.opened()

    async def on_tick(self, counter: int) -> bool:
        """Look around; tell whether it is time to close the socket."""
        if counter % TICKS_TO_A_WATCH == 0:
            self._hooks.watch()
        if self._stop_at is not None and time.monotonic() >= self._stop_at:
            self.should_exit = True
        return await super().on_tick(counter)


def bind(host: str, port: int) -> socket.socket:
    """Take a port, before anything slow is loaded; raise `StartError` where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartError(f"{host}:{port} cannot be used ({error.strerror}); choose another with --port") from error
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """Return where a socket can be reached, such as ``http://127.0.0.1:8080``."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
