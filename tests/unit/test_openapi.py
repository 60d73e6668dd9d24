"""The API's description: committed as it is served, and complete enough for a stranger to work from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serve.openapi import FILE, description
from serve.security.keys import SCOPES

OPEN = {"/health/live", "/health/ready"}


@pytest.fixture(scope="module")
def api(project: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((project / FILE).read_text(encoding="utf-8"))
    return described


def operations(api: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_committed_description_is_that_of_the_routes(project: Path) -> None:
    told = "openapi.json is not that of the routes; run `make openapi` and look at what changed"
    assert (project / FILE).read_text(encoding="utf-8") == description(), told


def test_every_route_says_what_it_does_and_what_can_go_wrong(api: dict[str, Any]) -> None:
    for path, method, operation in operations(api):
        where = f"{method.upper()} {path}"
        assert operation.get("description"), where
        assert operation.get("tags"), where
        if path not in OPEN:
            assert {"401", "403", "429"} <= operation["responses"].keys(), where
            assert operation["security"], where
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= operation["responses"].keys(), where
        if "{" in path:
            assert "422" in operation["responses"], where


def test_every_route_but_health_names_the_scope_that_it_takes(api: dict[str, Any]) -> None:
    for path, method, operation in operations(api):
        if path not in OPEN:
            assert operation["security"][0]["HTTPBearer"][0] in SCOPES, f"{method.upper()} {path}"


def test_every_body_has_an_example(api: dict[str, Any]) -> None:
    for path, method, operation in operations(api):
        if "requestBody" not in operation:
            continue
        content = operation["requestBody"]["content"]["application/json"]
        schema = content["schema"].get("$ref", "").rpartition("/")[2]
        examples = api["components"]["schemas"].get(schema, {}).get("examples")
        assert content.get("examples") or content.get("example") or examples, f"{method.upper()} {path}"


def test_problems_are_described_as_they_are_sent(api: dict[str, Any]) -> None:
    for path, method, operation in operations(api):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], f"{method} {path} {status}"
