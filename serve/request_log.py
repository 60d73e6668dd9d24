"""One log line and one measurement to a request; its id goes in, through the logs, and out again."""

import logging
import re
import time
from collections.abc import Callable, Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve import metrics
from serve.logs import request_id

ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
#: Asked all day long by machines: told at debug where all is well.
QUIET = frozenset(("/health/live", "/health/ready", "/metrics"))
#: Stands for the path where no route has it.
UNMATCHED = "unmatched"
#: The status of a request whose client left before there was an answer.
CLIENT_LEFT = 499

log = logging.getLogger("firstline.requests")


class RequestLog:
    """ASGI middleware, around all others: sees every answer as it leaves.

    ``X-Request-ID`` is taken where it is 1 to 64 of ``A-Z a-z 0-9 . _ -`` and else made by `new_id`; it is answered in
    the same header and stands in every line that is logged meanwhile and in ``scope["state"]["request_id"]``. What
    called stands in ``scope["state"]["caller"]`` where a route let it through.
    """

    def __init__(self, app: ASGIApp, new_id: Callable[[], str], clock: Callable[[], float] = time.perf_counter) -> None:
        self._app, self._new_id, self._clock = app, new_id, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; measure and log it when its answer has left, or failed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own, status, start = given_id(scope["headers"]) or self._new_id(), 0, self._clock()
        scope.setdefault("state", {})["request_id"] = own

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = own
            await send(message)

        token = request_id.set(own)
        metrics.request_began()
        try:
            await self._app(scope, receive, with_id)
        except Exception:
            status = 500
            raise
        finally:
            tell(scope, status or CLIENT_LEFT, self._clock() - start)
            request_id.reset(token)


def given_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the id that a request brings, None where it brings none, two, or one that is not well formed."""
    given = [value for name, value in headers if name == b"x-request-id"]
    return given[0].decode("ascii") if len(given) == 1 and ID.fullmatch(given[0]) else None


def route_of(scope: Scope) -> str:
    """Return the template of the route that a request came to, such as ``/v1/suggestions/{suggestion_id}``."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNMATCHED


def tell(scope: Scope, status: int, seconds: float) -> None:
    """Measure one request, and log it if it is to be told; neither its path nor its query is written."""
    route, method = route_of(scope), scope["method"] if scope["method"] in METHODS else "other"
    metrics.observe_request(method, route, status, seconds)
    level = logging.WARNING if status >= 500 else logging.DEBUG if route in QUIET and status < 400 else logging.INFO
    if log.isEnabledFor(level) and not scope["state"].get("untold"):
        caller = scope["state"].get("caller")
        fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 2)}
        fields |= {"desk": getattr(caller, "desk", None), "key_id": getattr(caller, "key_id", None)}
        log.log(level, "request", extra=fields)
