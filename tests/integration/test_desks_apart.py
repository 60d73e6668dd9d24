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
    "/v1/tickets/{ticket_id}": {"subject": "Hello", "requester": {"id": "c-1"}},
    "/v1/tickets/{ticket_id}/messages": {"author": "customer", "text": "Hello"},
    "/v1/suggestions/{suggestion_id}/feedback": {"verdict": "rejected"},
    "/v1/articles/{article_id}": {"title": "Mine", "markdown": "Mine.", "status": "published"},
    "/v1/search": {"query": CANARY, "limit": 50, "audience": "internal"},
}
#: What may be made under an id that the other desk has too: a row of one's own. All else is not found.
CREATES = {("PUT", "/v1/tickets/{ticket_id}"), ("PUT", "/v1/articles/{article_id}")}
#: Erasing somebody whom nobody knows does no harm, and is no secret.
HARMLESS = {("DELETE", "/v1/requesters/{requester_id}")}


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("desks")) as made:
        yield made


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
        assert answer.status_code < 300, answer.text
    assert CANARY not in answer.text.replace(json.dumps(BODIES["/v1/search"]), "")
    assert rows_of_first(desks) == before


def test_the_first_desk_itself_finds_all_of_it(desks: TwoDesks) -> None:
    for method, path in OPERATIONS:
        if method == "GET" and path.startswith("/v1/") and path != "/v1/desk":
            answer = desks.call("demo", "GET", path.format(**desks.ids))
            assert CANARY in answer.text, path
    assert CANARY in desks.call("demo", "POST", "/v1/search", BODIES["/v1/search"]).text


def test_a_cursor_of_one_desk_shows_another_its_own_rows_only(desks: TwoDesks) -> None:
    desks.call("demo", "PUT", "/v1/tickets/T-2", {"subject": CANARY})
    following = desks.call("demo", "GET", "/v1/tickets?limit=1").json()["next"]
    assert following
    assert CANARY not in desks.call("other", "GET", f"/v1/tickets?limit=50&cursor={following}").text
