"""Tells a caller where its budget stands: the fields of draft-ietf-httpapi-ratelimit-headers."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.security.rate_limits import MINUTE, Rate


class RateHeaders:
    """ASGI middleware: adds `RateLimit-Policy` and `RateLimit` to an answer whose request was counted.

    What was counted is `request.state.rate`; an answer to nobody in particular has none, and gets no such fields.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to the answer what a route left in the state."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Made here, so that routes that work on a copy of the scope write to the same one.
        state = scope.setdefault("state", {})

        async def with_headers(message: Message) -> None:
            rate = state.get("rate")
            if message["type"] == "http.response.start" and isinstance(rate, Rate):
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = f'"key";q={rate.per_minute};w={MINUTE}'
                headers["RateLimit"] = f'"key";r={rate.left};t={rate.seconds}'
            await send(message)

        await self._app(scope, receive, with_headers)
