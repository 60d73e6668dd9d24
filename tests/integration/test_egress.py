"""Nothing but a public address is ever connected to, nothing is followed, and every request ends at its deadline."""

import ipaddress
import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.egress
from models.egress import Egress, EgressLimits, check_address, is_public
from models.errors import (
    EgressAnswerError,
    EgressError,
    EgressRefusedError,
    EgressTimeoutError,
    EgressUnreachableError,
)

#: What a request may overrun its deadline by on a busy machine.
SLACK = 1.0
CANARY = "canary-7f3a"
Answer = Callable[[socket.socket, bytes], None]


class Listener:
    """A server on this machine that writes down each connection and answers as told. Speaks as broken as it likes."""

    def __init__(self, answer: Answer, host: str = "127.0.0.1", port: int = 0) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._answer = answer
        self._socket = socket.create_server((host, port))
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._listen)]
        self.host, self.port = self._socket.getsockname()[:2]
        self.wrap: Callable[[socket.socket], socket.socket] = lambda accepted: accepted
        self._threads[0].start()

    def close(self) -> None:
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def pause(self, seconds: float) -> None:
        """Wait, or end the connection where the test is over."""
        if self._closing.wait(seconds):
            raise ConnectionError

    def _listen(self) -> None:
        while not self._closing.is_set():
            with suppress(OSError):
                accepted, _ = self._socket.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(accepted,)))
                self._threads[-1].start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            wrapped = self.wrap(accepted)
            with wrapped:
                head = b""
                while b"\r\n\r\n" not in head and (more := wrapped.recv(4096)):
                    head += more
                self.heads.append(head)
                self._answer(wrapped, head)


Listen = Callable[..., Listener]


@pytest.fixture
def listen() -> Iterator[Listen]:
    opened: list[Listener] = []

    def start(answer: Answer, host: str = "127.0.0.1", port: int = 0) -> Listener:
        opened.append(Listener(answer, host, port))
        return opened[-1]

    yield start
    for listener in opened:
        listener.close()


