"""Tickets over the real routes, a real desk and both databases: put, read, listed, written to, and what triage sees."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from conftest import build_desk
from eval_builders import without_wording
from fastapi import FastAPI
from sqlalchemy import func, select

from serve.api.desk_tickets import MESSAGE_EXAMPLE, RECORD_EXAMPLE, TICKET_EXAMPLE, TicketBody, TicketRecord
from serve.api.problems import Problem
from serve.app import create_app
from serve.security.keys import new_key
from serve.security.rate_limits import RateLimiter
from serve.served_desk import DeskPlace, ServedDesk
from serve.services import Services, Stores
from serve.storage.database import Database
from serve.storage.stored_history import StoredHistory
from serve.storage.tables import messages, tickets
from triage.tickets import Message

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TICKET, THREAD = "/v1/tickets/T-1", "/v1/tickets/T-1/messages"
WORDS = {"subject": "Payout missing", "body": "My payout of last Friday has not arrived on my bank account."}
QUESTION = {"author": "customer", "text": "Hello? Is anybody there?"}
ANSWER = {"author": "agent", "text": "It is on its way."}


@dataclass
class Api:
    app: FastAPI
    services: Services
    keys: dict[str, str]
    seconds: list[int] = field(default_factory=lambda: [0])

    def __call__(self, method: str, path: str, key: str = "demo", **more: Any) -> httpx.Response:
        return asyncio.run(self.ask(method, path, key, **more))

    async def ask(self, method: str, path: str, key: str = "demo", **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            headers = {"Authorization": f"Bearer {self.keys[key]}", **more.pop("headers", {})}
            return await client.request(method, path, headers=headers, **more)

    def put(self, named: str = "T-1", headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        return self("PUT", f"/v1/tickets/{quote(named, safe='')}", json=WORDS | body, headers=headers or {})

    def get(self, named: str = "T-1", key: str = "demo") -> httpx.Response:
        return self("GET", f"/v1/tickets/{quote(named, safe='')}", key)

    def say(self, message: dict[str, Any], named: str = "T-1", **headers: str) -> httpx.Response:
        return self("POST", f"/v1/tickets/{quote(named, safe='')}/messages", json=message, headers=headers)

    def listed(self, **query: Any) -> list[str]:
        answer = self("GET", "/v1/tickets", params=query)
        assert answer.status_code == 200, answer.text
        return [item["ticket"]["id"] for item in answer.json()["items"]]

    def count(self, table: Any) -> int:
        with self.services.stores.database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    """The demo desk, built with the encoder that needs no weights."""
    root = tmp_path_factory.mktemp("desk_tickets")
    shutil.copytree(project / "desks" / "demo", root / "desk")
    settings = root / "desk" / "desk.toml"
    settings.write_text(settings.read_text().replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"'))
    build_desk(without_wording(root / "desk"), root / "var")
    return root


@pytest.fixture
def api(built: Path, database_url: str) -> Iterator[Api]:
    database = Database.open(database_url)
    stores, seconds = Stores.of(database), [0]

    def now() -> datetime:
        seconds[0] += 1
        return NOW + timedelta(seconds=seconds[0])

    def history(desk: str, encoder: Any) -> StoredHistory:
        return StoredHistory(database, desk, encoder, now, lambda: float(seconds[0]))

    desk = ServedDesk(DeskPlace(built / "desk", built / "var", stores.articles, lambda _, opened: opened(), history))
    services = Services({"demo": desk, "other": desk}, stores, RateLimiter(database), now)
    keys = {}
    for name in ("demo", "other", "weak"):
        keys[name], desk_id = new_key(), "other" if name == "other" else "demo"
        stores.keys.add(keys[name], desk_id, ["triage" if name == "weak" else "suggest"], NOW, NOW + DAY)
    yield Api(create_app(services, "test"), services, keys, seconds)
    database.close()


def problem(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = Problem.model_validate(answer.json())
    assert (told.status, told.code) == (status, code)
    return told.detail


def test_a_ticket_is_put_read_and_put_again(api: Api) -> None:
    made = api.put(requester={"id": "c-7"}, messages=[ANSWER], set_fields={"priority": "high"}, tags=["vip"])
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    record = made.json()
    assert (record["status"], record["version"], record["resolved_at"]) == ("open", 1, None)
    assert record["first_reply_at"] == record["created_at"] == record["updated_at"]
    assert record["ticket"]["id"] == "T-1"
    assert record["ticket"]["set_fields"] == {"priority": "high"}
    assert record["ticket"]["messages"][0]["text"] == ANSWER["text"]
    read = api.get()
    assert (read.status_code, read.headers["etag"], read.json()) == (200, '"1"', record)
    again = api("PUT", "/v1/tickets/T-1", json=record["ticket"])
    assert (again.status_code, again.headers["etag"], again.json()) == (200, '"1"', record)
    solved = api.put(status="solved", tags=["vip"], requester={"id": "c-7"})
    assert (solved.status_code, solved.headers["etag"]) == (200, '"2"')
    assert solved.json()["ticket"] == record["ticket"]
    assert solved.json()["resolved_at"] == solved.json()["updated_at"]


def test_a_customer_who_writes_again_reopens_a_solved_ticket(api: Api) -> None:
    api.put(status="solved")
    noted = api.say(ANSWER | {"public": False})
    assert (noted.status_code, noted.headers["etag"]) == (201, '"2"')
    assert noted.json()["status"] == "solved"
    written = api.say(QUESTION | {"created_at": "2026-11-22T11:00:00+02:00"})
    told = written.json()
    assert (told["number"], told["status"], told["version"], told["ticket_id"]) == (3, "open", 3, "T-1")
    assert told["message"] == QUESTION | {"created_at": "2026-11-22T11:00:00+02:00", "public": True}
    kept = api.get().json()
    assert [message["text"] for message in kept["ticket"]["messages"]] == [ANSWER["text"], QUESTION["text"]]
    assert (kept["first_reply_at"], kept["resolved_at"]) == (None, None)


def test_a_message_for_a_ticket_that_is_not_known_is_told_so(api: Api) -> None:
    for message in (QUESTION, ANSWER):
        assert problem(api.say(message), 404, "not_found") == "This desk has no ticket by that id."
    problem(api.get(), 404, "not_found")
    assert (api.count(tickets), api.count(messages)) == (0, 0)


def test_one_event_a_hundred_times_is_one_ticket(api: Api) -> None:
    body = WORDS | {"messages": [QUESTION, ANSWER]}

    async def storm() -> list[httpx.Response]:
        return await asyncio.gather(*(api.ask("PUT", "/v1/tickets/T-1", json=body) for _ in range(100)))

    answers = asyncio.run(storm())
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(200)) == (1, 99)
    assert {answer.headers["etag"] for answer in answers} == {'"1"'}
    assert (api.count(tickets), api.count(messages)) == (1, 2)


def test_one_message_a_hundred_times_by_one_idempotency_key_is_one_message(api: Api) -> None:
    api.put()
    for _ in range(100):
        assert api.say(QUESTION, **{"Idempotency-Key": "event-1"}).status_code == 201
    assert api.count(messages) == 1


def test_who_names_a_version_writes_over_no_other(api: Api) -> None:
    only_new, first = {"If-None-Match": "*"}, {"If-Match": '"1"'}
    assert "leave out If-Match" in problem(api.put(headers=first), 412, "precondition_failed")
    assert "leave out If-Match" in problem(api.put(headers={"If-Match": "*"}), 412, "precondition_failed")
    assert api.put(headers=only_new).status_code == 201
    assert "leave out If-None-Match" in problem(api.put(headers=only_new), 412, "precondition_failed")
    assert api.put(headers=first, tags=["a"]).headers["etag"] == '"2"'
    assert "at version 2, not 1" in problem(api.put(headers=first, tags=["b"]), 412, "precondition_failed")
    assert api.put(headers={"If-Match": "*"}, tags=["c"]).headers["etag"] == '"3"'
    problem(api.put(headers={"If-Match": "yesterday"}), 422, "invalid_request")
    problem(api.put(headers={"If-None-Match": '"3"'}), 422, "invalid_request")
    assert api.get().json()["ticket"]["tags"] == ["c"]


def test_what_is_no_ticket_of_this_desk_is_refused(api: Api) -> None:
    for body, said in (
        ({"id": "T-2"}, "id: the body names another ticket"),
        ({"status": "lost"}, "status: "),
        ({"set_fields": {"team": "boks"}}, "set_fields.team: unknown team 'boks'"),
        ({"colour": "red"}, "colour: unknown key"),
        ({"subject": None, "body": None}, "a ticket needs a subject or a body"),
        ({"messages": [QUESTION] * 501}, "messages: "),
    ):
        assert said in problem(api.put(**body), 422, "invalid_request")
    assert api.count(tickets) == 0


def test_two_desks_share_no_ticket(api: Api) -> None:
    api.put()
    problem(api.get(key="other"), 404, "not_found")
    problem(api("POST", "/v1/tickets/T-1/messages", "other", json=QUESTION), 404, "not_found")
    assert api("PUT", "/v1/tickets/T-1", "other", json={"body": "elsewhere"}).status_code == 201
    assert api.get().json()["ticket"]["body"] == WORDS["body"]
    assert [item["ticket"]["body"] for item in api("GET", "/v1/tickets", "other").json()["items"]] == ["elsewhere"]


def test_a_key_without_the_scope_may_do_nothing(api: Api) -> None:
    for method, path in (("PUT", TICKET), ("GET", TICKET), ("GET", "/v1/tickets"), ("POST", THREAD)):
        problem(api(method, path, "weak", json=QUESTION if method == "POST" else WORDS), 403, "not_allowed")


def test_any_id_without_a_slash_can_be_named(api: Api) -> None:
    for id in ("a", "ü" * 128, "🧾" * 128, "a b?c#d%e&f;g", "…", "مرحبا", "T:1@x", "%2e", "+"):
        assert api.put(id).status_code == 201
        assert api.say(QUESTION, id).json()["ticket_id"] == id
        assert api.get(id).json()["ticket"]["id"] == id
        assert api.put(id, id=id).status_code == 200
    assert len(walk(api, 1)) == 9


def test_an_id_that_none_can_be_is_refused(api: Api) -> None:
    for id in ("x" * 129, "\0", "\x1f"):
        problem(api.put(id), 422, "invalid_request")
        problem(api.get(id), 422, "invalid_request")


def test_an_id_with_a_slash_is_no_address(api: Api) -> None:
    problem(api.put("a/b"), 404, "not_found")


def walk(api: Api, size: int, **query: Any) -> list[str]:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        asked = query | {"limit": size} | ({"cursor": cursor} if cursor else {})
        page = api("GET", "/v1/tickets", params=asked).json()
        found += [item["ticket"]["id"] for item in page["items"]]
        assert len(page["items"]) == size or page["next"] is None
        cursor = page["next"]
    return found


def test_the_list_is_walked_page_by_page_newest_change_first(api: Api) -> None:
    for number in range(7):
        api.put(f"T-{number}", requester={"id": f"c-{number % 2}"}, status="solved" if number > 4 else "open")
    api.say(ANSWER, "T-0")
    order = ["T-0", "T-6", "T-5", "T-4", "T-3", "T-2", "T-1"]
    assert api.listed() == walk(api, 3) == walk(api, 7) == order
    assert walk(api, 2, status="solved") == ["T-6", "T-5"]
    assert walk(api, 1, requester_id="c-1", status="open") == ["T-3", "T-1"]
    since = api.get("T-5").json()["updated_at"]
    assert walk(api, 2, updated_since=since) == ["T-0", "T-6", "T-5"]


def test_a_question_that_cannot_be_meant_is_refused(api: Api) -> None:
    for name, value in (
        ("cursor", "bad"),
        ("cursor", "WyIyMDI2Il0"),
        ("limit", 0),
        ("limit", 201),
        ("status", "lost"),
        ("requester_id", ""),
        ("updated_since", "yesterday"),
        ("updated_since", "2026-11-22T12:00:00"),
        ("updated_since", "0001-01-01T00:00:00+14:00"),
        ("updated_since", "9999-12-31T23:59:59-12:00"),
    ):
        assert name in problem(api("GET", "/v1/tickets", params={name: value}), 422, "invalid_request")


def test_odd_times_and_words_are_kept_without_harm(api: Api) -> None:
    odd = [QUESTION | {"created_at": at, "text": "\ud800\0 x"} for at in ("0001-01-01T00:00:00+14:00", None)]
    body = json.dumps({"body": "\ud800 lone", "created_at": odd[0]["created_at"], "messages": odd})
    made = api("PUT", "/v1/tickets/T-1", content=body, headers={"Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    assert [message["created_at"] for message in api.get().json()["ticket"]["messages"]] == [None, None]
    assert api.put("T-2", subject=" ", body="").status_code == 201


def test_triage_sees_what_is_known(api: Api) -> None:
    """Values that a person set, a customer who wrote before, and open tickets that say the same."""
    api.put("T-1", requester={"id": "c-7"})
    api.put("T-2", requester={"id": "c-8"})
    api.put("T-3", requester={"id": "c-9"}, status="solved")
    api.put("T-4", requester={"id": "c-7"}, set_fields={"team": "trust"})
    api.seconds[0] += 1
    told = api.services.engine("demo").triage(TicketBody(id="T-4", requester={"id": "c-7"}, **WORDS), "s1", NOW + DAY)
    assert told.fields["team"].value == "trust"
    assert told.history is not None
    assert [one.ticket_id for one in told.history.repeat_of] == ["T-1"]
    assert {one.ticket_id: one.same_requester for one in told.history.duplicates} == {"T-1": True, "T-2": False}


def test_a_suggestion_for_a_known_ticket_leaves_its_words_and_version(api: Api) -> None:
    api.put(messages=[ANSWER], set_fields={"team": "trust"})
    api.say(QUESTION)
    made = api("POST", "/v1/tickets/T-1/suggestions")
    assert made.status_code == 201, made.text
    assert made.json()["fields"]["team"]["value"] == "trust"
    kept = api.services.tickets.get("demo", "T-1")
    assert kept is not None
    assert (kept.version, kept.last_word and kept.last_word.suggestion_id, len(kept.ticket.messages)) == (
        2,
        made.json()["id"],
        2,
    )
    assert kept.set_fields == {"team": "trust"}


def test_the_description_shows_examples_that_hold_and_every_problem(api: Api) -> None:
    TicketBody.model_validate(TICKET_EXAMPLE | {"status": "open"})
    TicketRecord.model_validate(RECORD_EXAMPLE)
    Message.model_validate(MESSAGE_EXAMPLE)
    description = api.app.openapi()
    assert "Problem" in description["components"]["schemas"]
    paths = ("/v1/tickets", "/v1/tickets/{ticket_id}", "/v1/tickets/{ticket_id}/messages")
    for path in paths:
        for operation in description["paths"][path].values():
            told = {status for status in operation["responses"] if status >= "400"}
            assert told >= {"401", "403", "422", "429", "503"}
            for status in told:
                content = operation["responses"][status]["content"]
                assert list(content) == ["application/problem+json"]
                Problem.model_validate(content["application/problem+json"]["example"])
    put = description["paths"]["/v1/tickets/{ticket_id}"]["put"]
    assert set(put["responses"]) >= {"200", "201", "412"}
    assert {one["name"] for one in put["parameters"]} == {"ticket_id", "If-Match", "If-None-Match"}
