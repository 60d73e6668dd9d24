"""uvicorn's HTTP/1.1, with deadlines for reading: middleware sees a request only once its headers are there."""

import asyncio
import json
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

#: Bytes of a request's line and headers.
MAX_HEADERS = 65_536


@dataclass(frozen=True)
class Deadlines:
    """Seconds within which a client must have sent its headers, from the first byte on, and then its body."""

    headers: float = 10.0
    body: float = 30.0


def protocol_with(deadlines: Deadlines) -> type[HttpToolsProtocol]:
    """Return the protocol to be given to uvicorn."""
    return type("Deadlined", (_DeadlinedProtocol,), {"deadlines": deadlines})


class _DeadlinedProtocol(HttpToolsProtocol):
    deadlines = Deadlines()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers, self._in_body = False, False
        self._begin_headers()

    def data_received(self, data: bytes) -> None:
        if not self._in_headers and not self._in_body:
            self._begin_headers()
        counted = self._in_headers
        super().data_received(data)
        if counted and self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADERS:
                self._refuse(431, "headers_too_large", f"The headers are larger than {MAX_HEADERS:,} bytes.")

    def on_headers_complete(self) -> None:
        self._in_headers, self._in_body = False, True
        self._set_timer(self.deadlines.body)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._set_timer(None)
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_timer(None)
        super().connection_lost(exc)

    def _begin_headers(self) -> None:
        self._in_headers, self._header_bytes = True, 0
        self._set_timer(self.deadlines.headers)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        if self._in_headers and self.cycle is not None and not self.cycle.response_complete:
            # An earlier request on this connection is still being answered: it is not to blame.
            self._set_timer(self.deadlines.headers)
            return
        part = "headers" if self._in_headers else "body"
        seconds = self.deadlines.headers if self._in_headers else self.deadlines.body
        self._refuse(408, "too_slow", f"The {part} did not come within {seconds:g} seconds.")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answer, where no answer has begun, and close; a route that waits for the body hears that nobody is there."""
        self._set_timer(None)
        if self._in_headers or not self.cycle.response_started:
            told = {"type": "about:blank", "status": status, "code": code, "title": code.replace("_", " ")}
            body = json.dumps(told | {"detail": detail}).encode()
            head = f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head.encode() + body)
        if self._in_body:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
