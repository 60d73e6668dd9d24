"""What every answer has in common: headers that keep a browser from doing harm, and no exception's own text."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.error_responses import unexpected

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With "no-referrer" a form of our own would say that it comes from nowhere (`Origin: null`).
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SafeAnswers:
    """ASGI middleware, the outermost: adds `HEADERS`, and answers an error that nobody foresaw.

    What reaches the server's own handler is logged with its text, and that may be a ticket's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an answer that was begun and fails is cut off, since no other can be sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:
            answer = unexpected(error)
            if not begun:
                await answer(scope, receive, with_headers)
