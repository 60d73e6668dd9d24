"""Against real servers on this machine: what a good one answers, and how ten kinds of bad ones end, each in time."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from models.egress import Egress, EgressLimits
from models.errors import (
    GeneratorAnswerError,
    GeneratorError,
    GeneratorRefusedError,
    GeneratorSettingsError,
    GeneratorTimeoutError,
    GeneratorUnavailableError,
)
from models.generator_guards import BoundedGenerator, GuardSettings, RetryingGenerator, estimate_request, guarded
from models.openai_generator import OpenAIEndpoint, OpenAIGenerator, read_answer, retry_after
from models.protocols import GenerationRequest, GenerationResult, TextGenerator

SLACK = 1.0
KEY = "sk-canary-51b0"
CANARY = "canary-7f3a"
ASK = GenerationRequest("Be brief.", f"Where is my parcel? {CANARY}", max_tokens=64, deadline_seconds=5)
SCHEMA = '{"type": "object", "properties": {"text": {"type": "string"}}}'
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Reads the request and lets the server's next answer do as it likes with the connection."""

    server: "Endpoint"
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.asked.append((self.path, dict(self.headers), json.loads(body)))
            answer = self.server.answers[min(len(self.server.asked), len(self.server.answers)) - 1]
        with suppress(OSError):
            answer(self)
        self.close_connection = True

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


class Endpoint(ThreadingHTTPServer):
    """A server that gives its answers in order, the last one again and again."""

    daemon_threads = False

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.lock = answers, threading.Lock()
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        pass


Open = Callable[..., Endpoint]


@pytest.fixture
def opened() -> Iterator[Open]:
    running: list[tuple[Endpoint, threading.Thread]] = []

    def start(*answers: Answer) -> Endpoint:
        server = Endpoint(*answers)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def completion(text: object = "On its way.", **more: object) -> dict[str, object]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 21, "completion_tokens": 4, "total_tokens": 25}
    return {"id": "x", "model": "small-1", "choices": [choice], "usage": usage, **more}


def saying(value: object, status: int = 200, headers: str = "") -> Answer:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    head = f"HTTP/1.1 {status} Whatever {CANARY}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return lambda handler: handler.raw(head.encode() + body)


def generator(url: str, environment: dict[str, str] | None = None, **more: Any) -> OpenAIGenerator:
    egress = Egress(EgressLimits(allow_loopback=True, connect_seconds=0.5))
    return OpenAIGenerator(OpenAIEndpoint(url, "small-1", **more), egress, environment or {})


def retrying(url: str, pauses: list[float] | None = None) -> TextGenerator:
    """With pauses that are written down and not slept."""
    return RetryingGenerator(
        generator(url), 2, lambda: 0.0, (pauses if pauses is not None else []).append, time.monotonic
    )


# --- a good endpoint


def test_what_is_asked_and_what_comes_back(opened: Open) -> None:
    server = opened(saying(completion()))
    model = generator(server.url, {"MODEL_KEY": KEY}, key_variable="MODEL_KEY")
    assert model.generate(ASK) == GenerationResult("On its way.", 21, 4, model.identity)
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Content-Type"] == "application/json"
    assert headers["Host"] == server.url.removeprefix("http://")
    assert body == {
        "model": "small-1",
        "messages": [{"role": "system", "content": ASK.system}, {"role": "user", "content": ASK.user}],
        "max_tokens": 64,
        "temperature": 0,
        "seed": 0,
        "stream": False,
    }


def test_json_is_asked_for_in_the_way_that_the_endpoint_knows(opened: Open) -> None:
    server = opened(saying(completion()))
    wanted = GenerationRequest("a", "b", schema=SCHEMA)
    generator(server.url).generate(wanted)
    generator(server.url, json_mode="object").generate(wanted)
    generator(server.url, json_mode="schema").generate(wanted)
    generator(server.url, json_mode="schema").generate(ASK)
    named = {"name": "answer", "strict": True, "schema": json.loads(SCHEMA)}
    assert [body.get("response_format") for _, _, body in server.asked] == [
        None,
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": named},
        None,
    ]


def test_models_that_name_things_otherwise_can_be_asked(opened: Open) -> None:
    server = opened(saying(completion()))
    model = generator(f"{server.url}/api/v9/", max_tokens_name="max_completion_tokens", has_temperature=False)
    model.generate(GenerationRequest("a", "b \ud800", max_tokens=7, seed=3))
    ((path, headers, body),) = server.asked
    assert path == "/api/v9/chat/completions"
    assert "Authorization" not in headers
    assert (body["max_completion_tokens"], body["seed"]) == (7, 3)
    assert not {"max_tokens", "temperature"} & set(body)
    assert body["messages"][1]["content"] == "b ?"


def test_the_model_that_answered_is_named_where_it_is_another(opened: Open) -> None:
    server = opened(saying(completion(model="small-1-2026-10-01")), saying(completion(model="evil\nname")))
    model = generator(server.url)
    assert model.generate(ASK).identity == f"{model.identity}=small-1-2026-10-01"
    assert model.generate(ASK).identity == model.identity