def fine(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Two: a\r\n\r\nok")


def sending(data: bytes) -> Answer:
    return lambda connection, _: connection.sendall(data)


LOCAL = EgressLimits(allow_loopback=True, connect_seconds=0.5, max_bytes=100_000)


def get(egress: Egress, url: str, seconds: float = 5.0) -> bytes:
    return egress.send("GET", url, {}, b"", seconds).body


def spent(call: Callable[[], object], error: type[EgressError]) -> float:
    start = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    assert caught.value.__context__ is None
    return time.monotonic() - start


#: This machine, its network and its cloud's own services, in the ways that somebody may write them.
SPELLED = """
127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 017700000001 0x7f000001 0x7F.1 0x7f.0.0.1 0177.0.0.1
0177.1 127.0.0.01 0 0.0.0.0 0x0 00000000000 localhost LOCALHOST LocalHost 127。0。0。1 １２７.0.0.1 ⓛocalhost
ſocalhost loca​lhost %31%32%37.0.0.1 127.0.0.1%00.example.org 127.0.0.1%2eexample.org [::1] [::]
[0:0:0:0:0:0:0:1] [0000::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:0001] [::127.0.0.1]
[::7f00:1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2001:0:7f00:1::] [::1%lo] [::1%25lo]
[fe80::1] [fec0::1] [fc00::1] [ff02::1] 10.0.0.1 172.16.0.1 192.168.0.1 100.64.0.1 169.254.169.254
168.63.129.16 192.0.0.192 100.100.100.200 224.0.0.1 255.255.255.255 240.0.0.1 198.18.0.1 [fd00:ec2::254]
user@127.0.0.1 example.org@127.0.0.1 127.0.0.1\\@example.org
"""
SPELLINGS = SPELLED.split()


def test_no_spelling_of_an_address_of_our_own_is_connected_to(listen: Listen) -> None:
    trap = listen(fine, "0.0.0.0")
    assert len(SPELLINGS) >= 40
    for scheme in ("https", "http"):
        for spelling in SPELLINGS:
            with pytest.raises(EgressRefusedError):
                get(Egress(), f"{scheme}://{spelling}:{trap.port}/v1")
    for name in ("127.0.0.1.", "localhost.", "ip6-localhost", "inside.example"):  # names that some systems know
        with pytest.raises(EgressRefusedError):
            get(Egress(resolve=lambda host, port: ["127.0.0.1"]), f"https://{name}:{trap.port}/")
    assert trap.connections == 0
    assert get(Egress(LOCAL), f"http://127.0.0.1:{trap.port}/") == b"ok"  # the trap does see who comes
    assert trap.connections == 1


def test_where_loopback_is_allowed_nothing_else_of_our_own_is(listen: Listen) -> None:
    trap = listen(fine, "0.0.0.0")
    for host in (
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "[fc00::1]",
        "[::]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ):
        for scheme in ("https", "http"):
            with pytest.raises(EgressRefusedError):
                get(Egress(LOCAL), f"{scheme}://{host}:{trap.port}/")
    with pytest.raises(EgressRefusedError):  # http stays on this machine
        get(Egress(LOCAL, resolve=lambda host, port: ["93.184.216.34"]), "http://models.example/")
    assert trap.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "models.example/v1",
            "//models.example",
            "ftp://models.example",
            "file:///etc/passwd",
            "gopher://127.0.0.1",
        ),
        *("https://", "https:///v1", "https://models.example:0/", "https://models.example:99999/", "https://-x/"),
        *("https://models.example/#a", "https://a:b@models.example/", "https://mod els.example/", "https://x\r\ny/"),
    ],
)
def test_an_address_of_another_form_is_refused_before_any_lookup(url: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("looked up")

    with pytest.raises(EgressRefusedError):
        get(Egress(LOCAL, resolve), url)


blocks = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"]
blocks += ["192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "203.0.113.0/24", "168.63.129.16/32"]


@given(st.sampled_from(blocks).flatmap(lambda block: st.ip_addresses(network=block)))
def test_no_address_of_a_block_of_our_own_is_public_however_it_is_wrapped(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::", "::ffff:", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(ipaddress.ip_address(f"{prefix}{address}"))
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_counts_as_itself_where_it_is_mapped(address: ipaddress.IPv4Address) -> None:
    assert is_public(ipaddress.IPv6Address(f"::ffff:{address}")) == is_public(address)
    assert is_public(address) <= address.is_global
    number = int(address)
    assert not is_public(ipaddress.IPv6Address(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1"))
    assert not is_public(ipaddress.IPv6Address(f"::{address}"))


def test_public_addresses_are_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.egress, "ALLOW_REMOTE", True)  # nothing is connected to
    for address in (
        "93.184.216.34",
        "8.8.8.8",
        "1.1.1.1",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
        "64:ff9b::808:808",
    ):
        assert check_address(address, allow_loopback=False, is_plain=False) == address
    with pytest.raises(EgressRefusedError, match="https"):
        check_address("93.184.216.34", allow_loopback=True, is_plain=True)


def test_a_test_run_can_switch_off_every_other_machine(monkeypatch: pytest.MonkeyPatch, listen: Listen) -> None:
    monkeypatch.setattr(models.egress, "ALLOW_REMOTE", False)
    with pytest.raises(EgressRefusedError, match="ALLOW_REMOTE"):
        get(Egress(resolve=lambda host, port: ["93.184.216.34"]), "https://models.example/")
    assert get(Egress(LOCAL), f"http://127.0.0.1:{listen(fine).port}/") == b"ok"


def test_a_host_is_looked_up_once_and_one_bad_address_refuses_it(listen: Listen) -> None:
    server = listen(fine)
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "10.0.0.1"], []])
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return next(answers)

    egress = Egress(LOCAL, resolve)
    url = f"http://models.example:{server.port}/"
    assert get(egress, url) == b"ok"
    assert asked == [("models.example", server.port)]
    for error in (EgressRefusedError, EgressRefusedError, EgressRefusedError, EgressUnreachableError):
        with pytest.raises(error):
            get(egress, url)
    assert server.connections == 1


def test_the_address_that_was_checked_is_the_one_connected_to_under_the_hosts_name(listen: Listen) -> None:
    right = listen(fine, "127.0.0.2")
    wrong = listen(fine, "127.0.0.1", right.port)
    assert get(Egress(LOCAL, lambda host, port: ["127.0.0.2"]), f"http://localhost:{right.port}/v1/x?y=1") == b"ok"
    assert (right.connections, wrong.connections) == (1, 0)
    lines = right.heads[0].decode().splitlines()
    assert lines[0] == "GET /v1/x?y=1 HTTP/1.1"
    assert f"Host: localhost:{right.port}" in lines


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed(status: int, listen: Listen) -> None:
    trap = listen(fine)
    head = f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{trap.port}/\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(EgressRefusedError, match="redirect"):
        get(Egress(LOCAL), f"http://127.0.0.1:{listen(sending(head.encode())).port}/")
    assert trap.connections == 0


def test_proxies_of_the_environment_are_not_asked(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    trap, server = listen(fine), listen(fine)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    assert get(Egress(LOCAL), f"http://127.0.0.1:{server.port}/") == b"ok"
    assert (trap.connections, server.connections) == (0, 1)


def test_an_answer_may_be_as_large_as_allowed_and_no_larger(listen: Listen) -> None:
    def sized(size: int, declared: bool) -> Answer:
        length = f"Content-Length: {size}\r\n" if declared else ""
        return sending(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode() + b"a" * size)

    for declared in (True, False):
        url = f"http://127.0.0.1:{listen(sized(LOCAL.max_bytes, declared)).port}/"
        assert len(get(Egress(LOCAL), url)) == LOCAL.max_bytes
        url = f"http://127.0.0.1:{listen(sized(LOCAL.max_bytes + 1, declared)).port}/"
        with pytest.raises(EgressAnswerError, match="larger"):
            get(Egress(LOCAL), url)


def test_an_answer_without_end_ends(listen: Listen) -> None:
    def endless(start: bytes, again: bytes) -> Answer:
        def answer(connection: socket.socket, _: bytes) -> None:
            connection.sendall(start)
            while True:
                connection.sendall(again)

        return answer

    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    for start, again in (
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 5_000),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500),
        (b"HTTP/1.1 200 OK\r\n", b"X: " + b"a" * 60_000 + b"\r\n"),
    ):
        url = f"http://127.0.0.1:{listen(endless(start, again)).port}/"
        with pytest.raises((EgressAnswerError, EgressUnreachableError)):
            get(Egress(LOCAL), url)


