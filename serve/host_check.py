"""Refuses requests whose Host header is odd, or is none that this service goes by (RFC 9110, 7.2)."""

import re
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from serve.error_responses import problem

HOST = re.compile(rb"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
DETAIL = "The Host header is missing, malformed, or none of those that this service goes by."


class HostCheck:
    """ASGI middleware: 400 for a request without exactly one well-formed Host header.

    allowed: names without a port, `*.example.com` for all below one; none for any name that is well-formed.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str] = ()) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in allowed if not name.startswith("*."))
        self._endings = tuple(name[1:].lower() for name in allowed if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what names this service."""
        if scope["type"] == "http" and not self.accepts([value for name, value in scope["headers"] if name == b"host"]):
            await problem(400, "invalid_host", DETAIL)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def accepts(self, given: Sequence[bytes]) -> bool:
        """Tell whether the Host headers of a request, as they came, will do."""
        match = HOST.fullmatch(given[0]) if len(given) == 1 else None
        if match is None:
            return False
        name = match.group("name").decode().lower()
        return not (self._names or self._endings) or name in self._names or name.endswith(self._endings)
