"""Counts the bytes of a body as they arrive, and refuses compressed bodies."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.error_responses import problem

MAX_BODY = 1_000_000
#: An article that is put may be longer: ten megabytes of text, and what JSON adds to it.
ARTICLES, MAX_ARTICLE = "/v1/articles/", 12_000_000
UNENCODED = "Send the body without Content-Encoding."
#: Digits of a length that is worth reading.
MAX_DIGITS = 18


class BodyLimit:
    """ASGI middleware: 413 past a limit of bytes whatever Content-Length says, 415 for any Content-Encoding.

    limit: of all bodies but an article's. Whoever reads on past it gets an `HTTPException`, which becomes the answer
    here where nobody further in has made it one.
    """

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what the headers give away; pass the rest on with a receive that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope)
        if not all(value.strip().lower() in (b"", b"identity") for value in _values(scope, b"content-encoding")):
            await problem(415, "unsupported_encoding", UNENCODED)(scope, receive, send)
        elif any(_over(value, limit) for value in _values(scope, b"content-length")):
            await problem(413, "body_too_large", too_large(limit))(scope, receive, send)
        else:
            await self._pass_on(scope, _Counted(receive, limit), send)

    def _limit_of(self, scope: Scope) -> int:
        is_article = scope["method"] == "PUT" and scope["path"].startswith(ARTICLES)
        return MAX_ARTICLE if is_article else self._limit

    async def _pass_on(self, scope: Scope, receive: "_Counted", send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except HTTPException:
            if begun or not receive.is_over:
                raise
            await problem(413, "body_too_large", too_large(receive.limit))(scope, receive, send)


@dataclass
class _Counted:
    """A receive that counts; it raises once more has come than may."""

    receive: Receive
    limit: int
    received: int = 0

    @property
    def is_over(self) -> bool:
        return self.received > self.limit

    async def __call__(self) -> Message:
        message = await self.receive()
        self.received += len(message.get("body", b""))
        if self.is_over:
            raise HTTPException(413, too_large(self.limit))
        return message


def too_large(limit: int) -> str:
    """Say how much may be sent."""
    return f"The body is larger than {limit:,} bytes; shorten it."


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for own, value in scope["headers"] if own == name]


def _over(length: bytes, limit: int) -> bool:
    digits = length.strip()
    return digits.isdigit() and (len(digits) > MAX_DIGITS or int(digits) > limit)
