"""Refuses requests whose Host header is odd, or is none that this service goes by (RFC 9110, 7.2)."""

import re
from collections.abc import Sequence
from ipaddress import IPv6Address

from starlette.types import ASGIApp, Receive, Scope, Send

from serve.error_responses import problem

LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST = re.compile(
    rf"(?:(?P<name>{LABEL}(?:\.{LABEL})*)\.?|\[(?P<v6>[0-9A-Fa-f:.]{{2,45}})\])(?::(?P<port>[0-9]{{1,5}}))?"
)
#: Characters of a name, and of a header: with a last dot, a colon and a port.
MAX_NAME, MAX_HEADER = 253, 260
MAX_PORT = 65_535
DETAIL = "The Host header is missing, malformed, or none of those that this service goes by."


class HostCheck:
    """ASGI middleware: 400 for a request without exactly one well-formed Host header.

    allowed: names (a port is ignored), `*.example.com` for all below one; none for any name that is well-formed.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str] = ()) -> None:
        self._app = app
        self._any = not allowed
        self._names = frozenset(host_name(name) for name in allowed if not name.startswith("*."))
        self._endings = tuple(name[1:].lower() for name in allowed if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what names this service."""
        if scope["type"] == "http" and not self.accepts([value for name, value in scope["headers"] if name == b"host"]):
            await problem(400, "invalid_host", DETAIL)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def accepts(self, given: Sequence[bytes]) -> bool:
        """Tell whether the Host headers of a request, as they came, will do."""
        name = host_name(given[0].decode("latin-1")) if len(given) == 1 else None
        if name is None:
            return False
        return self._any or name in self._names or name.endswith(self._endings)


def host_name(header: str) -> str | None:
    """Return the name in a Host header, in small letters and without port and last dot; None where it is none.

    An IPv6 address comes back in brackets, in its shortest form.
    """
    match = HOST.fullmatch(header) if len(header) <= MAX_HEADER else None
    if match is None or int(match["port"] or 0) > MAX_PORT:
        return None
    if match["v6"] is None:
        return str(match["name"]).lower() if len(match["name"]) <= MAX_NAME else None
    try:
        return f"[{IPv6Address(match['v6'])}]"
    except ValueError:
        return None
