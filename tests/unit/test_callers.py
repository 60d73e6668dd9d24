"""The dependencies that routes let callers through by: who it is, what it may do, and one budget for each key."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import select

from serve.error_responses import install_error_handlers
from serve.security.callers import caller_with
from serve.security.keys import KeyOptions, KeyStore, id_of, new_key
from serve.security.rate_headers import RateHeaders
from serve.security.rate_limits import RateLimiter
from serve.storage.database import Database
from serve.storage.tables import rate_windows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
END = NOON + timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'callers.db'}")
    yield opened
    opened.close()


@dataclass(frozen=True)
class SmallServices:
    """What the dependencies need of the services."""

    keys: KeyStore
    limits: RateLimiter
    desks: Mapping[str, object] = field(default_factory=lambda: {"demo": None})

    def now(self) -> datetime:
        return NOON + timedelta(seconds=20)


@pytest.fixture
def app(database: Database) -> FastAPI:
    app = FastAPI()
    app.state.services = SmallServices(KeyStore(database), RateLimiter(database))
    install_error_handlers(app)
    app.add_middleware(RateHeaders)
    reads, writes = Depends(caller_with("triage")), Depends(caller_with("admin"))

    @app.get("/v1/read", dependencies=[reads, Depends(caller_with("triage"))])
    @app.get("/v1/other", dependencies=[reads])
    @app.get("/v1/admin", dependencies=[writes])
    @app.get("/health")
    def _answer() -> str:
        return "ok"

    return app


@pytest.fixture
def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk.example")


def key_with(app: FastAPI, per_minute: int | None, *scopes: str) -> str:
    key = new_key()
    app.state.services.keys.add(key, "demo", scopes, NOON, END, KeyOptions(per_minute=per_minute))
    return key


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_every_authenticated_answer_says_where_the_budget_stands(app: FastAPI, client: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {key_with(app, 3, 'triage')}"}
    answers = [await client.get(path, headers=headers) for path in ("/v1/read", "/v1/admin", "/v1/read", "/v1/read")]
    assert [answer.status_code for answer in answers] == [200, 403, 200, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"key";q=3;w=60'}
    assert [answer.headers["ratelimit"] for answer in answers] == [f'"key";r={left};t=40' for left in (2, 1, 0, 0)]
    over = answers[-1]
    assert (over.json()["code"], over.headers["retry-after"]) == ("rate_limited", "40")
    assert over.headers["content-type"] == "application/problem+json"


@pytest.mark.anyio
async def test_nothing_but_the_key_makes_a_budget(app: FastAPI, client: httpx.AsyncClient) -> None:
    key, other = key_with(app, 20, "triage"), key_with(app, 20, "triage")
    spoofs: list[tuple[str, dict[str, str]]] = [
        ("/v1/read", {"Authorization": f"Bearer {key}", "X-Forwarded-For": "203.0.113.9"}),
        ("/v1/read", {"AUTHORIZATION": f"bearer {key}", "Forwarded": "for=198.51.100.7"}),
        ("/v1/other", {"authorization": f"BEARER {key}", "X-Real-IP": "192.0.2.1", "User-Agent": "x"}),
        (f"/v1/read?key={other}&api_key=1", {"Authorization": f"Bearer {key}", "X-Api-Key": other}),
        ("/v1/read/../read", {"Authorization": f"Bearer {key}", "Host": "other.example"}),
    ]
    statuses = Counter(
        [(await client.get(path, headers=headers)).status_code for _ in range(10) for path, headers in spoofs]
    )
    assert statuses == {200: 20, 429: 30}
    assert (await client.get("/v1/read", headers={"Authorization": f"Bearer {other}"})).status_code == 200


@pytest.mark.anyio
async def test_who_is_nobody_costs_no_row_and_gets_no_headers(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    revoked = key_with(app, None, "triage")
    app.state.services.keys.revoke("demo", id_of(revoked), NOON)
    for key in ("", new_key(), revoked, "x" * 41):
        for path in ("/v1/read", "/health"):
            answer = await client.get(path, headers={"Authorization": f"Bearer {key}"} if key else {})
            assert answer.status_code == (200 if path == "/health" else 401)
            assert not [name for name in answer.headers if name.startswith("ratelimit")]
    with database.reading() as connection:
        assert connection.execute(select(rate_windows)).all() == []
