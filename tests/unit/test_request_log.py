"""One line and one measurement to a request, whatever becomes of it."""

import asyncio
import logging
from typing import Any

import pytest
from fastapi import FastAPI, Request
from prometheus_client import generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve import metrics
from serve.api import operations
from serve.logs import event_of, request_id
from serve.request_log import CLIENT_LEFT, UNMATCHED, RequestLog
from serve.security.keys import Caller

SECRET = "T-1-of-a-customer"


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/v1/tickets/{ticket_id}")
    def ticket(ticket_id: str, request: Request) -> dict[str, str | None]:
        request.state.caller = Caller("k1", "demo", frozenset())
        return {"id": request_id.get(), "state": request.state.request_id}

    @app.get("/fails")
    async def fails() -> None:
        raise ArithmeticError(SECRET)

    app.include_router(operations.router)
    return app


def ask(
    path: str, method: str = "GET", headers: list[tuple[bytes, bytes]] | None = None, app: ASGIApp | None = None
) -> list[Message]:
    """Send a request through a `RequestLog` and return what it answers."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": headers or [],
        "query_string": b"q=" + SECRET.encode(), "root_path": "", "scheme": "http", "http_version": "1.1",
    }  # fmt: skip
    ticks = iter((10.0, 10.25))
    log = RequestLog(app or application(), lambda: "made", lambda: next(ticks))
    asyncio.run(log(scope, receive, send))
    return sent


def id_in(answer: list[Message]) -> list[bytes]:
    return [value for name, value in answer[0]["headers"] if name == b"x-request-id"]


def told(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    (record,) = (record for record in caplog.records if record.name == "firstline.requests")
    return dict(event_of(record))


@pytest.fixture(autouse=True)
def every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "firstline")


def test_a_line_names_the_template_and_who_called_but_neither_path_nor_query(caplog: pytest.LogCaptureFixture) -> None:
    ask(f"/v1/tickets/{SECRET}")
    line = told(caplog)
    assert {name: line[name] for name in ("event", "method", "route", "status", "ms", "desk", "key_id", "level")} == {
        "event": "request", "method": "GET", "route": "/v1/tickets/{ticket_id}", "status": 200, "ms": 250.0,
        "desk": "demo", "key_id": "k1", "level": "info",
    }  # fmt: skip
    assert SECRET not in str(line)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ([], b"made"),
        ([(b"x-request-id", b"Abc-1.2_3")], b"Abc-1.2_3"),
        ([(b"x-request-id", b"a" * 64)], b"a" * 64),
        ([(b"x-request-id", b"a" * 65)], b"made"),
        ([(b"x-request-id", b"")], b"made"),
        ([(b"x-request-id", b"a b")], b"made"),
        ([(b"x-request-id", b"a\xe4")], b"made"),
        ([(b"x-request-id", b"a\n")], b"made"),
        ([(b"x-request-id", b"a"), (b"x-request-id", b"b")], b"made"),
    ],
)
def test_an_id_is_taken_where_it_is_well_formed_and_always_answered(
    headers: list[tuple[bytes, bytes]], own: bytes
) -> None:
    answer = ask("/v1/tickets/1", headers=headers)
    assert id_in(answer) == [own]
    assert answer[1]["body"] == b'{"id":"%s","state":"%s"}' % (own, own)
    assert request_id.get() is None


def test_a_path_of_no_route_and_a_method_of_nobody_are_not_written(caplog: pytest.LogCaptureFixture) -> None:
    ask(f"/{SECRET}", method=SECRET)
    line = told(caplog)
    assert (line["route"], line["method"], line["status"]) == (UNMATCHED, "other", 404)
    numbers = generate_latest(metrics.REGISTRY).decode()
    assert f'firstline_requests_total{{method="other",route="{UNMATCHED}",status="404"}}' in numbers
    assert SECRET not in numbers + caplog.text


def test_a_method_that_a_route_does_not_have_is_told_by_its_template(caplog: pytest.LogCaptureFixture) -> None:
    ask("/v1/tickets/1", method="DELETE")
    assert (told(caplog)["route"], told(caplog)["status"]) == ("/v1/tickets/{ticket_id}", 405)


def test_health_is_told_at_debug_while_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    ask("/health/live")
    assert told(caplog)["level"] == "debug"


def test_an_error_of_the_server_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ArithmeticError):
        ask("/fails")
    line = told(caplog)
    assert (line["level"], line["status"], line["route"]) == ("warning", 500, "/fails")
    assert SECRET not in str(line)


def test_a_client_that_left_before_the_answer_is_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return None

    assert ask("/x", app=silent) == []
    assert told(caplog)["status"] == CLIENT_LEFT


def test_requests_are_counted_in_and_out() -> None:
    during: list[float] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        during.append(in_flight())
        raise ArithmeticError

    before = in_flight()
    with pytest.raises(ArithmeticError):
        ask("/x", app=app)
    assert during == [before + 1]
    assert in_flight() == before


def test_one_of_many_refusals_is_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["untold"] = True
        await send({"type": "http.response.start", "status": 503, "headers": []})

    def refused() -> float:
        labels = {"method": "GET", "route": UNMATCHED, "status": "503"}
        return metrics.REGISTRY.get_sample_value("firstline_requests_total", labels) or 0.0

    before = refused()
    ask("/x", app=refusing)
    assert refused() == before + 1
    assert not [record for record in caplog.records if record.name == "firstline.requests"]


def in_flight() -> float:
    return metrics.REGISTRY.get_sample_value("firstline_requests_in_flight") or 0.0


def test_what_is_no_http_request_passes_by(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Any: ...

    asyncio.run(RequestLog(app, lambda: "made")({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]
    assert not caplog.records
