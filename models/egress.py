"""The only way out of the process: one request to one checked address, within a deadline, and no redirect.

httpx reads the address and builds the request. The connection is made by httpcore, which httpx rests on, over a backend
of our own: whatever is connected to has passed `check_address` a moment before, and every read and write asks the same
deadline. httpx's own client is left out on purpose: it follows proxies of the environment, may follow redirects, reads
passwords from files, limits each read instead of the whole, and logs the address and the other side's words.
"""

import functools
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import httpcore
import httpx

from models.errors import (
    EgressAnswerError,
    EgressError,
    EgressRefusedError,
    EgressTimeoutError,
    EgressUnreachableError,
)

#: A test run sets this to False: then nothing but loopback is connected to, whatever the settings say.
ALLOW_REMOTE = True

#: Names and addresses in the form that URLs give them: no percent signs, no zones, nothing left to decode.
PLAIN_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_.])?|[0-9a-f:.]*:[0-9a-f:.]*")
#: Not of public use, or the way to a cloud's own services, and yet global to `ipaddress` in some version of Python.
NOT_PUBLIC = tuple(
    ipaddress.ip_network(block)
    for block in (
        "168.63.129.16/32",  # Azure: the machine's own host
        "192.0.0.0/24",
        "192.88.99.0/24",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "3fff::/20",
    )
)
#: All IPv6 addresses of public use lie here.
PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
#: A DNS server on a network without IPv4 puts an IPv4 address inside one of these.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

#: Bytes of heads and chunk marks that an answer may hold beside twice its body.
MAX_OVERHEAD = 1_000_000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Called as resolve(host, port); returns addresses, best first.
Resolver = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class EgressLimits:
    """What a request may do. allow_loopback: http and https to this machine, for a model that runs beside us.

    connect_seconds: for lookup, connection and TLS together. max_bytes: the largest answer.
    """

    allow_loopback: bool = False
    connect_seconds: float = 2.0
    max_bytes: int = 5_000_000


@dataclass(frozen=True)
class EgressResponse:
    """An answer. headers: by lower-case name, of several with one name the last."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def system_addresses(host: str, port: int) -> Sequence[str]:
    """Ask the system for a host's addresses."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@functools.cache
def usual_trust() -> ssl.SSLContext:
    """Return the authorities that are trusted unless others are named; read once, which takes some milliseconds."""
    return httpx.create_ssl_context()


