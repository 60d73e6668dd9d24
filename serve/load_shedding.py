"""Refuses requests before queues grow: whoever is turned away at once can come back, or go elsewhere."""

from starlette.types import ASGIApp, Receive, Scope, Send

from serve.error_responses import problem

#: Answered whatever the load: a service that is busy still lives, and is looked at most then.
EXEMPT = ("/health/live", "/health/ready", "/metrics")


class LoadShedding:
    """ASGI middleware: past `most` requests in flight, 503 with Retry-After, before the body is read."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most, self._in_flight = app, most, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count requests in and out; all of it happens on one event loop."""
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._most:
            detail = "Too many requests are being worked on here; try again in a second."
            await problem(503, "overloaded", detail, {"Retry-After": "1"})(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
