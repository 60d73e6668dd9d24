"""The right to be forgotten over HTTP: who may ask, what is told, and what happens while others use the database."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from eval_builders import suggestion
from fastapi import FastAPI

from serve.api import requesters
from serve.error_responses import install_error_handlers
from serve.security.keys import new_key
from serve.security.rate_limits import RateLimiter
from serve.services import Services, Stores
from serve.storage.database import Database
from serve.storage.suggestion_store import StoredSuggestion
from serve.storage.wipe import wipe
from triage.tickets import Requester, Ticket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    folder: Path
    var: Path


@dataclass(frozen=True)
class Desk:
    """What the route needs of a served desk."""

    place: Place


@dataclass(frozen=True)
class Api:
    app: FastAPI
    stores: Stores

    def delete(self, path: str, *scopes: str) -> httpx.Response:
        key = new_key()
        self.stores.keys.add(key, "demo", scopes or ("admin",), NOW, NOW + timedelta(days=1))

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.delete(path, headers={"Authorization": f"Bearer {key}"})

        return asyncio.run(ask())


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    database = Database.open(f"sqlite:///{tmp_path / 'firstline.db'}")
    stores, desk = Stores.of(database), Desk(Place(tmp_path / "desk", tmp_path / "var"))
    app = FastAPI()
    app.state.services = Services({"demo": desk}, stores, RateLimiter(database), lambda: NOW)  # type: ignore[dict-item]
    install_error_handlers(app)
    app.include_router(requesters.router)
    yield Api(app, stores)
    database.close()


def add(stores: Stores, id: str, requester: str) -> None:
    ticket = Ticket(id=id, body="x", requester=Requester(id=requester))
    stores.suggestions.add("demo", StoredSuggestion(ticket, suggestion(id=f"s-{id}", ticket_id=id), NOW))


def test_a_requester_is_erased_by_id_and_twice_does_no_harm(api: Api) -> None:
    add(api.stores, "T-1", "c-7")
    add(api.stores, "T-2", "c-8")
    told = api.delete("/v1/requesters/c-8").json()
    removed = {"tickets": 1, "messages": 0, "suggestions": 1, "feedback": 0, "answers": 0}
    assert told == {
        "tickets": ["T-2"],
        "removed": removed,
        "files": {},
        "generations": [],
        "overwritten": True,
        "to_do": [],
    }
    again = api.delete("/v1/requesters/c-8")
    assert (again.status_code, again.json()["removed"]["tickets"]) == (200, 0)
    assert api.stores.tickets.get("demo", "T-1") is not None


def test_only_who_may_administer_a_desk_erases(api: Api) -> None:
    add(api.stores, "T-1", "c-7")
    answer = api.delete("/v1/requesters/c-7", "triage", "suggest", "feedback", "knowledge:write")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert api.stores.tickets.get("demo", "T-1") is not None


@pytest.mark.parametrize("id", ["%20", "%00", "a%00b", "a%0Ab", "x" * 129])
def test_an_id_that_nobody_can_have_is_refused(api: Api, id: str) -> None:
    answer = api.delete(f"/v1/requesters/{id}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_what_could_not_be_overwritten_is_told(api: Api) -> None:
    told = api.delete("/v1/requesters/c-7?overwrite=false").json()
    assert told["overwritten"] is False
    assert "command line" in told["to_do"][0]


def test_a_database_that_others_hold_is_not_overwritten_and_nothing_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.storage.database.BUSY_TIMEOUT", 20)
    mine, other = (Database.open(f"sqlite:///{tmp_path / 'shared.db'}") for _ in range(2))
    with other.writing():
        assert not wipe(mine)
    with other.reading() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT * FROM desks").all()
        assert not wipe(mine)
    assert wipe(mine)
    mine.close()
    other.close()