def test_a_compressed_answer_is_refused_unread(listen: Listen) -> None:
    server = listen(sending(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"))
    with pytest.raises(EgressAnswerError, match="compressed"):
        get(Egress(LOCAL), f"http://127.0.0.1:{server.port}/")
    assert b"Accept-Encoding: identity" in server.heads[0]


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nX", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n"])
@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_slow_answer_ends_at_the_deadline(sent: bytes, drip: bytes, listen: Listen) -> None:
    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(sent)
        while True:
            server.pause(0.05)
            connection.sendall(drip)

    server = listen(answer)
    egress = Egress(LOCAL)
    took = spent(lambda: get(egress, f"http://127.0.0.1:{server.port}/", 0.2), EgressTimeoutError)
    assert 0.2 <= took < 0.2 + SLACK


def test_a_server_that_does_not_read_does_not_hold_the_request(listen: Listen) -> None:
    server = listen(lambda connection, _: server.pause(20))
    url, body = f"http://127.0.0.1:{server.port}/", b"a" * 30_000_000
    took = spent(lambda: Egress(LOCAL).send("POST", url, {}, body, 0.3), EgressTimeoutError)
    assert took < 0.3 + SLACK


def test_an_answer_that_comes_before_the_request_was_read_counts(listen: Listen) -> None:
    def refuse(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        server.pause(0.1)  # and then closes, while the request is still being sent

    server = listen(refuse)
    answer = Egress(LOCAL).send("POST", f"http://127.0.0.1:{server.port}/", {}, b"a" * 30_000_000, 5)
    assert answer.status == 413


def test_a_lookup_that_hangs_ends_with_the_time_to_connect(listen: Listen) -> None:
    over = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        over.wait(20)
        return ["127.0.0.1"]

    egress = Egress(EgressLimits(allow_loopback=True, connect_seconds=0.2), resolve)
    assert 0.2 <= spent(lambda: get(egress, "http://models.example/"), EgressUnreachableError) < 0.2 + SLACK
    assert spent(lambda: get(egress, "http://models.example/", 0.1), EgressTimeoutError) < 0.1 + SLACK
    over.set()


def test_a_connection_that_is_not_taken_ends_with_the_time_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = []
        try:
            for _ in range(4):  # more than the line of the listener holds: the next one gets no answer
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                with suppress(BlockingIOError):
                    waiting[-1].connect(full.getsockname())
            egress = Egress(EgressLimits(allow_loopback=True, connect_seconds=0.2))
            url = f"http://127.0.0.1:{full.getsockname()[1]}/"
            assert spent(lambda: get(egress, url), EgressUnreachableError) < 0.2 + SLACK
        finally:
            for connection in waiting:
                connection.close()


@pytest.mark.parametrize(
    "data",
    [
        f"{CANARY} not http at all\r\n\r\n",
        f"HTTP/1.1 2{CANARY} OK\r\n\r\n",
        f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n",
        f"HTTP/1.1 302 {CANARY}\r\nLocation: https://{CANARY}.example\r\n\r\n",
        f"HTTP/1.1 200 {CANARY}\r\nContent-Encoding: {CANARY}\r\n\r\n{CANARY}",
        f"HTTP/1.1 200 {CANARY}\r\nContent-Length: {CANARY}\r\n\r\n{CANARY}",
        f"HTTP/1.1 200 {CANARY}\r\nContent-Length: 90\r\n\r\n{CANARY}",
        f"HTTP/1.1 200 {CANARY}\r\nContent-Length: 10\r\nContent-Length: 12\r\n\r\n{CANARY}",
        f"HTTP/1.1 200 {CANARY}\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}",
    ],
)
def test_no_error_and_no_log_holds_a_word_of_the_answer(
    data: str, listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(EgressError) as caught:
        get(Egress(LOCAL), f"http://127.0.0.1:{listen(sending(data.encode())).port}/{CANARY}")
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert CANARY not in caplog.text


def test_an_answer_shows_neither_headers_nor_body(listen: Listen) -> None:
    answer = Egress(LOCAL).send("GET", f"http://127.0.0.1:{listen(fine).port}/", {}, b"", 5)
    assert (answer.status, answer.body, answer.headers["x-two"]) == (200, b"ok", "a")
    assert repr(answer) == "EgressResponse(status=200)"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "schlüssel", "\ud800"])