@pytest.mark.parametrize(
    "usage", [None, {}, [], {"prompt_tokens": -1, "completion_tokens": True}, {"prompt_tokens": 1e9}]
)
def test_tokens_are_estimated_where_the_endpoint_does_not_count_them(usage: object) -> None:
    body = json.dumps(completion("a" * 30, usage=usage)).encode()
    answer = read_answer(body, ASK, "x")
    assert (answer.tokens_in, answer.tokens_out, answer.is_estimated) == (estimate_request(ASK), 10, True)


def test_a_text_can_be_stored_whatever_it_holds() -> None:
    text = read_answer(rb'{"choices": [{"message": {"content": "a \ud800 b"}}]}', ASK, "x").text
    assert text.encode("utf-8") == b"a ? b"


def test_a_text_that_was_cut_says_so() -> None:
    choice = {"message": {"content": "a"}, "finish_reason": "length"}
    assert read_answer(json.dumps({"choices": [choice]}).encode(), ASK, "x").is_cut


# --- ten bad ones, and some more


def hang(handler: Handler) -> None:
    handler.server.closing.wait(20)


def half_a_head(handler: Handler) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-")


def endless(handler: Handler) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not handler.server.closing.wait(0.002):
        handler.raw(b"100\r\n" + b" " * 256 + b"\r\n")


def byte_by_byte(handler: Handler) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
    while not handler.server.closing.wait(0.05):
        handler.raw(b" ")


def head_byte_by_byte(handler: Handler) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.closing.wait(0.05):
        handler.raw(b"a")


def too_long(handler: Handler) -> None:
    body = json.dumps(completion("a" * 6_000_000)).encode()
    handler.raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def claims_more(handler: Handler) -> None:
    body = json.dumps(completion()).encode()
    handler.raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) + 50}\r\n\r\n".encode() + body)


def claims_less(handler: Handler) -> None:
    body = json.dumps(completion()).encode()
    handler.raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) - 50}\r\n\r\n".encode() + body)


