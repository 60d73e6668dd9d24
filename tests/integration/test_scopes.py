"""What a key may do: every route of openapi.json takes the scope that it names, and no other will do."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from two_desks import LATER, NOW, TwoDesks, two_desks

from serve.security.keys import SCOPES, new_key

API = json.loads((Path(__file__).parents[2] / "openapi.json").read_text(encoding="utf-8"))
GUARDED = [
    (method.upper(), path, operation["security"][0]["HTTPBearer"][0])
    for path, methods in API["paths"].items()
    for method, operation in methods.items()
    if operation.get("security")
]


#: What a load balancer may ask without a key.
OPEN = {("GET", "/health/live"), ("GET", "/health/ready")}


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("scopes")) as made:
        yield made


def body_of(method: str, path: str) -> object:
    """The route's own example, where it takes a body."""
    content = API["paths"][path][method.lower()].get("requestBody", {}).get("content", {}).get("application/json", {})
    if "examples" in content:
        return next(iter(content["examples"].values()))["value"]
    schema = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return API["components"]["schemas"][schema]["examples"][0] if schema else None


def test_every_route_but_those_of_health_names_one_scope_that_there_is() -> None:
    guarded = {(method, path) for method, path, _ in GUARDED}
    every = {(method.upper(), path) for path, methods in API["paths"].items() for method in methods}
    assert every - guarded == OPEN
    for method, path, scope in GUARDED:
        assert API["paths"][path][method.lower()]["security"] == [{"HTTPBearer": [scope]}]
        assert scope in SCOPES


@pytest.mark.parametrize(("method", "path", "scope"), GUARDED)
def test_without_a_key_nothing_is_answered(desks: TwoDesks, method: str, path: str, scope: str) -> None:
    for headers in ({}, {"Authorization": f"Basic {desks.keys['demo']}"}, {"X-API-Key": desks.keys["demo"]}):
        answer = desks.client.request(method, path.format(**desks.ids), json=body_of(method, path), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path", "scope"), GUARDED)
def test_what_a_browser_sends_by_itself_opens_nothing(desks: TwoDesks, method: str, path: str, scope: str) -> None:
    """Another site can make a browser send what it keeps for this one: a password of HTTP Basic, or a cookie."""
    key = desks.keys["demo"]
    kept = base64.b64encode(f"agent:{key}".encode()).decode()
    caller = desks.services.keys.find(key, NOW)
    assert caller is not None
    token = desks.services.stores.sessions.open(caller, "Ann", NOW)
    for headers in ({"Authorization": f"Basic {kept}"}, {"Cookie": f"__Host-firstline={token}; key={key}"}):
        forged = {**headers, "Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
        answer = desks.client.request(method, path.format(**desks.ids), json=body_of(method, path), headers=forged)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize(("method", "path", "scope"), GUARDED)
def test_all_other_scopes_are_not_enough(desks: TwoDesks, method: str, path: str, scope: str) -> None:
    key = new_key()
    desks.services.keys.add(key, "demo", [other for other in SCOPES if other != scope], NOW, LATER)
    answer = desks.call("demo", method, path.format(**desks.ids), body_of(method, path), key)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert scope in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path", "scope"), GUARDED)
def test_a_key_that_is_none_any_more_is_refused(desks: TwoDesks, method: str, path: str, scope: str) -> None:
    over, revoked = new_key(), new_key()
    desks.services.keys.add(over, "demo", SCOPES, NOW, datetime(2026, 11, 22, 1, tzinfo=UTC))
    desks.services.keys.add(revoked, "demo", SCOPES, NOW, LATER)
    assert desks.services.keys.revoke("demo", revoked[3:11], NOW)
    for key in (over, revoked, new_key(), "fl_", "none"):
        answer = desks.call("demo", method, path.format(**desks.ids), body_of(method, path), key)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