def test_a_header_that_cannot_be_sent_is_refused_and_not_repeated(value: str, listen: Listen) -> None:
    server = listen(fine)
    url = f"http://127.0.0.1:{server.port}/"
    with pytest.raises(EgressRefusedError, match="header") as caught:
        Egress(LOCAL).send("GET", url, {"Authorization": value}, b"", 5)
    assert value not in str(caught.value)
    assert b"X-Evil" not in b"".join(server.heads)


def test_many_threads_each_get_their_own_answer(listen: Listen) -> None:
    def echo(connection: socket.socket, head: bytes) -> None:
        path = head.split(b" ")[1]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    egress, port = Egress(LOCAL), listen(echo).port
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: get(egress, f"http://127.0.0.1:{port}/{n}"), range(40)))
    assert found == [f"/{n}".encode() for n in range(40)]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for models.example, signed by itself, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("needs the program openssl, to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=models.example", "-addext", "subjectAltName=DNS:models.example"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *names]
    subprocess.run([*command, "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def test_tls_is_for_the_name_that_was_asked_for(listen: Listen, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    asked: list[str | None] = []
    context.sni_callback = lambda connection, name, _: asked.append(name)
    server = listen(fine)
    server.wrap = lambda accepted: context.wrap_socket(accepted, server_side=True)
    trust = ssl.create_default_context(cafile=str(certificate[0]))

    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    url = f"https://models.example:{server.port}/"
    assert get(Egress(LOCAL, resolve, trust), url) == b"ok"
    assert asked == ["models.example"]
    assert f"Host: models.example:{server.port}" in server.heads[0].decode()
    for egress, other in (
        (Egress(LOCAL, resolve, trust), f"https://other.example:{server.port}/"),
        (Egress(LOCAL, trust=trust), f"https://127.0.0.1:{server.port}/"),
        (Egress(LOCAL, resolve), url),
    ):
        with pytest.raises(EgressRefusedError, match="certificate"):
            get(egress, other)
    assert len(server.heads) == 1  # no request was sent to a server that did not prove its name


def test_a_server_that_speaks_no_tls_is_not_waited_for(listen: Listen) -> None:
    egress = Egress(EgressLimits(allow_loopback=True, connect_seconds=0.2))
    silent = listen(lambda connection, _: silent.pause(20))
    assert spent(lambda: get(egress, f"https://127.0.0.1:{silent.port}/"), EgressUnreachableError) < 0.2 + SLACK
    plain = listen(lambda connection, _: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert spent(lambda: get(egress, f"https://127.0.0.1:{plain.port}/"), EgressUnreachableError) < 0.2 + SLACK
