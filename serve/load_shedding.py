"""Refuses requests before queues grow: whoever is turned away at once can come back, or go elsewhere."""

import math
import random
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from serve.error_responses import problem

#: Answered whatever the load: a service that is busy still lives, and is looked at most then.
EXEMPT = ("/health/live", "/health/ready", "/metrics")
#: Seconds that requests may take before fewer are let in at a time.
SLOW = 2.0
#: What a slow request takes from the limit, as a part of it, and a quick one gives back.
LESS, MORE = 0.02, 0.1
#: The weight of one request in the running mean of what requests take.
WEIGHT = 0.1
#: Seconds: the longest that anybody is asked to wait.
LONGEST_WAIT = 30


class LoadShedding:
    """ASGI middleware: 503 with Retry-After, before the body is read, past a number of requests in flight.

    That is `most`; where they take longer than `SLOW` it goes down, to `few` at least: what is let in then only waits
    (additive increase, multiplicative decrease, as in TCP; Chiu and Jain, 1989). Who is refused is told to wait as long
    as requests take, and by chance up to four times as long, so that not all come back at once.
    """

    def __init__(
        self,
        app: ASGIApp,
        most: int,
        few: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """most, few: requests, as many where few are not named; clock: in seconds; draw: of [0, 1)."""
        self._app, self._most, self._few = app, most, most if few is None else min(most, few)
        self._clock, self._draw = clock, draw
        self._told_at = -math.inf
        self._limit, self._in_flight, self._seconds = float(most), 0, 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count requests in and out; all of it happens on one event loop."""
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self._app(scope, receive, send)
            return
        if self._in_flight >= int(self._limit):
            self._tell_now_and_then(scope)
            detail = "Too many requests are being worked on here; try again after the seconds that Retry-After names."
            await problem(503, "overloaded", detail, {"Retry-After": str(self._wait())})(scope, receive, send)
            return
        self._in_flight += 1
        began = self._clock()
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
            self._learn(self._clock() - began)

    def _learn(self, seconds: float) -> None:
        self._seconds += WEIGHT * (seconds - self._seconds)
        changed = self._limit * (1 - LESS) if seconds > SLOW else self._limit + MORE
        self._limit = min(self._most, max(self._few, changed))

    def _tell_now_and_then(self, scope: Scope) -> None:
        """Have one refusal a second logged: a thousand lines a second would take what is left of the process."""
        now = self._clock()
        if now - self._told_at < 1:
            scope.setdefault("state", {})["untold"] = True
        else:
            self._told_at = now

    def _wait(self) -> int:
        return min(LONGEST_WAIT, math.ceil(max(1.0, self._seconds) * (1 + 3 * self._draw())))