FAULTS: dict[str, tuple[Answer, type[GeneratorError], int]] = {
    "hangs": (hang, GeneratorTimeoutError, 1),
    "half a head": (half_a_head, GeneratorUnavailableError, 3),
    "fails": (saying({"error": CANARY}, 500), GeneratorUnavailableError, 3),
    "overloaded": (saying({"error": CANARY}, 529), GeneratorUnavailableError, 3),
    "busy": (saying({"error": CANARY}, 429, "Retry-After: 0\r\n"), GeneratorUnavailableError, 3),
    "busy for long": (saying({"error": CANARY}, 429, "Retry-After: 60\r\n"), GeneratorUnavailableError, 1),
    "no JSON": (saying(f"<html>{CANARY}".encode()), GeneratorAnswerError, 1),
    "no UTF-8": (saying(b'{"a": "\xff"}'), GeneratorAnswerError, 1),
    "deep JSON": (saying(b"[" * 100_000), GeneratorAnswerError, 1),
    "long number": (saying(b'{"choices": ' + b"9" * 10_000 + b"}"), GeneratorAnswerError, 1),
    "another shape": (saying({"result": CANARY}), GeneratorAnswerError, 1),
    "no choices": (saying(completion(choices=[])), GeneratorAnswerError, 1),
    "no message": (saying(completion(choices=[{"text": CANARY}])), GeneratorAnswerError, 1),
    "parts": (saying(completion([{"type": "text", "text": CANARY}])), GeneratorAnswerError, 1),
    "no text": (saying(completion(None)), GeneratorAnswerError, 1),
    "blank": (saying(completion(" \n")), GeneratorAnswerError, 1),
    "too many words": (saying(completion(CANARY * 1_000)), GeneratorAnswerError, 1),
    "without end": (endless, GeneratorTimeoutError, 1),
    "byte by byte": (byte_by_byte, GeneratorTimeoutError, 1),
    "head byte by byte": (head_byte_by_byte, GeneratorTimeoutError, 1),
    "6 MB": (too_long, GeneratorAnswerError, 1),
    "claims more": (claims_more, GeneratorUnavailableError, 3),
    "claims less": (claims_less, GeneratorAnswerError, 1),
    "no such key": (saying({"error": CANARY}, 401), GeneratorRefusedError, 1),
    "no such model": (saying({"error": CANARY}, 404), GeneratorRefusedError, 1),
    "bad request": (saying({"error": CANARY}, 400), GeneratorRefusedError, 1),
    "elsewhere": (saying({}, 307, f"Location: https://{CANARY}.example\r\n"), GeneratorRefusedError, 1),
    "accepted": (saying({}, 202), GeneratorRefusedError, 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_endpoint_ends_in_an_error_within_the_deadline(
    fault: str, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    answer, kind, tries = FAULTS[fault]
    server = opened(answer)
    deadline = 0.25 if kind is GeneratorTimeoutError else 5.0
    start = time.monotonic()
    with pytest.raises(kind, match=r"openai:127\.0\.0\.1:\d+/small-1: \w") as caught:
        retrying(server.url).generate(GenerationRequest("Be brief.", CANARY, max_tokens=64, deadline_seconds=deadline))
    assert time.monotonic() - start < deadline + SLACK
    assert type(caught.value) is kind
    assert len(server.asked) == tries
    assert CANARY not in str(caught.value) + caplog.text


def test_nobody_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    pauses: list[float] = []
    with pytest.raises(GeneratorUnavailableError):
        retrying(f"http://127.0.0.1:{port}", pauses).generate(ASK)
    assert len(pauses) == 2


def test_a_failure_that_passes_is_not_seen_by_the_caller(opened: Open) -> None:
    server = opened(saying({}, 503), saying({}, 429, "Retry-After: 2\r\n"), saying(completion()))
    pauses: list[float] = []
    assert retrying(server.url, pauses).generate(ASK).text == "On its way."
    assert pauses == [0.0, 2.0]
    assert len(server.asked) == 3


def test_a_slow_endpoint_holds_its_own_places_and_no_more(opened: Open) -> None:
    server = opened(hang)
    line = BoundedGenerator(generator(server.url), at_once=2, waiting=0, wait_seconds=0)

    def outcome(_: int) -> type[Exception]:
        with pytest.raises(GeneratorError) as caught:
            line.generate(GenerationRequest("", "x", deadline_seconds=0.5))
        return caught.type

    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(outcome, range(8)))
    assert time.monotonic() - start < 0.5 + SLACK
    assert found.count(GeneratorTimeoutError) == 2
    assert found.count(GeneratorRefusedError) == 6


def test_with_all_guards_a_dead_endpoint_is_asked_five_times_and_a_healed_one_again(opened: Open) -> None:
    now = [0.0]
    server = opened(*[saying({}, 500)] * 5, saying(completion()))
    model = guarded(
        generator(server.url), GuardSettings(tokens_per_period=10_000), lambda: 0.0, lambda _: None, lambda: now[0]
    )
    for kind in (GeneratorUnavailableError, GeneratorRefusedError, GeneratorRefusedError):
        with pytest.raises(kind):
            model.generate(ASK)
    assert len(server.asked) == 5
    now[0] = 30.0
    assert model.generate(ASK).text == "On its way."


# --- settings and the key


def test_the_key_is_shown_nowhere(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = opened(saying({"error": KEY}, 401))
    model = generator(server.url, {"MODEL_KEY": KEY}, key_variable="MODEL_KEY")
    with pytest.raises(GeneratorRefusedError, match="check the key") as caught:
        model.generate(ASK)
    shown = f"{model!r} {model.identity} {caught.value!r} {caplog.text} {OpenAIEndpoint('', '', KEY)!r}"
    assert KEY not in shown
    kept = {name: value for name, value in vars(model).items() if name != "_environment"}
    assert KEY not in repr(kept)
    assert server.asked[0][1]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("value", ["", " ", "a b", "schlüssel", "a\nX-Evil: 1", None])
def test_a_variable_that_holds_no_key_is_refused_by_name(value: str | None) -> None:
    environment = {"OTHER": "x"} if value is None else {"MODEL_KEY": value}
    with pytest.raises(GeneratorSettingsError, match="MODEL_KEY") as caught:
        generator("http://127.0.0.1:1", environment, key_variable="MODEL_KEY")
    assert "X-Evil" not in str(caught.value)


def test_a_key_in_the_place_of_its_variables_name_is_not_repeated() -> None:
    with pytest.raises(GeneratorSettingsError, match="NAME") as caught:
        generator("http://127.0.0.1:1", key_variable=KEY)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1/v1", "ftp://x.example", "https://a:b@x.example", "https://x.example/?a=1"]
)
def test_an_address_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    with pytest.raises(GeneratorSettingsError, match="base_url"):
        generator(url)


def test_http_and_our_own_network_need_more_than_an_address() -> None:
    with pytest.raises(GeneratorSettingsError, match="https"):
        OpenAIGenerator(OpenAIEndpoint("http://models.example", "small-1"), Egress())
    model = OpenAIGenerator(OpenAIEndpoint("https://127.0.0.1:1/v1", "small-1"), Egress())
    with pytest.raises(GeneratorRefusedError, match="public"):
        model.generate(ASK)


@pytest.mark.parametrize("model", ["", "two words", "a\nb", "a" * 200])
def test_a_model_needs_a_name(model: str) -> None:
    with pytest.raises(GeneratorSettingsError, match="model"):
        OpenAIGenerator(OpenAIEndpoint("https://models.example", model), Egress())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 12 "}, 12.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "9" * 30}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:00 GMT", "date": "Sun, 22 Nov 2026 10:00:30 GMT"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:00 -0000", "date": "Sun, 22 Nov 2026 10:00:30 GMT"}, None),
    ],
)
def test_the_pause_that_an_answer_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
