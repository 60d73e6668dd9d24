"""Slow clients and odd HTTP over real sockets: who is slow is sent away, nobody else notices (threat T13)."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import pytest
from small_server import SmallServer, small_server

from serve.http_protocol import MAX_HEADERS

#: Seconds that the server under test gives, and what a busy machine may add.
HEADERS, BODY, SLACK = 0.3, 0.5, 1.5
GET = b"GET /unread HTTP/1.1\r\nHost: a\r\n\r\n"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[SmallServer]:
    with small_server(headers=HEADERS, body=BODY) as running:
        yield running


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["connection"] == "close"
        assert self.headers["cache-control"] == "no-store"
        assert "date" in self.headers
        told = json.loads(self.body)
        assert told["status"] == self.status
        return str(told["code"])


def answers_in(data: bytes) -> list[Answer]:
    """Take what a connection gave apart; fails where answers do not follow each other cleanly."""
    found = []
    at = 0
    while at < len(data):
        end = data.index(b"\r\n\r\n", at)
        head, at = data[at:end], end + 4
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        version, status = lines[0].split(" ")[:2]
        assert version == "HTTP/1.1"
        size = int(headers.get("content-length", 0)) if status != "100" else 0
        found.append(Answer(int(status), headers, data[at : at + size]))
        at += size
    return found


def until_closed(connection: socket.socket) -> list[Answer]:
    """Read until the server ends the connection."""
    data = bytearray()
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            data += part
    return answers_in(bytes(data))


def read_one(connection: socket.socket) -> Answer:
    """Read one answer."""
    data = b""
    while True:
        part = connection.recv(65_536)
        assert part, data
        data += part
        with suppress(ValueError):
            (answer,) = answers_in(data)
            if len(answer.body) == int(answer.headers.get("content-length", 0)):
                return answer


def post(path: bytes, length: int | None, *more: bytes) -> bytes:
    """The head of a POST; in chunks where there is no length."""
    size = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return b"\r\n".join((b"POST " + path + b" HTTP/1.1", b"Host: a", size, *more, b"", b""))


def trickle(connection: socket.socket, data: bytes) -> None:
    """Send a byte every now and then, until the server has had enough."""
    with suppress(OSError):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)


def kept_alive(server: SmallServer) -> socket.socket:
    """A connection over which a request has been answered."""
    connection = server.connect()
    connection.sendall(GET)
    assert read_one(connection).status == 200
    return connection


HALVES = [b"\r\n", b"G", b"GET /unread HTTP/1.1\r\n", GET[:-2], GET[:-4] + b"\r\nX-A: " + b"a" * 60_000]


# A connection that says nothing after its first request is not slow, but idle.
@pytest.mark.parametrize(("before", "sent"), [(0, b""), *((before, sent) for sent in HALVES for before in (0, 1))])
def test_headers_that_do_not_end_are_answered_408(server: SmallServer, sent: bytes, before: int) -> None:
    start = time.monotonic()
    with kept_alive(server) if before else server.connect() as connection:
        connection.sendall(sent)
        (answer,) = until_closed(connection)
    assert (answer.status, answer.code) == (408, "too_slow")
    assert f"The headers did not come within {HEADERS:g} seconds" in answer.body.decode()
    assert HEADERS * 0.9 < time.monotonic() - start < HEADERS + SLACK


@pytest.mark.parametrize(
    "data", [GET, b"\r\n" * 50, b"GET /" + b"a" * 1_000], ids=["request", "line breaks", "address"]
)
@pytest.mark.parametrize("before", [0, 1])
def test_a_byte_now_and_then_buys_no_time(server: SmallServer, data: bytes, before: int) -> None:
    with kept_alive(server) if before else server.connect() as connection:
        start = time.monotonic()
        thread = threading.Thread(target=trickle, args=(connection, data * 3))
        thread.start()
        (answer,) = until_closed(connection)
        assert time.monotonic() - start < HEADERS + SLACK
        thread.join()
    assert (answer.status, answer.code) == (408, "too_slow")


@pytest.mark.parametrize("length", [1_000, None])
@pytest.mark.parametrize("sent", [b"", b"5\r\naaaaa\r\n", b"5\r\naaaaa\r\n0\r\n"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_body_that_does_not_end_is_answered_408(
    server: SmallServer, length: int | None, sent: bytes, before: int
) -> None:
    with kept_alive(server) if before else server.connect() as connection:
        start = time.monotonic()
        connection.sendall(post(b"/read", length) + sent)
        (answer,) = until_closed(connection)
    assert (answer.status, answer.code) == (408, "too_slow")
    assert f"The body did not come within {BODY:g} seconds" in answer.body.decode()
    assert BODY * 0.9 < time.monotonic() - start < BODY + SLACK


@pytest.mark.parametrize("length", [1_000, None])
def test_a_trickling_body_buys_no_time(server: SmallServer, length: int | None) -> None:
    with server.connect() as connection:
        start = time.monotonic()
        connection.sendall(post(b"/read", length))
        thread = threading.Thread(target=trickle, args=(connection, b"1\r\na\r\n" * 100))
        thread.start()
        (answer,) = until_closed(connection)
        assert time.monotonic() - start < BODY + SLACK
        thread.join()
    assert (answer.status, answer.code) == (408, "too_slow")


def test_an_answer_that_was_given_before_the_body_is_the_only_one(server: SmallServer) -> None:
    with server.connect() as connection:
        start = time.monotonic()
        connection.sendall(post(b"/unread", 1_000))
        thread = threading.Thread(target=trickle, args=(connection, b"a" * 900))
        thread.start()
        (answer,) = until_closed(connection)
        assert BODY * 0.9 < time.monotonic() - start < BODY + SLACK
        thread.join()
    assert answer.status == 200


def test_a_connection_whose_body_came_after_its_answer_does_not_stay_open_for_ever(server: SmallServer) -> None:
    with server.connect(timeout=1 + SLACK) as connection:  # a second is kept_alive in the server under test
        connection.sendall(post(b"/unread", 10))
        assert read_one(connection).status == 200
        connection.sendall(b"a" * 10)
        assert until_closed(connection) == []


def test_who_is_slow_but_in_time_is_served(server: SmallServer) -> None:
    with server.connect() as connection:
        for _ in range(3):
            for part in (
                b"POST /re",
                b"ad HTTP/1.1\r\nHost: a\r\nContent-Le",
                b"ngth: 3\r\n\r",
                b"\n",
                b"a",
                b"b",
                b"c",
            ):
                connection.sendall(part)
                time.sleep(0.04)
            answer = read_one(connection)
            assert (answer.status, json.loads(answer.body)["size"]) == (200, 3)


@pytest.mark.parametrize("rest", [b"", b"G", GET[:-1], post(b"/read", 10), post(b"/read", 10) + b"a", GET + b"G"])
def test_a_slow_answer_is_not_the_client_s_fault(server: SmallServer, rest: bytes) -> None:
    wait = 2 * max(HEADERS, BODY)
    with server.connect() as connection:
        connection.sendall(b"GET /unread?wait=%.1f HTTP/1.1\r\nHost: a\r\n\r\n" % wait + rest)
        first, *others = until_closed(connection)
    assert (first.status, json.loads(first.body)) == (200, {"waited": wait})
    if rest.startswith(GET):
        assert others.pop(0).status == 200
    assert [other.code for other in others] == ["too_slow"] * bool(rest)


@pytest.mark.parametrize(
    ("rest", "codes"), [(b"1\r\na\r\n", ["too_slow"]), (b"hello\r\n", []), (b"1;a=" + b"a" * 8 * MAX_HEADERS, [])]
)
def test_nothing_stands_in_the_place_of_an_answer_that_is_due(
    server: SmallServer, rest: bytes, codes: list[str]
) -> None:
    # The first is read once the second is there: from then on the server listens again.
    first, second = post(b"/read?wait=0.2&then=%.1f" % (2 * BODY), 3) + b"abc", post(b"/read", None)
    with server.connect() as connection:
        connection.sendall(first + second)
        time.sleep(0.3)
        connection.sendall(rest)
        answers = until_closed(connection)
    # Whoever sends what is no HTTP meanwhile gets no answer at all.
    assert [answer.status for answer in answers] == [200, 408] * bool(codes)
    assert [answer.code for answer in answers[1:]] == codes


def test_a_body_that_we_are_slow_to_read_is_not_the_client_s_fault(server: SmallServer) -> None:
    size = 20 * 65_536
    with server.connect() as connection:
        wait = 2 * BODY
        connection.sendall(
            b"PUT /v1/articles/a?wait=%.1f HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (wait, size)
        )
        connection.sendall(b"a" * size)
        answer = read_one(connection)
    assert (answer.status, json.loads(answer.body)["size"]) == (200, size)


def test_who_waits_to_be_asked_for_the_body_is_asked_first(server: SmallServer) -> None:
    with server.connect() as connection:
        connection.sendall(post(b"/read?wait=%.1f" % (2 * BODY), 3, b"Expect: 100-continue"))
        assert read_one(connection).status == 100
        connection.sendall(b"abc")
        assert read_one(connection).status == 200


LONG = MAX_HEADERS + 1
HUGE = {
    "one header": b"GET /unread HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * LONG + b"\r\n\r\n",
    "many headers": b"GET /unread HTTP/1.1\r\nHost: a\r\n" + b"X-A: a\r\n" * (LONG // 7) + b"\r\n",
    "a long address": b"GET /" + b"a" * LONG + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a long name": b"GET /unread HTTP/1.1\r\nHost: a\r\n" + b"a" * LONG + b": a\r\n\r\n",
    "a header without an end": b"GET /unread HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 2 * LONG,
    "an address without an end": b"GET /" + b"a" * 2 * LONG,
    "blanks without an end": b"GET /unread HTTP/1.1\r\nHost:" + b" " * 2 * LONG,
    "a trailer": post(b"/read", None) + b"0\r\nX-A: " + b"a" * 8 * LONG + b"\r\n\r\n",
    "many trailers": post(b"/read", None) + b"0\r\n" + b"X-A: a\r\n" * LONG + b"\r\n",
    "a trailer without an end": post(b"/read", None) + b"1\r\na\r\n0\r\nX-A: " + b"a" * 8 * LONG,
    "a chunk's own words": post(b"/read", None) + b"1;a=" + b"a" * 8 * LONG,
}


@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("before", [0, 1])
def test_more_headers_than_anybody_needs_are_refused(server: SmallServer, data: bytes, before: int) -> None:
    with kept_alive(server) if before else server.connect() as connection:
        for start in range(0, len(data), 16_384):  # what is sent after the answer may end the connection unread
            try:
                connection.sendall(data[start : start + 16_384])
            except OSError:
                break
            time.sleep(0.002)
        (answer,) = until_closed(connection)
    assert (answer.status, answer.code) == (431, "headers_too_large")


def test_headers_up_to_the_limit_are_read(server: SmallServer) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(GET[:-2] + b"X-A: " + b"a" * (MAX_HEADERS - 100) + b"\r\n\r\n")
            assert read_one(connection).status == 200


@pytest.mark.parametrize("line", [b"X-A: " + b"a" * 60_000 + b"\r\n", b"a" * 65_536])
def test_trailers_without_an_end_leave_no_trace(server: SmallServer, line: bytes) -> None:
    before = server.memory()
    with server.connect() as connection:
        connection.sendall(post(b"/read", None) + b"0\r\nX-B: ")
        with suppress(OSError):
            for _ in range(100 * MEGABYTE // len(line)):
                connection.sendall(line)
    assert server.memory() - before < 5 * MEGABYTE


def test_trailers_are_no_headers(server: SmallServer) -> None:
    trailers, last = b"Host: evil\r\nX-Request-ID: evil\r\n\r\n", GET[:-2] + b"Connection: close\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(post(b"/read?wait=0.2", None) + b"2\r\nab\r\n0\r\n" + trailers + last)
        first, second = until_closed(connection)
    assert json.loads(first.body) == {"size": 2, "headers": ["host", "transfer-encoding"]}
    assert second.status == 200


BROKEN = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": b"BREW /unread HTTP/1.1\r\nHost: a\r\n\r\n",
    "a bad version": b"GET /unread HTTP/9.9\r\nHost: a\r\n\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a blank in a name": b"GET /unread HTTP/1.1\r\nHost : a\r\n\r\n",
    "NUL in a value": b"GET /unread HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "a folded header": b"GET /unread HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    "two lengths": post(b"/read", 3, b"Content-Length: 4") + b"abcd",
    "a length and chunks": post(b"/read", 3, b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a negative length": post(b"/read", -1),
    "a length without an end": post(b"/read", 10**40),
    "a bad chunk": post(b"/read", None) + b"x\r\n",
    "a chunk without an end": post(b"/read", None) + b"3\r\nabcdef",
    "umlauts in the address": "GET /ä HTTP/1.1\r\nHost: a\r\n\r\n".encode("latin-1"),
    "a port out of range": b"GET http://a:99999999/ HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("before", [0, 1])
def test_what_is_no_http_is_a_problem_document(server: SmallServer, data: bytes, before: int) -> None:
    with kept_alive(server) if before else server.connect() as connection:
        connection.sendall(data)
        (answer,) = until_closed(connection)
    assert (answer.status, answer.code) == (400, "invalid_http")


def test_what_is_no_http_does_not_stand_in_another_answer_s_place(server: SmallServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /unread?wait=0.3 HTTP/1.1\r\nHost: a\r\n\r\nhello\r\n\r\n")
        assert until_closed(connection) == []
    with server.connect() as connection:
        connection.sendall(post(b"/unread", None))
        assert read_one(connection).status == 200
        connection.sendall(b"hello\r\n\r\n")
        assert until_closed(connection) == []


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.0"])
def test_nothing_is_upgraded(server: SmallServer, protocol: bytes) -> None:
    wishes = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + protocol + b"\r\nSec-WebSocket-Key: AAAA\r\n\r\n"
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(GET[:-2] + wishes)
            answer = read_one(connection)
            assert (answer.status, json.loads(answer.body)) == (200, {"waited": 0})


def test_many_requests_in_one_packet_are_all_answered(server: SmallServer) -> None:
    with server.connect() as connection:
        connection.sendall(GET * 2_000 + GET[:-2] + b"Connection: close\r\n\r\n")
        assert [answer.status for answer in until_closed(connection)] == [200] * 2_001


def test_an_ordinary_answer_is_served_in_one_piece(server: SmallServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(2 * BODY)
        (answer,) = until_closed(connection)
    assert (answer.status, len(answer.body)) == (200, 20_000_002)


HALF_OPEN = 500


@pytest.mark.parametrize(
    "sent", [b"", GET[:-1], post(b"/read", 1_000) + b"a"], ids=["nothing", "half the headers", "half the body"]
)
def test_five_hundred_half_open_connections_are_nothing_to_a_good_client(sent: bytes) -> None:
    with small_server(headers=2.5, body=2.5) as server, ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(HALF_OPEN)]
        for connection in idle:
            connection.sendall(sent)
        took, end = [], time.monotonic() + 1
        with server.connect() as good:
            while time.monotonic() < end:
                start = time.monotonic()
                good.sendall(GET)
                assert read_one(good).status == 200
                took.append(time.monotonic() - start)
        assert sorted(took)[int(len(took) * 0.99)] < 0.2
        with ThreadPoolExecutor(20) as threads:
            codes = [answer.code for answers in threads.map(until_closed, idle) for answer in answers]
    assert codes == ["too_slow"] * HALF_OPEN
