"""Many requests at once through the real application: they share passes, all answers are right, too many are told."""

import asyncio
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from conftest import build_desk
from eval_builders import without_wording
from fixed_desk import FixedDesk

from models.hashing_encoder import HashingEncoder
from models.micro_batch import MAX_CALLS, MAX_WAITING, MicroBatcher
from models.protocols import FloatArray, Progress, no_progress
from serve.app import create_app
from serve.open_services import open_services
from serve.run_server import ServeSettings, allow_threads
from serve.security.keys import SCOPES, new_key
from serve.services import Services, utc_now
from triage.assembly import build_engine
from triage.suggestions import Suggestion
from triage.tickets import Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
WORDS = ("invoice", "password", "delivery", "refund", "login", "bank feed", "till", "stock")
DEADLINE = 30


class HeldEncoder(HashingEncoder):
    """Encodes once it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        assert self.open.wait(DEADLINE)
        return super().encode(texts, progress)


def copy_desk(project: Path, folder: Path, desk_id: str) -> Path:
    """A desk without history, which builds in a moment, and with the encoder that needs no weights."""
    shutil.copytree(project / "desks" / "demo", folder, ignore=shutil.ignore_patterns("history.jsonl"))
    rules = folder / "desk.toml"
    text = rules.read_text(encoding="utf-8").replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"')
    rules.write_text(text.replace('id = "demo"', f'id = "{desk_id}"'), encoding="utf-8")
    return without_wording(folder)


@pytest.fixture(scope="module")
def settings(project: Path, tmp_path_factory: pytest.TempPathFactory) -> ServeSettings:
    """Two desks, built, with the same encoder."""
    folder = tmp_path_factory.mktemp("service")
    desks = [copy_desk(project, folder / desk, desk) for desk in ("demo", "second")]
    for desk in desks:
        build_desk(desk, folder / "var")
    return ServeSettings(desks, folder / "var", f"sqlite:///{folder / 'service.db'}", "127.0.0.1", 0)


@pytest.fixture
def services(settings: ServeSettings) -> Iterator[Services]:
    services = open_services(settings.desks, settings.var, settings.database_url)
    yield services
    services.close()


def held(services: Services, max_waiting: int) -> tuple[Services, HeldEncoder, MicroBatcher]:
    """The same services over an encoder that waits for its test, and so many places to wait."""
    encoder = HeldEncoder()
    batcher = MicroBatcher(encoder, max_waiting=max_waiting)
    desks = {desk: FixedDesk(desk, replace(services.engine(desk), encoder=batcher)) for desk in services.desks}
    return replace(services, desks=desks), encoder, batcher  # type: ignore[arg-type]


def client_of(services: Services) -> httpx.AsyncClient:
    key = new_key()
    services.keys.add(key, "demo", SCOPES, utc_now(), utc_now().replace(year=2100))
    transport = httpx.ASGITransport(create_app(services, "0"))
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=transport, base_url="http://desk.example", headers=headers)


async def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.001)


def ticket(number: int) -> dict[str, str]:
    words = [WORDS[(number >> (3 * place)) % len(WORDS)] for place in range(3)]
    return {
        "id": f"T-{number}",
        "subject": f"Problem with the {words[0]}",
        "body": f"The {words[1]} and the {words[2]}.",
    }


def told(suggestion: Suggestion) -> dict[str, object]:
    """A suggestion without its id and timing."""
    return suggestion.model_dump(mode="json", exclude={"id", "timing_ms"})


def test_sixty_four_requests_at_once_are_all_answered_right(services: Services, settings: ServeSettings) -> None:
    plain = replace(services.engine("demo"), encoder=build_engine(settings.desks[0], settings.var).encoder)
    expected = [told(plain.triage(Ticket.model_validate(ticket(number)), "x", NOW)) for number in range(64)]
    shared, encoder, batcher = held(replace(services, now=lambda: NOW), 256)

    async def ask() -> list[httpx.Response]:
        async with client_of(shared) as client:
            requests = [asyncio.ensure_future(client.post("/v1/triage", json=ticket(number))) for number in range(64)]
            await until(lambda: batcher.stats().calls >= 16)
            encoder.open.set()
            return await asyncio.gather(*requests)

    answers = asyncio.run(ask())
    batcher.close()
    assert [answer.status_code for answer in answers] == [200] * 64
    assert [told(Suggestion.model_validate_json(answer.content)) for answer in answers] == expected
    stats = batcher.stats()
    assert stats.calls == 64
    assert stats.passes <= 64 - 14


@pytest.mark.parametrize("path", ["/v1/triage", "/v1/suggestions", "/v1/search"])
def test_one_request_too_many_is_told_to_come_again(services: Services, path: str) -> None:
    shared, encoder, batcher = held(services, 2)
    body = {"query": "password"} if path == "/v1/search" else ticket(1)

    async def ask() -> tuple[httpx.Response, list[httpx.Response]]:
        async with client_of(shared) as client:
            requests = []
            for number in range(3):  # one in a pass, two waiting
                requests.append(asyncio.ensure_future(client.post("/v1/triage", json=ticket(number))))
                await until(lambda number=number: batcher.stats().calls > number)  # type: ignore[misc]
                await until(lambda: batcher.stats().passes == 1)
            refused = await client.post(path, json=body)
            encoder.open.set()
            return refused, [*await asyncio.gather(*requests), await client.post(path, json=body)]

    refused, answered = asyncio.run(ask())
    batcher.close()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "busy"
    assert "try again" in refused.json()["detail"]
    assert [answer.is_success for answer in answered] == [True] * 4
    assert batcher.stats().refused == 1


def test_as_many_may_wait_as_the_queue_holds(services: Services) -> None:
    shared, encoder, batcher = held(services, MAX_WAITING)
    count = MAX_WAITING + 20

    async def ask() -> list[httpx.Response]:
        allow_threads(MAX_WAITING + 2 * MAX_CALLS)
        async with client_of(shared) as client:
            requests = [asyncio.ensure_future(client.post("/v1/triage", json=ticket(1)))]
            await until(lambda: batcher.stats().passes == 1)
            requests += [asyncio.ensure_future(client.post("/v1/triage", json=ticket(1))) for _ in range(count)]
            await until(lambda: batcher.stats().calls + batcher.stats().refused == 1 + count)
            encoder.open.set()
            return await asyncio.gather(*requests)

    answers = asyncio.run(ask())
    batcher.close()
    assert Counter(answer.status_code for answer in answers) == {200: 1 + MAX_WAITING, 429: 20}


def test_desks_with_the_same_encoder_share_it_until_the_service_stops(settings: ServeSettings) -> None:
    services = open_services(settings.desks, settings.var, settings.database_url)
    engines = [services.engine(desk) for desk in ("demo", "second")]
    batcher = engines[0].encoder
    assert isinstance(batcher, MicroBatcher)
    assert engines[1].encoder is batcher
    for engine in engines:
        assert engine.triage(Ticket(subject="Cannot log in"), "x", NOW).kind == "request"
    assert batcher.stats().calls == 2
    workers = [thread for thread in threading.enumerate() if thread.name == "micro-batch"]
    assert len(workers) == 1
    services.close()
    assert not workers[0].is_alive()
