"""Feedback as platforms send it and leads approve it, over the real routes, a real desk and a real SQLite file."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import build_desk
from eval_builders import suggestion, without_wording
from fastapi import FastAPI

from serve.api import feedback
from serve.error_responses import install_error_handlers
from serve.security.keys import KeyStore, new_key
from serve.security.rate_limits import RateLimiter
from serve.served_desk import DeskPlace, ServedDesk
from serve.services import Services, Stores
from serve.storage.database import Database
from serve.storage.suggestion_store import StoredSuggestion
from triage.history import NoHistory
from triage.suggestions import Draft
from triage.tickets import Ticket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DRAFT = "Hello Ann, choose Reset and wait for the mail."
EDITED = {"verdict": "edited", "final_text": "Hello Ann, choose Reset.", "agent": "niamh"}


@dataclass(frozen=True)
class Api:
    app: FastAPI
    services: Services
    keys: dict[str, str]

    def __call__(self, method: str, path: str, key: str = "agent", **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                headers = {"Authorization": f"Bearer {self.keys[key]}"}
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(ask())

    def suggest(self, id: str = "s1", ticket: str | None = "T-1", draft: str | None = DRAFT) -> None:
        written = Draft(text=draft, sentences=(), source="articles") if draft else None
        made = suggestion(id=id, ticket_id=ticket, draft=written)
        asked = Ticket(id=ticket, subject="Reset", set_fields={"priority": "high"})
        self.services.suggestions.add("demo", StoredSuggestion(asked, made, NOW))

    def send(self, **body: Any) -> httpx.Response:
        return self("POST", "/v1/suggestions/s1/feedback", json=body)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, project: Path) -> ServedDesk:
    root = tmp_path_factory.mktemp("feedback")
    shutil.copytree(project / "desks" / "demo", root / "desk")
    settings = root / "desk" / "desk.toml"
    settings.write_text(settings.read_text().replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"'))
    build_desk(without_wording(root / "desk"), root / "var")
    database = Database.open(f"sqlite:///{root / 'desk.db'}")
    place = DeskPlace(root / "desk", root / "var", Stores.of(database).articles, lambda _, opened: opened(), no_history)
    desk = ServedDesk(place)
    database.close()
    return desk


def no_history(desk: str, encoder: object) -> NoHistory:
    return NoHistory()


@pytest.fixture
def api(served: ServedDesk, tmp_path: Path) -> Iterator[Api]:
    database = Database.open(f"sqlite:///{tmp_path / 'firstline.db'}")
    stores, clock = Stores.of(database), count_up(NOW)
    services = Services({"demo": served, "other": served}, stores, RateLimiter(database), clock)
    keys = {
        "agent": add_key(stores.keys, "demo", "feedback"),
        "lead": add_key(stores.keys, "demo", "admin"),
        "stranger": add_key(stores.keys, "other", "feedback", "admin"),
    }
    app = FastAPI()
    app.state.services = services
    install_error_handlers(app)
    app.include_router(feedback.router)
    yield Api(app, services, keys)
    database.close()


def count_up(begin: datetime) -> Callable[[], datetime]:
    ticks = iter(range(1_000_000))
    return lambda: begin + timedelta(microseconds=next(ticks))


def add_key(store: KeyStore, desk: str, *scopes: str) -> str:
    key = new_key()
    store.add(key, desk, scopes, NOW, NOW + timedelta(days=1))
    return key


def problem(response: httpx.Response, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.json()["code"] == code
    return str(response.json()["detail"])


def test_an_edited_draft_is_stored_with_the_share_that_was_kept(api: Api) -> None:
    api.suggest()
    answer = api.send(**EDITED, reason="too long")
    assert answer.status_code == 201
    assert answer.json()["kept_ratio"] == pytest.approx(4 / 9, abs=1e-4)
    (item,) = api("GET", "/v1/feedback", "lead").json()["items"]
    assert item["id"] == answer.json()["id"]
    assert (item["suggestion_id"], item["ticket_id"], item["agent"]) == ("s1", "T-1", "niamh")
    assert (item["final_text"], item["reason"]) == (EDITED["final_text"], "too long")
    assert (item["approved_at"], item["approved_by"]) == (None, None)


@pytest.mark.parametrize(
    ("draft", "body", "kept"),
    [
        (DRAFT, {"verdict": "accepted"}, 1.0),
        (DRAFT, {"verdict": "rejected"}, 0.0),
        (None, {"verdict": "edited", "final_text": "my own"}, None),
        (None, {"verdict": "accepted"}, None),
    ],
)
def test_what_was_kept_follows_from_verdict_and_draft(
    api: Api, draft: str | None, body: dict[str, str], kept: float | None
) -> None:
    api.suggest(draft=draft)
    assert api.send(**body).json()["kept_ratio"] == kept


def test_corrected_fields_go_onto_the_ticket_beside_what_was_set(api: Api) -> None:
    api.suggest()
    assert api.send(verdict="accepted", fields={"team": "books", "kind": "request"}).status_code == 201
    ticket = api.services.tickets.get("demo", "T-1")
    assert ticket is not None
    assert ticket.set_fields == {"priority": "high", "team": "books", "kind": "request"}


def test_a_suggestion_without_a_known_ticket_takes_corrections_all_the_same(api: Api) -> None:
    api.suggest()
    with api.services.stores.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM tickets")
    assert api.send(verdict="accepted", fields={"team": "books"}).status_code == 201
    assert api.services.tickets.get("demo", "T-1") is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"verdict": "edited"}, "an edited draft needs final_text"),
        ({"verdict": "edited", "final_text": " "}, "an edited draft needs final_text"),
        ({"verdict": "rejected", "final_text": "x"}, "a rejected draft has no final_text"),
        ({"verdict": "fine"}, "verdict"),
        ({"verdict": "accepted", "reason": "x" * 1001}, "reason"),
        ({"verdict": "accepted", "agent": "x" * 129}, "agent"),
        ({"verdict": "accepted", "agent": ""}, "agent"),
        ({"verdict": "accepted", "colour": "red"}, "colour"),
        ({"verdict": "accepted", "fields": {"team": "boks"}}, "fields.team: unknown team 'boks'; use one of frontline"),
        ({"verdict": "accepted", "fields": {"tier": "1"}}, "fields.tier: unknown field 'tier'; use one of category"),
        ({"verdict": "accepted", "fields": {"kind": "thanks"}}, "fields.kind: unknown kind 'thanks'; only 'request'"),
    ],
)
def test_what_cannot_be_meant_is_told_and_nothing_is_stored(api: Api, body: dict[str, Any], told: str) -> None:
    api.suggest()
    assert told in problem(api.send(**body), 422, "invalid_request")
    assert api("GET", "/v1/feedback", "lead").json() == {"items": [], "next": None}
    ticket = api.services.tickets.get("demo", "T-1")
    assert ticket is not None
    assert ticket.set_fields == {"priority": "high"}


def test_a_lead_approves_and_takes_it_back(api: Api) -> None:
    api.suggest()
    path = f"/v1/feedback/{api.send(**EDITED).json()['id']}/approval"
    lead = api.keys["lead"][3:11]
    for _ in range(2):
        approved = api("POST", path, "lead").json()
        assert approved["approved_by"] == lead
    assert api("GET", "/v1/feedback?approved=false", "lead").json()["items"] == []
    assert api("GET", "/v1/feedback?approved=true", "lead").json()["items"] == [approved]
    assert api("DELETE", path, "lead").json()["approved_by"] is None
    assert api("GET", "/v1/feedback?approved=true", "lead").json()["items"] == []


def test_an_agent_neither_reads_nor_approves(api: Api) -> None:
    api.suggest()
    id = api.send(**EDITED).json()["id"]
    for method, path in (("GET", ""), ("POST", f"/{id}/approval"), ("DELETE", f"/{id}/approval")):
        problem(api(method, f"/v1/feedback{path}"), 403, "not_allowed")
    problem(api("POST", "/v1/suggestions/s1/feedback", "lead", json=EDITED), 403, "not_allowed")


def test_another_desk_finds_nothing(api: Api) -> None:
    api.suggest()
    id = api.send(**EDITED).json()["id"]
    problem(api("POST", "/v1/suggestions/s1/feedback", "stranger", json=EDITED), 404, "not_found")
    problem(api("POST", f"/v1/feedback/{id}/approval", "stranger"), 404, "not_found")
    problem(api("DELETE", f"/v1/feedback/{id}/approval", "stranger"), 404, "not_found")
    assert api("GET", "/v1/feedback", "stranger").json()["items"] == []
    problem(api("POST", "/v1/feedback/none/approval", "lead"), 404, "not_found")


def test_pages_follow_each_other_and_filters_hold(api: Api) -> None:
    api.suggest()
    ids = [api.send(verdict="rejected" if number % 2 else "accepted").json()["id"] for number in range(5)]
    found, path = [], "/v1/feedback?limit=2"
    while True:
        page = api("GET", path, "lead").json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        path = f"/v1/feedback?limit=2&cursor={page['next']}"
    assert found == ids[::-1]
    rejected = api("GET", "/v1/feedback?verdict=rejected", "lead").json()["items"]
    assert [item["id"] for item in rejected] == [ids[3], ids[1]]
    assert api("GET", "/v1/feedback?since=2027-01-01T00:00:00Z", "lead").json()["items"] == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "verdict=fine", "since=2026-01-01T00:00:00", "cursor=", "cursor=x", "cursor=W10",
     "cursor=%00", "cursor=WyIyMDI2LTExLTIyVDEyOjAwOjAwIiwgImEiXQ", f"cursor={'x' * 601}", "approved=perhaps"],
)  # fmt: skip
def test_a_query_that_cannot_be_meant_is_told(api: Api, query: str) -> None:
    problem(api("GET", f"/v1/feedback?{query}", "lead"), 422, "invalid_request")
