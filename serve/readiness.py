"""Whether requests should be sent here: not yet, yes, or not any more."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.logs import fault

State = Literal["starting", "ready", "draining"]
#: Seconds that an answer of the database is believed.
BELIEVED = 1.0
#: Seconds that one is waited for, and after which a database that had answered before is taken for gone.
PATIENCE = 0.5
DOUBT = 5.0

log = logging.getLogger("firstline.readiness")


class Readiness:
    """Goes one way: starting, ready, draining. Safe from threads and from signal handlers: it takes no lock."""

    def __init__(self, is_open: bool = False) -> None:
        self._open, self._draining = is_open, False

    @property
    def state(self) -> State:
        """Where it stands."""
        return "draining" if self._draining else "ready" if self._open else "starting"

    def open(self) -> None:
        """Say that requests are welcome; of no effect once it is draining."""
        self._open = True

    def drain(self) -> None:
        """Say that no more requests should come; those that do are still answered."""
        self._draining = True


@dataclass(frozen=True)
class Spans:
    """Seconds: `believed` an answer is repeated, `patience` one is waited for; `doubt`: see `Probe`."""

    believed: float = BELIEVED
    patience: float = PATIENCE
    doubt: float = DOUBT


class Probe:
    """Asks whether the database answers: in a thread of its own, one at a time, and believes it for a second.

    Load cannot keep it waiting for a thread, and a database that hangs holds one thread, however often it is asked.
    Under load an answer may be late: whoever asks is told at once what was true last, until `doubt` seconds have gone.
    """

    def __init__(
        self, ping: Callable[[], None], clock: Callable[[], float] = time.monotonic, spans: Spans | None = None
    ) -> None:
        self._ping, self._clock, self._spans = ping, clock, spans or Spans()
        self._limiter = CapacityLimiter(1)
        self._asked: asyncio.Task[bool] | None = None
        self._answer, self._until, self._since = False, clock(), clock()

    async def answers(self) -> bool:
        """Tell whether the database answered within the last second, or does now, or did and is not long overdue."""
        if self._clock() < self._until:
            return self._answer
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(to_thread.run_sync(self._answers_ping, limiter=self._limiter))
            self._since = self._clock()
        asked = self._asked
        await asyncio.wait({asked}, timeout=self._spans.patience)
        if asked.done():
            self._answer = not asked.cancelled() and asked.result()
            self._until = self._clock() + self._spans.believed
        elif self._clock() - self._since >= self._spans.doubt:
            self._answer = False
        return self._answer

    def _answers_ping(self) -> bool:
        try:
            self._ping()
        except Exception as error:
            log.error("the database does not answer", extra=fault(error))
            return False
        return True


class CloseWhenDraining:
    """ASGI middleware: ends connections with their next answer once this process drains.

    Clients that keep connections open come back through a new one, to a process that stays.
    """

    def __init__(self, app: ASGIApp, readiness: Readiness) -> None:
        self._app, self._readiness = app, readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._readiness.state == "draining":
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, last if scope["type"] == "http" else send)