class Egress:
    """Sends requests. Safe to call from many threads; each request has a connection of its own.

    trust: the authorities that a server's certificate may come from; those of certifi, or of the file that the variable
    SSL_CERT_FILE names, unless given.
    """

    def __init__(
        self,
        limits: EgressLimits | None = None,
        resolve: Resolver = system_addresses,
        trust: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or EgressLimits()
        self._resolve, self._clock = resolve, clock
        self._trust = trust or usual_trust()

    def check_url(self, url: str) -> httpx.URL:
        """Return the address if its form is allowed; raise `EgressRefusedError` otherwise. Looks nothing up."""
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError, ValueError):
            parsed = None
        if parsed is None or not PLAIN_HOST.fullmatch(_host(parsed)) or parsed.userinfo or parsed.fragment:
            raise EgressRefusedError("the address is not a plain URL; give scheme, host and path, without user or mark")
        if parsed.port is not None and not 0 < parsed.port < 65_536:
            raise EgressRefusedError("the port of the address is not between 1 and 65535")
        if parsed.scheme != "https" and not (parsed.scheme == "http" and self._limits.allow_loopback):
            raise EgressRefusedError("only https is allowed, and http to this machine where allow_loopback is set")
        return parsed

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> EgressResponse:
        """Send one request and return the answer, whatever its status, within `seconds`.

        Raises the four kinds of `EgressError`. They carry no cause: what went wrong below may quote the answer.
        """
        parsed = self.check_url(url)
        deadline = _Deadline(self._clock, seconds)
        try:
            return self._exchange(_request(method, parsed, headers, body), deadline)
        except EgressError as error:
            failure: EgressError = error
        except (httpcore.LocalProtocolError, ValueError):
            failure = EgressRefusedError("a header cannot be sent; use printable ASCII without line breaks")
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            failure = EgressUnreachableError("the connection broke before the answer was whole; try again later")
        if isinstance(failure, EgressUnreachableError) and deadline.has_passed():
            failure = EgressTimeoutError("the deadline passed before there was an answer")
        failure.__context__ = None
        raise failure

    def _exchange(self, request: httpx.Request, deadline: "_Deadline") -> EgressResponse:
        backend = _CheckedBackend(self._limits, self._resolve, deadline, is_plain=request.url.scheme == "http")
        target = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with (
            httpcore.ConnectionPool(ssl_context=self._trust, network_backend=backend) as pool,
            pool.stream(request.method, target, headers=request.headers.raw, content=request.content) as response,
        ):
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            self._check_head(response.status, headers)
            return EgressResponse(response.status, headers, self._read(response.iter_stream()))

    def _check_head(self, status: int, headers: Mapping[str, str]) -> None:
        if 300 <= status < 400:
            raise EgressRefusedError("the answer is a redirect, which is never followed; set the final address")
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise EgressAnswerError("the answer is compressed though that was ruled out; switch it off at the endpoint")
        if (length := headers.get("content-length", "")).isdecimal() and int(length[:20]) > self._limits.max_bytes:
            raise self._too_large()

    def _read(self, parts: Iterable[bytes]) -> bytes:
        body = bytearray()
        for part in parts:
            body += part
            if len(body) > self._limits.max_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> EgressAnswerError:
        return EgressAnswerError(f"the answer is larger than {self._limits.max_bytes} bytes; ask for less")


def is_public(address: Address) -> bool:
    """Say whether an address is one of the public internet's, and neither a machine's nor a network's own.

    An IPv4 address inside an IPv6 one counts as itself where a system would connect to it (mapped, NAT64); every other
    way of wrapping one is refused.
    """
    inner = embedded(address)
    if any(inner in block for block in NOT_PUBLIC if block.version == inner.version):
        return False
    if isinstance(inner, ipaddress.IPv6Address) and inner not in PUBLIC_IPV6:
        return False
    return inner.is_global and not inner.is_multicast


def embedded(address: Address) -> Address:
    """Return the IPv4 address that a mapped or NAT64 address stands for, and any other as it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def check_address(address: str, allow_loopback: bool, is_plain: bool) -> str:
    """Return the address in its usual form if it may be connected to; raise `EgressRefusedError` otherwise."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise EgressRefusedError("the host has an address of an unknown form") from None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    if allow_loopback and (mapped or parsed).is_loopback:
        return str(parsed)
    if is_plain:
        raise EgressRefusedError("http is allowed to this machine only; use https")
    if not is_public(parsed):
        raise EgressRefusedError("the host has an address that is not of the public internet; name a public host")
    if not ALLOW_REMOTE:
        raise EgressRefusedError("requests to other machines are switched off in this process (ALLOW_REMOTE)")
    return str(parsed)


