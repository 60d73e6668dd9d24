"""Odd JSON over a route: 400 or 422 with a stable code, never 500 and never silence (threat T12)."""

import json
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import given
from hypothesis import strategies as st

from serve.error_responses import install_error_handlers
from serve.safe_answers import SafeAnswers
from serve.strict_json import LARGE, MAX_DEPTH, MAX_DIGITS, MAX_PARTS, StrictJsonRoute, read_json
from triage.tickets import Ticket, WireModel

MEGABYTE = 1_000_000


class Loose(WireModel):
    """A shape that leaves everything to JSON."""

    items: list[dict[str, Any]]


def application() -> FastAPI:
    app, router = FastAPI(), APIRouter(route_class=StrictJsonRoute)

    @router.post("/tickets")
    def ticket(ticket: Ticket) -> dict[str, Any]:
        return {"ticket": ticket.model_dump(mode="json")}

    @router.post("/loose")
    def loose(body: Loose) -> Loose:
        return body

    app.include_router(router)
    install_error_handlers(app)
    app.add_middleware(SafeAnswers)
    return app


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return application()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def post(app: FastAPI, body: bytes, path: str = "/tickets", kind: str = "application/json") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk.example") as client:
        return await client.post(path, content=body, headers={"Content-Type": kind})


def with_value(value: bytes) -> bytes:
    """A ticket with this value in it, where numbers may stand."""
    return b'{"body":"x","attributes":{"a":' + value + b"}}"


def nested(depth: int) -> bytes:
    """A ticket whose deepest value stands in so many objects and lists."""
    return with_value(b"[" * (depth - 2) + b"]" * (depth - 2))


UNREADABLE = {
    "not a number": with_value(b"NaN"),
    "infinity": with_value(b"Infinity"),
    "minus infinity": with_value(b"-Infinity"),
    "too large": with_value(b"1e999"),
    "too small": with_value(b"-1e999"),
    "too large by its digits": with_value(b"9" * 400 + b".5"),
    "5,000 digits": with_value(b"9" * 5_000),
    "more digits than a double": with_value(b"9" * (MAX_DIGITS + 1)),
    "too deep": nested(MAX_DEPTH + 1),
    "much too deep": nested(900),
    "too deep beside brackets in texts": nested(MAX_DEPTH + 1).replace(b'"x"', b'"]]]]}}}}\\"]"'),
    "too much": with_value(b"[" + b"[]," * MAX_PARTS + b"{}]"),
    "bottomless lists": b"[" * MEGABYTE,
    "bottomless objects": b'{"a":' * 200_000,
    "a key twice": b'{"body":"x","body":"y"}',
    "a key twice, escaped": b'{"body":"x","b\\u006fdy":"y"}',
    "a key twice, inside": b'{"body":"x","requester":{"id":"a","id":"a"}}',
    "a bad byte": b'{"body":"\xff"}',
    "half of two bytes": b'{"body":"\xc3"}',
    "an overlong slash": b'{"body":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"body":"\xed\xa0\x80"}',
    "a byte order mark": b'\xef\xbb\xbf{"body":"x"}',
    "UTF-16": '{"body":"x"}'.encode("utf-16"),
    "UTF-32": '{"body":"x"}'.encode("utf-32-be"),
    "blank": b" ",
    "NUL": b"\0",
    "a bare NUL in a text": b'{"body":"a\0b"}',
    "a line break in a text": b'{"body":"a\nb"}',
    "half": b'{"body":"x"',
    "two": b'{"body":"x"}{"body":"y"}',
    "a comment": b'{"body":"x"}//',
    "a comma too many": b'{"body":"x",}',
    "single quotes": b"{'body':'x'}",
    "half an escape": b'{"body":"\\u12"}',
    "an octal": with_value(b"010"),
    "a plus": with_value(b"+1"),
    "hexadecimal": with_value(b"0x10"),
    "text": b"subject=x&body=y",
}
MISSHAPEN = {
    "nothing": b"",
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "a text": b'"x"',
    "an unknown key": b'{"body":"x","\\ud800":1}',
    "a value that is none of those": b'{"body":"x","messages":[{"author":"\\ud800","text":"x"}]}',
    "half a character as language": b'{"body":"x","language":"\\ud800"}',
    "a distant year": b'{"body":"x","created_at":1e300}',
    "a number where text should be": b'{"body":1e5}',
    "as deep as may be": nested(MAX_DEPTH),
    "as deep as may be, brackets in texts": nested(MAX_DEPTH).replace(b'"x"', b'"' + b'[{\\"' * 99 + b'\\\\"'),
    "side by side": b"[" + b"[]," * 999 + b"{}]",
}


@pytest.mark.anyio
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("path", ["/tickets", "/loose"])
async def test_what_is_no_json_is_400(app: FastAPI, body: bytes, path: str) -> None:
    told = problem(await post(app, body, path), 400, "invalid_json")
    assert told["detail"] == "The body is not JSON that can be read; send one JSON object in UTF-8."


