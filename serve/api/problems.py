"""The shape of every error that the API answers with, for the API's description."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import Field

from triage.tickets import WireModel

MEDIA_TYPE = "application/problem+json"
REFERENCE = {"$ref": "#/components/schemas/Problem"}
#: By status: its code where there is but one, and what it means.
MEANINGS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_json", "The body is not JSON that can be read, or the Host header is none that will do."),
    401: ("not_authenticated", "There is no key, or one that is not valid (any more)."),
    403: ("not_allowed", "The key lacks the scope."),
    404: ("not_found", "This key's desk has nothing by that id."),
    408: ("too_slow", "The body did not come in time."),
    409: ("idempotency_in_flight", "The first request with this Idempotency-Key is still being answered."),
    412: ("precondition_failed", "Somebody was faster: read it again, and change that."),
    413: ("body_too_large", "The body is too large."),
    415: ("unsupported_encoding", "The body is compressed; send it as it is."),
    422: ("invalid_request", "A part of the request cannot be used; `errors` says which."),
    429: ("rate_limited", "Too many requests; `Retry-After` says when to come back."),
    503: ("storage_unavailable", "Not now; `Retry-After` says when to come back."),
    507: ("storage_full", "There is no space left to store it."),
}


class Fault(WireModel):
    """What is wrong with one part of a request. at: the path to it, such as `requester.email`."""

    at: str
    problem: str


class Problem(WireModel):
    """An error, as RFC 9457 has it. code: stable, for programs; title and detail: for people."""

    type: str = "about:blank"
    status: int = Field(ge=400, le=599)
    code: str
    title: str
    detail: str
    errors: tuple[Fault, ...] | None = Field(default=None, description="Each part at fault, 20 at most")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` for the errors that a route may answer with; raise `KeyError` for an unknown one."""
    return {status: _response(status) for status in statuses}


def describe_problems(app: FastAPI) -> None:
    """Put into the app's description the schema that `problems` points at, and what every route may answer with."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        description = describe()
        schemas = description.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            schema = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs"))
            schemas["Problem"] = schema
            for path, methods in description["paths"].items():
                for method, operation in methods.items():
                    operation["responses"].pop("422", None)  # FastAPI's own, of another shape
                    for status in common_to(path, method, operation):
                        operation["responses"].setdefault(str(status), _response(status))
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
        return description

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend its description


def common_to(path: str, method: str, operation: Mapping[str, Any]) -> set[int]:
    """Return the errors that any route of a kind may answer with; what is more, the route says itself."""
    found = {400, 503}
    if operation.get("security"):
        found |= {401, 403, 429}
    if "{" in path:
        found |= {404}
    if operation.get("parameters"):
        found |= {422}
    if "requestBody" in operation:
        found |= {408, 413, 415, 422}
    if method == "post":
        found |= {409, 422}
    return found


def _response(status: int) -> dict[str, Any]:
    code, meaning = MEANINGS[status]
    example = Problem(status=status, code=code, title=code.replace("_", " "), detail=meaning)
    shown = {"schema": REFERENCE, "example": example.model_dump(exclude_none=True)}
    return {"description": meaning, "content": {MEDIA_TYPE: shown}}
