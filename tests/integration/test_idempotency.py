"""Idempotency-Key: what is sent again is carried out once, whoever else sends it, and answered as it was."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from served_process import DEADLINE, Home, make_home, serving
from sqlalchemy import Row, func, select, text
from starlette.types import Message, Scope

from serve.body_limits import BodyLimit
from serve.error_responses import install_error_handlers
from serve.idempotency import Idempotency, Keeping
from serve.safe_answers import SafeAnswers
from serve.security.keys import SCOPES, Caller, KeyStore, new_key
from serve.storage.database import Database
from serve.storage.idempotency_store import KEPT, LEASE, Claim, IdempotencyStore
from serve.storage.tables import idempotency_keys, messages

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
THINGS = "/v1/things"
KEY, EVENT = {"Authorization": "of desk", "Idempotency-Key": "event-1"}, {"event": "ticket.created"}
MAX_BODY = 10_000
EVENTS, PROCESSES = 100, 2


@dataclass
class Desk:
    """A route that counts what it carries out, behind the middleware; its answer, its clock and its gate are ours."""

    database: Database
    status: int = 201
    fails: bool = False
    now: datetime = NOON
    gate: asyncio.Event | None = None
    carried_out: list[bytes] = field(default_factory=list)
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.app = FastAPI()
        install_error_handlers(self.app)
        for path in (THINGS, "/v1/others", "/things"):
            self.app.add_api_route(path, self.carry_out, methods=["POST", "PUT"])
        numbers = iter(range(10_000))
        store = IdempotencyStore(self.database)
        keeping = Keeping(store, caller_of, lambda: self.now, lambda: f"try {next(numbers)}")
        self.app.add_middleware(Idempotency, keeping=keeping)
        self.app.add_middleware(BodyLimit, limit=MAX_BODY)
        self.app.add_middleware(SafeAnswers)

    async def carry_out(self, request: Request) -> Response:
        if "authorization" not in request.headers:
            return Response(status_code=401)
        self.carried_out.append(await request.body())
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            raise ArithmeticError
        told = json.dumps({"number": len(self.carried_out), "name": "ä😀"}, ensure_ascii=False)
        headers = {"ETag": '"1"', "Location": "/v1/things/1", "X-Other": "x"}
        return Response(None if self.status == 204 else told, self.status, headers, "application/json")

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://desk.example", headers=KEY)

    def ask(self, method: str = "POST", path: str = THINGS, **more: Any) -> httpx.Response:
        async def story() -> httpx.Response:
            async with self.client() as client:
                return await client.request(method, path, **({"json": EVENT} | more))

        return asyncio.run(story())

    def rows(self) -> list[Row[Any]]:
        with self.database.reading() as connection:
            return list(connection.execute(select(idempotency_keys)).all())


def caller_of(scope: Scope) -> Caller | None:
    """The caller that the header names: `of DESK`."""
    given = dict(scope["headers"]).get(b"authorization", b"").decode()
    return Caller(f"key of {given[3:]}", given[3:], frozenset()) if given.startswith("of ") else None


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = Database.open(f"sqlite:///{tmp_path / 'x.db'}")
    yield Desk(database)
    database.close()


def problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["code"] == code


def test_the_same_request_again_is_answered_as_it_was(desk: Desk) -> None:
    first, again = desk.ask(), desk.ask()
    assert (first.status_code, first.json()["number"], first.json()["name"]) == (201, 1, "ä😀")
    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.content) == (201, first.content)
    kept = {name: again.headers.get(name) for name in ("content-type", "etag", "location", "x-other")}
    assert kept == {
        "content-type": "application/json", "etag": '"1"', "location": "/v1/things/1", "x-other": None
    }  # fmt: skip
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-content-type-options"] == "nosniff"
    assert desk.carried_out == [json.dumps(EVENT, separators=(",", ":")).encode()]


def test_without_the_header_each_request_counts(desk: Desk) -> None:
    async def story() -> list[int]:
        async with desk.client() as client:
            del client.headers["idempotency-key"]
            return [(await client.post(THINGS, json=EVENT)).json()["number"] for _ in range(3)]

    assert asyncio.run(story()) == [1, 2, 3]
    assert desk.rows() == []


@pytest.mark.parametrize(("method", "path"), [("PUT", THINGS), ("POST", "/things")])
def test_the_header_is_for_posts_of_the_api_alone(desk: Desk, method: str, path: str) -> None:
    assert [desk.ask(method, path).json()["number"] for _ in range(2)] == [1, 2]
    assert desk.rows() == []


@pytest.mark.parametrize(
    "key", ["k", "k" * 255, "a b", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "".join(map(chr, range(33, 127)))]
)
def test_a_key_is_any_printable_ascii(desk: Desk, key: str) -> None:
    answers = [desk.ask(headers={"Idempotency-Key": key}) for _ in range(2)]
    assert [answer.json()["number"] for answer in answers] == [1, 1]
    assert [row.idempotency_key for row in desk.rows()] == [key]


@pytest.mark.parametrize(
    "key", [b"", b"k" * 256, b"k" * 60_000, "ä".encode(), b"a\tb", b"a\x7f", b" a", b"a ", b"\xff"]
)
def test_any_other_key_is_refused(desk: Desk, key: bytes) -> None:
    problem(desk.ask(headers={b"Idempotency-Key": key}), 422, "invalid_idempotency_key")
    assert (desk.carried_out, desk.rows()) == ([], [])


def test_two_keys_are_refused(desk: Desk) -> None:
    async def story() -> httpx.Response:
        async with desk.client() as client:
            return await client.post(
                THINGS, json=EVENT, headers=[*client.headers.items(), ("Idempotency-Key", "event-2")]
            )

    problem(asyncio.run(story()), 422, "invalid_idempotency_key")
    assert desk.carried_out == []


def test_who_is_nobody_leaves_no_row(desk: Desk) -> None:
    async def story() -> list[int]:
        async with desk.client() as client:
            del client.headers["authorization"]
            keys = ("event-1", "event-1", "k" * 256)
            return [(await client.post(THINGS, headers={"Idempotency-Key": key})).status_code for key in keys]

    assert asyncio.run(story()) == [401, 401, 401]
    assert desk.rows() == []


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/v1/others"},
        {"path": f"{THINGS}?store=true"},
        {"path": "/v1/%74hings"},
        {"headers": {"Content-Type": "application/merge-patch+json"}},
        {"json": {"event": "ticket.closed"}},
        {"json": None, "content": b""},
        {"json": None, "content": json.dumps(EVENT, indent=1).encode()},
    ],
    ids=str,
)
def test_another_request_by_the_same_key_is_told_so(desk: Desk, other: dict[str, Any]) -> None:
    desk.ask()
    problem(desk.ask(**other), 422, "idempotency_key_reused")
    assert desk.ask().headers["idempotency-replayed"] == "true"
    assert len(desk.carried_out) == 1


def test_the_same_key_of_another_caller_is_another_key(desk: Desk) -> None:
    assert desk.ask().json()["number"] == 1
    assert desk.ask(headers={"Authorization": "of other"}).json()["number"] == 2
    assert desk.ask(headers={"Authorization": "of other"}).json()["number"] == 2


def test_while_it_is_being_answered_the_next_one_is_told_to_wait(desk: Desk) -> None:
    async def story() -> list[httpx.Response]:
        desk.gate = asyncio.Event()
        async with desk.client() as client:
            first = asyncio.create_task(client.post(THINGS, json=EVENT))
            while not desk.carried_out:
                await asyncio.sleep(0.005)
            second, other = await client.post(THINGS, json=EVENT), await client.post(THINGS, json={"event": "other"})
            desk.gate.set()
            return [await first, second, other, await client.post(THINGS, json=EVENT)]

    first, second, other, third = asyncio.run(story())
    problem(second, 409, "idempotency_in_flight")
    assert second.headers["retry-after"] == "1"
    problem(other, 422, "idempotency_key_reused")
    assert (first.status_code, third.content) == (201, first.content)
    assert len(desk.carried_out) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 303])
def test_an_answer_that_did_something_is_kept(desk: Desk, status: int) -> None:
    desk.status = status
    answers = [desk.ask() for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].content == answers[1].content
    assert len(desk.carried_out) == 1
    assert ("content-length" in answers[1].headers) == (status != 204)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 412, 413, 422, 429, 500, 503, 507])
def test_an_error_is_not_kept_so_that_a_retry_is_a_try(desk: Desk, status: int) -> None:
    desk.status = status
    assert desk.ask().status_code == status
    assert desk.rows() == []
    desk.status = 201
    again = desk.ask()
    assert (again.status_code, again.json()["number"]) == (201, 2)
    assert "idempotency-replayed" not in again.headers


def test_a_route_that_fails_leaves_the_key_free(desk: Desk) -> None:
    desk.fails = True
    problem(desk.ask(), 500, "internal_error")
    assert desk.rows() == []
    desk.fails = False
    assert desk.ask().json()["number"] == 2


def test_a_request_that_is_cancelled_leaves_the_key_free(desk: Desk) -> None:
    async def story() -> None:
        desk.gate = asyncio.Event()
        async with desk.client() as client:
            task = asyncio.create_task(client.post(THINGS, json=EVENT))
            while not desk.carried_out:
                await asyncio.sleep(0.005)
            assert len(desk.rows()) == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(story())
    assert desk.rows() == []
    desk.gate = None
    assert desk.ask().json()["number"] == 2


def test_a_key_whose_process_died_is_free_after_the_lease(desk: Desk) -> None:
    desk.ask()
    (row,) = desk.rows()
    dead = Claim(row.desk, row.key_id, row.idempotency_key, row.fingerprint, "a process that died", NOON + 2 * KEPT)
    assert IdempotencyStore(desk.database).begin(dead) is None
    desk.now = dead.now + LEASE - timedelta(seconds=1)
    problem(desk.ask(), 409, "idempotency_in_flight")
    desk.now = dead.now + LEASE
    assert desk.ask().json()["number"] == 2


def test_after_a_day_it_is_carried_out_again(desk: Desk) -> None:
    assert desk.ask().json()["number"] == 1
    desk.now = NOON + KEPT
    assert desk.ask().json()["number"] == 1
    desk.now += timedelta(seconds=1)
    assert desk.ask().json()["number"] == 2


def test_a_body_without_length_that_is_too_long_leaves_no_row(desk: Desk) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"a" * 1_000

    problem(desk.ask(json=None, content=endless()), 413, "body_too_large")
    assert (desk.carried_out, desk.rows()) == ([], [])


def test_a_database_that_is_away_is_told_as_such(desk: Desk) -> None:
    with desk.database.writing() as connection:
        connection.execute(text("ALTER TABLE idempotency_keys RENAME TO away"))
    answer = desk.ask()
    problem(answer, 503, "storage_unavailable")
    assert (answer.headers["retry-after"], desk.carried_out) == ("2", [])
    with desk.database.writing() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO idempotency_keys"))
    assert desk.ask().json()["number"] == 1


def raw(desk: Desk, body: list[Message]) -> list[tuple[Message, int | None]]:
    """Send a request message by message; return each message of the answer, and what was kept by then."""
    sent: list[tuple[Message, int | None]] = []

    async def receive() -> Message:
        return body.pop(0)

    async def send(message: Message) -> None:
        sent.append((message, desk.rows()[0].status))

    headers = [(name.lower().encode(), value.encode()) for name, value in KEY.items()]
    scope = {
        "type": "http", "method": "POST", "path": THINGS, "raw_path": THINGS.encode(), "query_string": b"",
        "headers": headers, "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("desk", 80),
    }  # fmt: skip
    asyncio.run(desk.app(scope, receive, send))
    return sent


def test_whoever_has_an_answer_can_rely_on_its_being_kept(desk: Desk) -> None:
    parts = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request", "body": b"b"}]
    assert [kept for _, kept in raw(desk, parts)] == [201, 201]
    assert desk.carried_out == [b"ab"]


def test_a_client_that_goes_away_amid_its_body_changes_nothing(desk: Desk) -> None:
    assert raw(desk, [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}]) == []
    assert (desk.carried_out, desk.rows()) == ([], [])


@pytest.fixture(scope="module")
def home(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(project, tmp_path_factory.mktemp("idempotency"))


def test_of_one_event_a_hundred_times_at_once_over_two_processes_one_is_carried_out(
    home: Home, tmp_path: Path, database_url: str
) -> None:
    database, key = Database.open(database_url), new_key()
    KeyStore(database).add(key, "demo", SCOPES, NOON, datetime(2100, 1, 1, tzinfo=UTC))
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "event-1"}
    with ExitStack() as stack:
        logs = [tmp_path / str(number) for number in range(PROCESSES)]
        services = [stack.enter_context(serving(home, log, database=database_url)) for log in logs]
        clients = [stack.enter_context(service.client(headers=headers)) for service in services]
        assert clients[0].put("/v1/tickets/T-1", json={"body": "Where is it?"}).status_code == 201
        threads = stack.enter_context(ThreadPoolExecutor(40))
        answers = list(threads.map(lambda number: until_answered(clients[number % PROCESSES]), range(EVENTS)))
    assert Counter(answer.headers.get("idempotency-replayed") for answer in answers) == {None: 1, "true": EVENTS - 1}
    assert len({(answer.status_code, answer.content, answer.headers["etag"]) for answer in answers}) == 1
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(messages)).scalar_one() == 1
    database.close()


def until_answered(client: httpx.Client) -> httpx.Response:
    """Say something to a ticket; again as long as an earlier try is being answered."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        answer = client.post("/v1/tickets/T-1/messages", json={"author": "customer", "text": "Hello?"})
        if answer.status_code != 409:
            assert answer.status_code == 201, answer.text
            return answer
        problem(answer, 409, "idempotency_in_flight")
        time.sleep(0.05)
    raise AssertionError("it is still being answered")
