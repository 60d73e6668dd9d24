"""Bodies are counted as they come, whatever their headers say (threat T12)."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from small_server import SmallServer, small_server
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from serve.body_limits import MAX_ARTICLE, MAX_BODY, BodyLimit

LIMIT = 100
MEGABYTE = 1_000_000


async def reads(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that reads the whole body and catches nothing."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def begins(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers before it reads."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await reads(scope, receive, send)


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that refuses for a reason of its own."""
    raise HTTPException(418, "own")


def ask(parts: list[bytes], app: Any = reads, limit: int = LIMIT, **request: Any) -> tuple[int, str, int]:
    """Send a body in parts; return status, what was answered (a problem's code), and how many parts were read."""
    waiting, sent = list(parts), list[Message]()

    async def receive() -> Message:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/triage", "headers": []} | request
    asyncio.run(BodyLimit(app, limit)(scope, receive, send))
    start, body = sent[0], sent[-1]["body"].decode()
    is_problem = (b"content-type", b"application/problem+json") in start["headers"]
    return start["status"], json.loads(body)["code"] if is_problem else body, len(parts) - len(waiting)


@pytest.mark.parametrize("parts", [[b""], [b"a" * 100], [b"a"] * 100, [b"", b"a" * 50, b"", b"a" * 50]])
def test_a_body_up_to_the_limit_goes_through(parts: list[bytes]) -> None:
    assert ask(parts)[:2] == (200, str(sum(map(len, parts))))


@pytest.mark.parametrize(
    ("parts", "read"), [([b"a" * 101], 1), ([b"a"] * 1_000, 101), ([b"a" * 99, b"aa", b"a"], 2), ([b"a" * 10**7], 1)]
)
def test_a_body_past_it_is_refused_at_the_first_byte_too_many(parts: list[bytes], read: int) -> None:
    assert ask(parts) == (413, "body_too_large", read)


@pytest.mark.parametrize("length", [b"101", b" 101 ", b"0000101", b"9" * 18, b"9" * 19, b"9" * 60_000])
def test_a_length_past_it_is_refused_before_the_body_is_read(length: bytes) -> None:
    assert ask([b"a"], headers=[(b"content-length", length)]) == (413, "body_too_large", 0)


@pytest.mark.parametrize("length", [b"100", b"1", b"0", b"", b"-5", b"x", b"\xb2"])
def test_a_length_that_says_less_is_not_believed(length: bytes) -> None:
    assert ask([b"a" * 101], headers=[(b"content-length", length)]) == (413, "body_too_large", 1)


def test_of_two_lengths_the_worse_counts() -> None:
    assert ask([b"a"], headers=[(b"content-length", b"101"), (b"content-length", b"1")])[0] == 413


@pytest.mark.parametrize(
    "encodings", [[b"gzip"], [b"br"], [b"GZIP"], [b"identity, gzip"], [b"gzip", b"identity"], [b"x"]]
)
def test_a_compressed_body_is_refused_before_it_is_read(encodings: list[bytes]) -> None:
    headers = [(b"content-encoding", encoding) for encoding in encodings]
    assert ask([b"a"], headers=headers) == (415, "unsupported_encoding", 0)


@pytest.mark.parametrize("encoding", [b"", b"identity", b" Identity "])
def test_a_body_that_is_as_it_is_goes_through(encoding: bytes) -> None:
    assert ask([b"a"], headers=[(b"content-encoding", encoding)])[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("PUT", "/v1/articles/kb-101", MAX_ARTICLE),
        ("POST", "/v1/articles/kb-101", MAX_BODY),
        ("DELETE", "/v1/articles/kb-101", MAX_BODY),
        ("PUT", "/v1/articles", MAX_BODY),
        ("PUT", "/v1/articlesx/a", MAX_BODY),
        ("PUT", "/v1/tickets/v1/articles/a", MAX_BODY),
        ("PUT", "/v1/tickets/T-1", MAX_BODY),
        ("POST", "/v1/suggestions", MAX_BODY),
        ("GET", "/console", MAX_BODY),
    ],
)
def test_an_article_that_is_put_may_be_longer(method: str, path: str, most: int) -> None:
    parts = [b"a" * MEGABYTE] * (most // MEGABYTE)
    assert ask(parts, limit=MAX_BODY, method=method, path=path)[:2] == (200, str(most))
    assert ask([*parts, b"a"], limit=MAX_BODY, method=method, path=path)[:2] == (413, "body_too_large")


def test_an_answer_that_has_begun_cannot_become_another() -> None:
    with pytest.raises(HTTPException):
        ask([b"a" * 101], begins)


def test_other_errors_are_left_to_others() -> None:
    with pytest.raises(HTTPException, match="own"):
        ask([b"a"], fails)


def test_what_is_no_request_is_left_alone() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    asyncio.run(BodyLimit(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


@pytest.fixture(scope="module")
def server() -> Iterator[SmallServer]:
    with small_server() as running:
        yield running


def send_chunks(server: SmallServer, head: bytes, megabytes: int) -> bytes:
    """Send a body in chunks of a megabyte without an end; return the answer's beginning."""
    with server.connect() as connection:
        connection.sendall(head + b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(megabytes):
            connection.sendall(b"%x\r\n" % MEGABYTE + b"a" * MEGABYTE + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        return connection.recv(200)


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("path", [b"/read", b"/unread", b"/none"])
def test_a_hundred_megabytes_without_length_leave_no_trace(server: SmallServer, path: bytes, at_once: int) -> None:
    answers: list[bytes] = []
    assert send_chunks(server, b"POST " + path + b" HTTP/1.1\r\n", 1)[:8] == b"HTTP/1.1"
    before, most = server.memory(), 0
    threads = [
        threading.Thread(target=lambda: answers.append(send_chunks(server, b"POST " + path + b" HTTP/1.1\r\n", 100)))
        for _ in range(at_once)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, server.memory())
        threads[0].join(0.005)
        for thread in threads:
            thread.join(0)
    expected = {b"/read": b"413", b"/unread": b"200", b"/none": b"404"}[path]
    assert [answer[9:12] for answer in answers] == [expected] * at_once
    assert most - before < 20 * MEGABYTE


def test_an_article_of_ten_megabytes_is_read_and_one_of_a_hundred_is_not(server: SmallServer) -> None:
    assert send_chunks(server, b"PUT /v1/articles/a HTTP/1.1\r\n", 10)[9:12] == b"200"
    assert send_chunks(server, b"PUT /v1/articles/a HTTP/1.1\r\n", 100)[9:12] == b"413"
