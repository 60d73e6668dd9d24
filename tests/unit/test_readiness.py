"""Whether requests should be sent here: the states, the probe, and the two addresses that say so."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from serve.api import operations
from serve.error_responses import install_error_handlers
from serve.readiness import CloseWhenDraining, Probe, Readiness, Spans
from serve.security.rate_limits import RateLimiter
from serve.services import Services, Stores
from serve.storage.database import Database

DEADLINE = 30


def test_it_goes_one_way() -> None:
    readiness = Readiness()
    assert readiness.state == "starting"
    readiness.open()
    assert readiness.state == "ready"
    readiness.drain()
    readiness.open()
    assert readiness.state == "draining"


class Pings:
    """A database that answers, fails or hangs, as it is told."""

    def __init__(self) -> None:
        self.count, self.fails = 0, False
        self.open = threading.Event()
        self.open.set()

    def __call__(self) -> None:
        self.count += 1
        assert self.open.wait(DEADLINE)
        if self.fails:
            raise ArithmeticError


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_an_answer_is_believed_for_a_second() -> None:
    pings, now = Pings(), 100.0

    async def test() -> None:
        nonlocal now
        probe = Probe(pings, lambda: now)
        assert await probe.answers()
        pings.fails, now = True, 100.99
        assert await probe.answers()
        assert pings.count == 1
        now = 101.0
        assert not await probe.answers()
        pings.fails, now = False, 101.5
        assert not await probe.answers()
        now = 102.0
        assert await probe.answers()
        assert pings.count == 3

    run(test)


def test_many_who_ask_at_once_ask_the_database_once() -> None:
    pings = Pings()

    async def test() -> None:
        probe = Probe(pings)
        assert all(await asyncio.gather(*(probe.answers() for _ in range(50))))
        assert pings.count == 1

    run(test)


def test_a_database_that_hangs_is_told_soon_and_holds_one_thread() -> None:
    pings = Pings()
    pings.open.clear()

    async def test() -> None:
        probe = Probe(pings, spans=Spans(believed=0.0, patience=0.02))
        before = threading.active_count()
        for _ in range(5):
            assert not await probe.answers()
        assert threading.active_count() <= before + 1
        assert pings.count == 1
        pings.open.set()
        end = time.monotonic() + DEADLINE
        while not await probe.answers():
            assert time.monotonic() < end

    run(test)


def test_an_answer_that_is_late_is_not_taken_for_none_until_it_is_long_overdue() -> None:
    pings, now = Pings(), 100.0

    async def test() -> None:
        nonlocal now
        probe = Probe(pings, lambda: now, Spans(patience=0.02))
        assert await probe.answers()
        pings.open.clear()
        now = 102.0
        assert await probe.answers()
        now = 106.9
        assert await probe.answers()
        now = 107.0
        assert not await probe.answers()
        assert pings.count == 2
        pings.open.set()

    run(test)


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    database = Database.open(f"sqlite:///{tmp_path / 'x.db'}")
    app = FastAPI()
    app.state.services = Services({}, Stores.of(database), RateLimiter(database))
    install_error_handlers(app)
    app.include_router(operations.router)
    return app


def ask(app: FastAPI, path: str, method: str = "GET") -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk.example") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_answers_get_and_head(app: FastAPI, path: str) -> None:
    assert ask(app, path).json() == {"status": "ok"}
    assert ask(app, path, "HEAD").status_code == 200
    assert ask(app, path, "POST").status_code == 405


@pytest.mark.parametrize(("drains", "code"), [(False, "starting"), (True, "draining")])
def test_who_is_not_ready_says_why_and_lives_on(app: FastAPI, drains: bool, code: str) -> None:
    app.state.readiness = Readiness()
    if drains:
        app.state.readiness.drain()
    answer = ask(app, "/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert int(answer.headers["retry-after"]) >= 1
    assert ask(app, "/health/ready", "HEAD").status_code == 503
    assert ask(app, "/health/live").status_code == 200


def test_without_a_database_it_is_not_ready(app: FastAPI) -> None:
    pings = Pings()
    pings.fails = True
    app.state.probe = Probe(pings)
    answer = ask(app, "/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert ask(app, "/health/live").status_code == 200


def test_readiness_waits_for_no_thread_of_the_requests(app: FastAPI) -> None:
    """With all threads of requests taken, both addresses still answer."""
    from anyio import to_thread

    async def test() -> None:
        limiter, release = to_thread.current_default_thread_limiter(), threading.Event()
        limiter.total_tokens = 2
        taken = [asyncio.create_task(to_thread.run_sync(release.wait, DEADLINE)) for _ in range(2)]
        while limiter.available_tokens:
            await asyncio.sleep(0.001)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk.example") as client:
            for path in ("/health/live", "/health/ready"):
                assert (await asyncio.wait_for(client.get(path), DEADLINE / 3)).status_code == 200
        release.set()
        await asyncio.gather(*taken)

    run(test)


def test_connections_end_with_their_next_answer_once_it_drains(app: FastAPI) -> None:
    readiness = Readiness(is_open=True)
    app.add_middleware(CloseWhenDraining, readiness=readiness)
    assert "connection" not in ask(app, "/health/live").headers
    readiness.drain()
    assert ask(app, "/health/live").headers["connection"] == "close"
