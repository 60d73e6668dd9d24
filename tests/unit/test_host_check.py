"""Host headers, odd and plain (threat T15)."""

import asyncio
import json

import pytest
from starlette.types import Message, Receive, Scope, Send

from serve.host_check import HostCheck, host_name

LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])

WELL_FORMED = {
    b"localhost": "localhost",
    b"127.0.0.1": "127.0.0.1",
    b"127.0.0.1:8080": "127.0.0.1",
    b"Help.Example.COM:443": "help.example.com",
    b"help.example.com.": "help.example.com",
    b"help.example.com.:80": "help.example.com",
    b"firstline_api:8080": "firstline_api",
    b"xn--bcher-kva.example": "xn--bcher-kva.example",
    b"[::1]": "[::1]",
    b"[::1]:65535": "[::1]",
    b"[2001:DB8:0:0::1]:1": "[2001:db8::1]",
    LONGEST.encode(): LONGEST,
    b"a:0": "a",
}
ODD = [
    b"", b" ", b".", b"..", b"a..b", b".a", b"-a.example", b"a-.example", b"*", b"*.example.com", b":80", b"a:", b"a:b",
    b"a:-1", b"a:65536", b"a:123456", b"a:80:80", b"a/b", b"a?b", b"a#b", b"a@b", b"user:x@a", b"http://a", b"a b",
    b"a,b", b"a\tb", b"a\0", b"a\n", b"a\r\nb", b"a%00", b"a%2eb", b"a\\b", b"a;b", b"<a>", b"{a}", b'"a"',
    b"$(a)", b"::1", b"[::1", b"::1]", b"[]", b"[:]", b"[::1]a", b"[::1]:", b"[::g]", b"[fe80::1%25eth0]",
    b"[127.0.0.1]", b"[1:2:3]", "münchen.example".encode(), "münchen.example".encode("latin-1"), b"\xff",
    "a。b".encode(), b"a" * 64, LONGEST.encode() + b"d", b"a." * 5_000, b"a" * 100_000, b"a:" + b"9" * 9_999,
]  # fmt: skip
ALLOWED = ("Help.example.com", "[::1]", "10.0.0.7:8080", "*.desk.example")


def ask(hosts: list[bytes], allowed: tuple[str, ...] = (), kind: str = "http") -> list[Message]:
    """Send a request with these Host headers; [] where it went through."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Whom the check lets through to."""

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody reads a body for this")

    headers = [(b"accept", b"*/*"), *((b"host", host) for host in hosts)]
    asyncio.run(HostCheck(app, allowed)({"type": kind, "headers": headers}, receive, send))
    return sent


@pytest.mark.parametrize(("host", "name"), WELL_FORMED.items())
def test_a_name_with_or_without_a_port_will_do(host: bytes, name: str) -> None:
    assert ask([host]) == []
    assert host_name(host.decode()) == name


@pytest.mark.parametrize(
    "hosts", [[], [b"a", b"a"], [b"a", b"b"], *([host] for host in ODD)], ids=lambda h: repr(h)[:30]
)
@pytest.mark.parametrize("allowed", [(), ALLOWED])
def test_an_odd_host_is_refused(hosts: list[bytes], allowed: tuple[str, ...]) -> None:
    start, body = ask(hosts, allowed)
    assert start["status"] == 400
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    assert json.loads(body["body"])["code"] == "invalid_host"


@pytest.mark.parametrize(
    "host",
    [b"help.example.com", b"HELP.EXAMPLE.COM:8443", b"help.example.com.", b"[::1]:80", b"[0:0::1]", b"10.0.0.7",
     b"10.0.0.7:9", b"a.desk.example", b"a.b.Desk.example:1"],
)  # fmt: skip
def test_with_a_list_its_names_go_through_at_any_port(host: bytes) -> None:
    assert ask([host], ALLOWED) == []


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"example.com", b"xhelp.example.com", b"help.example.com.evil.example", b"desk.example",
     b"xdesk.example", b"10.0.0.70", b"[::2]", b"127.0.0.1", b"help-example.com", b"evil.example"],
)  # fmt: skip
def test_with_a_list_all_other_names_are_refused(host: bytes) -> None:
    assert ask([host], ALLOWED)[0]["status"] == 400


def test_what_is_no_request_is_left_alone() -> None:
    assert ask([], ALLOWED, "lifespan") == []
