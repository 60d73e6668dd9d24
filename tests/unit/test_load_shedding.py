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
        client = Client(LoadShedding(held, MOST, draw=lambda: 0.0))
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


def test_where_requests_take_long_fewer_are_let_in_and_later_as_many_as_before() -> None:
    async def story() -> None:
        now, held = [0.0], Held()
        shedding = LoadShedding(held, 40, 10, lambda: now[0], lambda: 0.5)
        client = Client(shedding)

        async def let_in(seconds: float) -> int:
            """Send sixty at once, let them take so long, and return how many were let in."""
            held.gate.clear()
            tasks = [asyncio.create_task(client.ask()) for _ in range(60)]
            await asyncio.sleep(0)
            now[0] += seconds
            held.gate.set()
            answers = [answer[0] for answer in await asyncio.gather(*tasks)]
            waits = {dict(one["headers"])[b"retry-after"] for one in answers if one["status"] == 503}
            assert waits <= {str(wait).encode() for wait in range(1, 31)}
            return sum(one["status"] == 200 for one in answers)

        assert [await let_in(0.5) for _ in range(3)] == [40, 40, 40]
        slow = [await let_in(4.0) for _ in range(20)]
        assert slow == sorted(slow, reverse=True)
        assert (slow[0], slow[-1]) == (40, 10)
        held.gate.clear()
        waiting = await client.begin(10)
        # They took 4 seconds: two and a half times that is the middle of what is drawn.
        assert dict((await client.ask())[0]["headers"])[b"retry-after"] == b"10"
        held.gate.set()
        await asyncio.gather(*waiting)
        assert [await let_in(0.5) for _ in range(30)][-1] == 40

    asyncio.run(story())


def test_one_refusal_a_second_is_to_be_logged() -> None:
    async def story() -> None:
        now, held, states = [0.0], Held(), list[dict[str, object]]()
        shedding = LoadShedding(held, MOST, clock=lambda: now[0])
        waiting = await Client(shedding).begin(MOST)
        for now[0] in (0.0, 0.1, 0.9, 1.0, 1.5, 7.0):
            scope: Scope = {"type": "http", "path": "/v1/triage", "headers": [], "state": {}}
            await shedding(scope, forbidden, ignored)
            states.append(scope["state"])
        assert [bool(state.get("untold")) for state in states] == [False, True, True, False, True, False]
        held.gate.set()
        await asyncio.gather(*waiting)

    async def forbidden() -> Message:
        raise AssertionError("the body was read")

    async def ignored(message: Message) -> None:
        pass

    asyncio.run(story())
