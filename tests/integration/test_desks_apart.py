"""No desk reads or changes another's: every route of openapi.json, with every id that the other desk has (T8)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select
from two_desks import CANARY, TwoDesks, two_desks

from serve.storage.tables import (
    article_vectors,
    article_versions,
    articles,
    feedback,
    messages,
    metadata,
    suggestions,
    tickets,
)

API = json.loads((Path(__file__).parents[2] / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = [(method.upper(), path) for path, methods in API["paths"].items() for method in methods]
#: Bodies for routes that take one, naming the other desk's things wherever a body can.
BODIES: dict[str, Any] = {
    "/v1/triage": {"id": "T-1", "subject": "Hello", "requester": {"id": "c-1"}},
    "/v1/triage/batch": {"tickets": [{"id": "T-1", "subject": "Hello", "requester": {"id": "c-1"}}]},
    "/v1/suggestions": {"id": "T-1", "subject": "Hello", "requester": {"id": "c-1"}},
    "/v1/tickets/{ticket_id}": {"id": "T-1", "subject": "Hello", "requester": {"id": "c-1"}},
    "/v1/tickets/{ticket_id}/messages": {"author": "customer", "text": "Hello"},
    "/v1/suggestions/{suggestion_id}/feedback": {"verdict": "rejected"},
    "/v1/articles/{article_id}": {"title": "Mine", "markdown": "Mine.", "status": "published"},
    "/v1/search": {"query": CANARY, "limit": 50, "audience": "internal"},
}
#: Of two tickets that would be told apart from no other of their desk.
WORDS = f"My {CANARY} prints nothing since Friday, and the printer shows a red light."
FEEDBACK = {"verdict": "rejected", "reason": CANARY}
#: What may be made under an id that the other desk has too: a row of one's own. All else is not found.
CREATES = {("PUT", "/v1/tickets/{ticket_id}"), ("PUT", "/v1/articles/{article_id}")}
#: Queries, naming the other desk's things wherever a query can; `cursor` is the other desk's own, from its list.
QUERIES = {
    "limit": "200",
    "version": "1",
    "status": "open",
    "requester_id": "c-1",
    "updated_since": "2020-01-01T00:00:00Z",
    "since": "2020-01-01T00:00:00Z",
    "verdict": "rejected",
    "approved": "false",
    "overwrite": "true",
    "store": "true",
}
ASKED = [
    (method, path, parameter["name"])
    for method, path in OPERATIONS
    for parameter in API["paths"][path][method.lower()].get("parameters", [])
    if parameter["in"] not in ("path", "header")
]
HEADERS = {"if-match", "if-none-match"}
#: Erasing somebody whom nobody knows does no harm, and is no secret.
HARMLESS = {("DELETE", "/v1/requesters/{requester_id}")}


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("desks")) as made:
        for path, status in (("kb-draft", "draft"), ("kb-inside", "published")):
            article = {"title": CANARY, "markdown": CANARY, "audience": "internal", "status": status}
            assert made.call("demo", "PUT", f"/v1/articles/{path}", article).status_code == 201
        for number in (3, 4):
            ticket = {"id": f"T-{number}", "body": WORDS, "requester": {"id": "c-1"}}
            assert made.call("demo", "POST", "/v1/triage?store=true", ticket).status_code == 200
        again = made.call("demo", "POST", f"/v1/suggestions/{made.ids['suggestion_id']}/feedback", FEEDBACK)
        assert made.call("demo", "POST", f"/v1/feedback/{again.json()['id']}/approval").status_code == 200
        refresh(made)
        yield made


def refresh(desks: TwoDesks) -> None:
    for desk in desks.services.desks.values():
        desk.refresh()


@pytest.fixture(autouse=True)
def _other_desk_begins_anew(desks: TwoDesks) -> Iterator[None]:
    yield
    with desks.services.stores.database.writing() as connection:
        for table in (tickets, messages, suggestions, feedback, articles, article_versions, article_vectors):
            connection.execute(delete(table).where(table.c.desk == "other"))


def rows_of_first(desks: TwoDesks) -> list[tuple[str, tuple[Any, ...]]]:
    """Everything that is stored for the first desk."""
    found = []
    with desks.services.stores.database.reading() as connection:
        for table in metadata.sorted_tables:
            if "desk" in table.c:
                rows = connection.execute(select(table).where(table.c.desk == "demo").order_by(*table.primary_key))
                found += [(table.name, tuple(row)) for row in rows]
    return found


def needs_body(method: str, path: str) -> bool:
    return "requestBody" in API["paths"][path][method.lower()]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_another_desk_finds_nothing_and_changes_nothing(desks: TwoDesks, method: str, path: str) -> None:
    before = rows_of_first(desks)
    assert any(CANARY in str(row) for _, row in before)
    body = BODIES[path] if needs_body(method, path) else None  # a new route has to be put into BODIES
    answer = desks.call("other", method, path.format(**desks.ids), body)
    if "{" in path and (method, path) not in CREATES | HARMLESS:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    else:
        assert answer.status_code == (201 if (method, path) in CREATES else answer.status_code) < 300, answer.text
    refresh(desks)
    assert CANARY not in answer.text + str(answer.headers)
    assert rows_of_first(desks) == before


@pytest.mark.parametrize("id", ["kb-draft", "kb-inside"])
def test_drafts_and_internal_articles_are_no_other_desk_s_either(desks: TwoDesks, id: str) -> None:
    before = rows_of_first(desks)
    assert desks.call("demo", "GET", f"/v1/articles/{id}").status_code == 200
    for method in ("GET", "DELETE"):
        assert desks.call("other", method, f"/v1/articles/{id}").status_code == 404
    assert rows_of_first(desks) == before


@pytest.mark.parametrize(("method", "path", "name"), ASKED)
def test_no_query_reaches_another_desk(desks: TwoDesks, method: str, path: str, name: str) -> None:
    before = rows_of_first(desks)
    if name == "cursor":
        value = desks.call("demo", "GET", f"{path}?limit=1").json()["next"]
        assert value
    else:
        value = QUERIES[name]  # a new query has to be put into QUERIES
    body = BODIES[path] if needs_body(method, path) else None
    answer = desks.call("other", method, f"{path.format(**desks.ids)}?{name}={value}", body)
    assert answer.status_code == 404 if "{article_id}" in path else answer.status_code < 300, answer.text
    assert CANARY not in answer.text
    assert rows_of_first(desks) == before


def test_no_header_names_a_row_of_another_desk() -> None:
    for method, path in OPERATIONS:
        for parameter in API["paths"][path][method.lower()].get("parameters", []):
            assert parameter["in"] != "header" or parameter["name"].lower() in HEADERS, (method, path)


def test_what_one_desk_knows_of_a_requester_is_not_another_s_history(desks: TwoDesks) -> None:
    """The same words by the same requester: a repeat and a duplicate to the first desk, a stranger's to the other."""
    ticket = {"id": "T-4", "body": WORDS, "requester": {"id": "c-1"}}
    told = desks.call("demo", "POST", "/v1/triage", ticket).json()["history"]
    assert "T-3" in [one["ticket_id"] for one in told["repeat_of"]]
    before = rows_of_first(desks)
    for path in ("/v1/triage", "/v1/suggestions"):
        assert desks.call("other", "POST", path, ticket | {"id": "T-9"}).json()["history"] is None
    assert rows_of_first(desks) == before


def test_an_erasure_on_one_desk_finds_nobody_of_another(desks: TwoDesks) -> None:
    before = rows_of_first(desks)
    done = desks.call("other", "DELETE", "/v1/requesters/c-1").json()
    assert (done["tickets"], sum(done["removed"].values())) == ([], 0)
    assert rows_of_first(desks) == before


def test_an_idempotency_key_of_one_desk_is_another_s_own(desks: TwoDesks) -> None:
    answers = {}
    for desk, key in desks.keys.items():
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "event-1"}
        answers[desk] = desks.client.post("/v1/search", json=BODIES["/v1/search"], headers=headers)
        assert answers[desk].status_code == 200
    assert CANARY in answers["demo"].text
    assert CANARY not in answers["other"].text


def test_the_first_desk_itself_finds_all_of_it(desks: TwoDesks) -> None:
    for method, path in OPERATIONS:
        if method == "GET" and path.startswith("/v1/") and path != "/v1/desk":
            answer = desks.call("demo", "GET", path.format(**desks.ids))
            assert CANARY in answer.text, path
    assert CANARY in desks.call("demo", "POST", "/v1/search", BODIES["/v1/search"]).text
