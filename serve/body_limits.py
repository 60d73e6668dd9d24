"""Counts the bytes of a body as they arrive, and refuses compressed bodies."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1_000_000


class BodyLimit:
    """ASGI middleware: 413 past `limit` bytes whatever Content-Length says, 415 for any Content-Encoding."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a receive that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0
        encoded = any(name == b"content-encoding" and value != b"identity" for name, value in scope["headers"])

        async def counted() -> Message:
            nonlocal received
            if encoded:
                raise HTTPException(415, "Send the body without Content-Encoding.")
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413, f"The body is larger than {self._limit:,} bytes; shorten the ticket.")
            return message

        await self._app(scope, counted, send)
