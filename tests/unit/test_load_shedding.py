"""Past a number of requests in flight the next is turned away at once."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest
from starlette.types import Message, Receive, Scope, Send

from serve.load_shedding import LoadShedding

MOST = 3


@dataclass
class Held:
    """An app whose requests take until they are let go; and how many it has begun."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0
    fails: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        await self.gate.wait()
        if self.fails:
            raise ArithmeticError
        await send({"type": "http.response.start", "status": 200, "headers": []})


@dataclass
class Client:
    """Sends requests through one `LoadShedding`; a body is never given."""

    shedding: LoadShedding

    async def ask(self, path: str = "/v1/triage", kind: str = "http") -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            raise AssertionError("the body was read")

        await self.shedding({"type": kind, "path": path, "headers": []}, receive, send)
        return sent

    async def begin(self, count: int) -> list[asyncio.Task[list[Message]]]:
        tasks = [asyncio.create_task(self.ask()) for _ in range(count)]
        await asyncio.sleep(0)
        return tasks


def test_one_too_many_is_told_when_to_come_back_before_its_body_is_read() -> None:
    async def story() -> None:
        held = Held()
        client = Client(LoadShedding(held, MOST))
        waiting = await client.begin(MOST)
        start, body = await asyncio.wait_for(client.ask(), 1)
        headers = dict(start["headers"])
        assert (start["status"], headers[b"retry-after"]) == (503, b"1")
        assert headers[b"content-type"] == b"application/problem+json"
        assert json.loads(body["body"])["code"] == "overloaded"
        assert held.begun == MOST
        held.gate.set()
        assert [answer[0]["status"] for answer in await asyncio.gather(*waiting)] == [200] * MOST

    asyncio.run(story())


@pytest.mark.parametrize("end", ["answered", "failed", "cancelled"])
def test_a_request_that_ends_makes_room_however_it_ends(end: str) -> None:
    async def story() -> None:
        held = Held(fails=end == "failed")
        client = Client(LoadShedding(held, MOST))
        waiting = await client.begin(MOST)
        if end == "cancelled":
            for task in waiting:
                task.cancel()
        else:
            held.gate.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        held.gate.set()
        held.fails = False
        again = await asyncio.gather(*(client.ask() for _ in range(MOST)))
        assert [answer[0]["status"] for answer in again] == [200] * MOST

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "kind"), [("/health/live", "http"), ("/health/ready", "http"), ("/metrics", "http"), ("", "lifespan")]
)
def test_whoever_looks_after_the_service_always_gets_through(path: str, kind: str) -> None:
    async def story() -> None:
        held = Held()
        client = Client(LoadShedding(held, MOST))
        waiting = await client.begin(MOST)
        look = asyncio.create_task(client.ask(path, kind))
        await asyncio.sleep(0)
        assert held.begun == MOST + 1
        held.gate.set()
        assert (await look)[0]["status"] == 200
        await asyncio.gather(*waiting)

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/metrics/", "/metricsx", "/health", "/health/x", "//metrics", "/v1/health/live"])
def test_no_other_path_gets_past_the_limit(path: str) -> None:
    async def story() -> None:
        held = Held()
        client = Client(LoadShedding(held, MOST))
        waiting = await client.begin(MOST)
        assert (await client.ask(path))[0]["status"] == 503
        held.gate.set()
        await asyncio.gather(*waiting)

    asyncio.run(story())