@pytest.mark.anyio
@pytest.mark.parametrize("body", MISSHAPEN.values(), ids=MISSHAPEN)
async def test_json_of_another_shape_is_422(app: FastAPI, body: bytes) -> None:
    problem(await post(app, body), 422, "invalid_request")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/xml", "a" * 5_000]
)
async def test_json_that_calls_itself_otherwise_is_422(app: FastAPI, kind: str) -> None:
    problem(await post(app, b'{"body":"x"}', kind=kind), 422, "invalid_request")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"\\ud83d\\ude00", "😀"), (b"a\\ud800b", "a�b"), (b"\\udc00", "�"), (b"\\ude00\\uD83D", "��"),
        (b"\\ud800\\ud83d\\ude00", "�😀"), (b"\\\\ud800", "\\ud800"), (b"\\\\\\ud800", "\\�"),
        (b"\\u00e4\\ud800", "ä�"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [0, LARGE])
async def test_half_a_character_is_no_reason_to_lose_a_ticket(
    app: FastAPI, written: bytes, read: str, size: int
) -> None:
    body = b'{"items":[{"' + written + b'":["' + written + b'", 1.5, 10, "' + b"x" * size + b'"]}]}'
    answer = await post(app, body, "/loose")
    assert (answer.status_code, answer.json()) == (200, {"items": [{read: [read, 1.5, 10, "x" * size]}]})


@pytest.mark.anyio
async def test_half_a_character_in_a_ticket_is_replaced(app: FastAPI) -> None:
    answer = await post(app, b'{"body":"a\\ud800","attributes":{"\\udc00":"\\ud83d"},"tags":["\\udbff"]}')
    ticket = answer.json()["ticket"]
    assert (ticket["body"], ticket["attributes"], ticket["tags"]) == ("a�", {"�": "�"}, ["�"])


@pytest.mark.anyio
async def test_as_much_is_read_as_a_full_body_of_messages_has(app: FastAPI) -> None:
    message = b'{"author":"bot","text":"[{"}'
    body = b'{"items":[' + b",".join([message] * (MEGABYTE // (len(message) + 1) - 1)) + b"]}"
    answer = await post(app, body, "/loose")
    assert (answer.status_code, len(answer.json()["items"])) == (200, body.count(b"author"))


@pytest.mark.anyio
@pytest.mark.parametrize("value", [b"9" * MAX_DIGITS, b"-1e308", b"5e-324", b"1e-999", b"-0", b"true"])
async def test_any_number_that_can_be_reckoned_with_is_read(app: FastAPI, value: bytes) -> None:
    answer = await post(app, with_value(value))
    assert (answer.status_code, answer.json()["ticket"]["attributes"]["a"]) == (200, json.loads(value))


def shapes() -> Iterator[tuple[str, bytes]]:
    """A megabyte of what has been slow elsewhere."""
    keys = b",".join(b'"%d":0' % number for number in range(MEGABYTE // 10))
    yield "open lists", b"[" * MEGABYTE
    yield "open objects", b'{"":' * (MEGABYTE // 4)
    yield "open texts", b'["' * (MEGABYTE // 2)
    yield "many lists", b"[" + b"[]," * (MEGABYTE // 3) + b"[]]"
    yield "deep lists", b"[" + (b"[" * 60 + b"]" * 60 + b",") * (MEGABYTE // 121) + b"0]"
    yield "wide objects", b"{" + keys + b"}"
    yield "nested objects", b'{"a":[' + b'{"b":{"c":{}}},' * (MEGABYTE // 15) + b"0]}"
    yield "half characters", b'"' + b"\\ud800" * (MEGABYTE // 6) + b'"'
    yield "long number", b"9" * MEGABYTE
    yield "long fraction", b"0." + b"9" * MEGABYTE
    yield "open escapes", b"[" * 65 + b'"' + b'\\"' * (MEGABYTE // 2)
    yield "texts", b"[" * 64 + b'"a",' * (MEGABYTE // 4) + b"[" * 64
    yield "backslashes", b'"' + b"\\\\" * (MEGABYTE // 2) + b'"'
    yield "blanks", b" " * MEGABYTE + b"0"


@pytest.mark.parametrize(("name", "body"), list(shapes()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_megabyte_of_anything_takes_no_longer_than_its_length(name: str, body: bytes) -> None:
    spent = min(seconds_for(body) for _ in range(3))
    # Measured: 1 to 130 ms; whatever is quadratic takes minutes.
    assert spent < 1, f"{name}: {spent:.3f} s"


def test_a_megabyte_of_brackets_is_refused_at_once() -> None:
    assert min(seconds_for(b"[" * MEGABYTE) for _ in range(3)) < 0.2


def seconds_for(body: bytes) -> float:
    start = time.process_time()
    with suppress(json.JSONDecodeError):
        read_json(body)
    return time.process_time() - start


@pytest.mark.parametrize("body", [b'{"body":"the customer', b'{"body":"the customer\xff"}', b'["the customer", NaN]'])
def test_an_error_is_no_place_for_a_ticket_s_text(body: bytes) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        read_json(body)
    assert caught.value.doc == ""
    assert "customer" not in "".join(traceback.format_exception(caught.value))


plain = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(plain, inner, max_size=5),
    max_leaves=20,
)


@given(values, st.booleans())
def test_what_any_program_writes_is_read_as_it_was_meant(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert read_json(body) == value


@given(st.binary(max_size=40) | st.text('[]{}":,\\ud80cNaInfty019.e-+ \0', max_size=40).map(str.encode))
def test_no_bytes_raise_anything_else_or_yield_what_cannot_be_sent(body: bytes) -> None:
    try:
        value = read_json(body)
    except json.JSONDecodeError:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    told: dict[str, Any] = answer.json()
    assert told["code"] == code
    return told
