"""uvicorn's HTTP/1.1 with deadlines and bounds for reading: no middleware sees a request before its headers."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import Literal

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

#: Bytes of a request's line and headers, and of what is neither headers nor body: trailers, sizes of chunks. The parser
#: itself knows no limit.
MAX_HEADERS = 65_536
TOO_LARGE = (431, "headers_too_large", f"The headers are larger than {MAX_HEADERS:,} bytes; send fewer.")
UNREADABLE = (400, "invalid_http", "This is no HTTP/1.1 request that can be read; correct it.")
#: What `serve.safe_answers` would say, who never sees these requests.
SAFE = "cache-control: no-store\r\nx-content-type-options: nosniff\r\n"


@dataclass(frozen=True)
class Deadlines:
    """Seconds within which a client must have sent its headers, from the first byte on, and then its body."""

    headers: float = 10.0
    body: float = 30.0


def protocol_with(deadlines: Deadlines) -> type[HttpToolsProtocol]:
    """Return the protocol to be given to uvicorn: 408 for who is too slow, 431 for who sends too many headers.

    Time that a client spends waiting for this service does not count. Where an answer has begun, the connection is only
    closed. Trailers are dropped, and nothing is upgraded.
    """
    return type("BoundedProtocol", (_BoundedProtocol,), {"deadlines": deadlines})


class _BoundedProtocol(HttpToolsProtocol):
    deadlines = Deadlines()
    _phase: Literal["idle", "headers", "body"]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._cycles: deque[RequestResponseCycle] = deque()
        self._begin_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_timer(None)
        for cycle in self._cycles:  # uvicorn tells the newest alone
            cycle.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._phase == "idle":
            self._begin_headers()
        self._besides += len(data)
        super().data_received(data)
        if self._phase != "idle" and self._besides > MAX_HEADERS:
            self._refuse(*TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._phase == "idle":  # sent together with the end of the one before
            self._begin_headers()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase == "headers":  # a trailer comes when headers have been judged: nobody may believe it
            self._count(len(name) + len(value) + len(": \r\n"))
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()  # which may find that they are none
        self._forget_answered()
        self._cycles.append(self.cycle)
        self._phase, self._besides = "body", 0
        self._set_timer(self.deadlines.body)

    def on_body(self, body: bytes) -> None:
        self._besides = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._phase = "idle"
        self._set_timer(None)
        super().on_message_complete()
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The answer was faster than the body: nobody else would ever end this connection.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def send_400_response(self, msg: str) -> None:
        self._refuse(*(TOO_LARGE if self._head > MAX_HEADERS else UNREADABLE))

    def _should_upgrade(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: anybody could fill the log."""

    def _begin_headers(self) -> None:
        self._phase = "headers"
        self._head, self._besides = 0, 0
        self._set_timer(self.deadlines.headers)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEADERS:
            raise ValueError("headers too large")  # ends the parser, which ends in send_400_response

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        seconds = self.deadlines.headers if self._phase == "headers" else self.deadlines.body
        if self._waits_for_us():
            self._set_timer(seconds)
        else:
            self._refuse(408, "too_slow", f"The {self._phase} did not come within {seconds:g} seconds; send it faster.")

    def _waits_for_us(self) -> bool:
        """Tell whether it is not the client's turn: an earlier answer, or the reading of this body, is due."""
        ours = self._phase == "body" and (self.flow.read_paused or self.cycle.waiting_for_100_continue)
        return ours or self._answers_another()

    def _answers_another(self) -> bool:
        """Tell whether an earlier request on this connection is still to be answered."""
        self._forget_answered()
        return len(self._cycles) > (1 if self._phase == "body" else 0)

    def _forget_answered(self) -> None:
        while self._cycles and self._cycles[0].response_complete:  # they are answered in their order
            self._cycles.popleft()

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answer, where no answer has begun, and close; a route that waits for the body hears that nobody is there."""
        self._set_timer(None)
        if self.transport.is_closing():
            return
        has_begun = self._phase == "body" and self.cycle.response_started
        if not self._answers_another() and not has_begun:
            self._write_problem(status, code, detail)
        self.transport.close()

    def _write_problem(self, status: int, code: str, detail: str) -> None:
        told = {"type": "about:blank", "status": status, "code": code, "title": code.replace("_", " ")}
        body = json.dumps(told | {"detail": detail}).encode()
        usual = b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        own = (
            f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\n{SAFE}connection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status] + usual + own.encode() + body)