class _Deadline:
    """The moment at which a request ends, whatever state it is in."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock, self._end = clock, clock() + seconds

    def left(self) -> float:
        """Return the seconds left; raise `EgressTimeoutError` where there are none."""
        if self.has_passed():
            raise EgressTimeoutError("the deadline passed before the answer was whole")
        return max(self._end - self._clock(), 0.001)

    def has_passed(self) -> bool:
        """Say whether no time is left."""
        return self._clock() >= self._end

    def part(self, seconds: float) -> "_Deadline":
        """Return the deadline that comes in so many seconds, or this one where it comes first."""
        part = _Deadline(self._clock, 0)
        part._end = min(self._end, self._clock() + seconds)
        return part


class _CheckedBackend(httpcore.NetworkBackend):
    """Makes the one connection of a request: looks the host up once, checks each address, connects to one of them."""

    def __init__(self, limits: EgressLimits, resolve: Resolver, deadline: _Deadline, is_plain: bool) -> None:
        self._limits, self._resolve, self._deadline, self._is_plain = limits, resolve, deadline, is_plain

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: object = None,
    ) -> httpcore.NetworkStream:
        """Return a stream to the first address that answers; what httpcore would set is not asked."""
        connecting = self._deadline.part(self._limits.connect_seconds)
        found = _in_time(lambda: self._resolve(host, port), connecting.left())
        if not found:
            raise EgressUnreachableError("the host has no address; check its name")
        # One address that is not allowed refuses the host: a public one beside it proves nothing.
        addresses = [check_address(address, self._limits.allow_loopback, self._is_plain) for address in found]
        for address in addresses:
            try:
                connected = socket.create_connection((address, port), _left_to_connect(connecting))
            except OSError:
                continue
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _DeadlineStream(connected, self._deadline, connecting, 2 * self._limits.max_bytes + MAX_OVERHEAD)
        raise EgressUnreachableError("the host cannot be connected to; try again later")


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every read and write ends at the request's deadline, also where a byte comes each second."""

    def __init__(self, connected: socket.socket, deadline: _Deadline, connecting: _Deadline, room: int) -> None:
        self._socket, self._deadline, self._connecting, self._room = connected, deadline, connecting, room

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, waiting for it until the deadline."""
        self._socket.settimeout(self._deadline.left())
        try:
            received = self._socket.recv(max_bytes)
        except TimeoutError:
            raise EgressTimeoutError("the deadline passed before the answer was whole") from None
        self._room -= len(received)
        if self._room < 0:  # heads without end, or a body in tiny chunks
            raise EgressAnswerError("the answer holds far more than its body; check the endpoint")
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it before the deadline."""
        left = memoryview(buffer)
        while left:
            self._socket.settimeout(self._deadline.left())
            try:
                left = left[self._socket.send(left) :]
            except TimeoutError:
                raise EgressTimeoutError("the deadline passed before the request was sent") from None
            except OSError:
                # httpcore then looks for an answer: a server may refuse a request before it has read it.
                raise httpcore.WriteError from None

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the connection with TLS, for the name that was asked for and not for the address."""
        try:
            self._socket.settimeout(_left_to_connect(self._connecting))
            self._socket = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except ssl.SSLCertVerificationError:
            self.close()
            raise EgressRefusedError("the host's certificate is not valid for its name; check both") from None
        except OSError:
            self.close()
            raise EgressUnreachableError("no TLS connection could be made with the host; try again later") from None
        return self

    def get_extra_info(self, info: str) -> object:
        """Return the TLS object, which httpcore asks for the protocol; nothing else."""
        return self._socket if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket) else None


def _host(url: httpx.URL) -> str:
    """Return the host as it is sent: `httpx.URL.host` shows letters where the name holds their ASCII form."""
    return url.raw_host.decode("ascii").lower()


def _request(method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> httpx.Request:
    sent = {"User-Agent": "firstline", **headers, "Accept-Encoding": "identity", "Connection": "close"}
    return httpx.Request(method, url, headers=sent, content=body)


def _left_to_connect(connecting: _Deadline) -> float:
    if connecting.has_passed():
        raise EgressUnreachableError("the host does not answer in time; try again later")
    return connecting.left()


def _in_time(look_up: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """Look up in a thread: the system's resolver takes no deadline. One that hangs ends by its own, some time later."""
    answer: Future[Sequence[str]] = Future()

    def run() -> None:
        try:
            answer.set_result(look_up())
        except BaseException as error:  # told by the caller's thread
            answer.set_exception(error)

    threading.Thread(target=run, name="egress-lookup", daemon=True).start()
    try:
        return answer.result(seconds)
    except (OSError, UnicodeError):  # a TimeoutError of `result` is an OSError
        raise EgressUnreachableError("the host's name cannot be looked up; check it, and the network") from None
