"""Counts the bytes of a body as they arrive, and refuses compressed bodies."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.error_responses import problem

MAX_BODY = 1_000_000
#: An article may be longer: ten megabytes of text, and what JSON adds to it.
ARTICLES, MAX_ARTICLE = "/v1/articles/", 12_000_000
UNENCODED = "Send the body without Content-Encoding."


class BodyLimit:
    """ASGI middleware: 413 past a limit of bytes whatever Content-Length says, 415 for any Content-Encoding.

    limit: of all bodies but an article's.
    """

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what the headers give away; pass the rest on with a receive that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_ARTICLE if scope["path"].startswith(ARTICLES) else self._limit
        headers = {name: value.strip().lower() for name, value in scope["headers"]}
        length = headers.get(b"content-length", b"0")
        if headers.get(b"content-encoding", b"") not in (b"", b"identity"):
            await problem(415, "unsupported_encoding", UNENCODED)(scope, receive, send)
        elif length.isdigit() and int(length) > limit:
            await problem(413, "body_too_large", too_large(limit))(scope, receive, send)
        else:
            await self._app(scope, _counted(receive, limit), send)


def _counted(receive: Receive, limit: int) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, too_large(limit))
        return message

    return counted


def too_large(limit: int) -> str:
    """Say how much may be sent."""
    return f"The body is larger than {limit:,} bytes; shorten it."
