"""The one place that turns error classes into HTTP: RFC 9457 problem details with a stable code."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from models.errors import EncoderFullError
from serve.errors import (
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
    RateLimited,
    RequestError,
)
from serve.logs import fault
from triage.errors import TicketError
from triage.fault_text import fault_text

log = logging.getLogger("firstline.serve")

STATUS: Mapping[type[RequestError], tuple[int, str]] = {
    NotAuthenticated: (401, "not_authenticated"),
    NotAllowed: (403, "not_allowed"),
    RateLimited: (429, "rate_limited"),
    NotFound: (404, "not_found"),
    InvalidRequest: (422, "invalid_request"),
    PreconditionFailed: (412, "precondition_failed"),
}
HTTP_CODES = {
    400: "invalid_json",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_encoding",
}

UNREADABLE = "The body is not JSON that can be read; send one JSON object in UTF-8."


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """Return an ``application/problem+json`` answer."""
    body = {"type": "about:blank", "status": status, "code": code, "title": code.replace("_", " "), "detail": detail}
    return JSONResponse(body | more, status, dict(headers or {}), media_type="application/problem+json")


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of this app a problem document; none ever shows an exception's own text."""

    @app.exception_handler(RequestError)
    async def _request_error(request: Request, error: RequestError) -> JSONResponse:
        status, code = status_of(error)
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return problem(status, code, str(error), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        if any(fault["type"] == "json_invalid" for fault in error.errors()):
            return problem(400, HTTP_CODES[400], UNREADABLE)
        faults = [{"at": _path(fault["loc"]), "problem": fault_text(fault)} for fault in error.errors()[:20]]
        first = f"{faults[0]['at']}: {faults[0]['problem']}" if faults else "the body is not valid"
        return problem(422, "invalid_request", f"{first}; correct the request", errors=faults)

    @app.exception_handler(TicketError)
    async def _ticket(request: Request, error: TicketError) -> JSONResponse:
        return problem(422, "invalid_request", str(error))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTP_CODES.get(error.status_code, "error")
        detail = {404: "There is nothing at this address.", 400: UNREADABLE}.get(error.status_code, str(error.detail))
        headers = {"Allow": _allowed(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
        return problem(error.status_code, code, detail, headers)

    @app.exception_handler(EncoderFullError)
    async def _busy(request: Request, error: EncoderFullError) -> JSONResponse:
        return problem(429, "busy", "Too many tickets are waiting here; try again in a second.", {"Retry-After": "1"})

    @app.exception_handler(PoolTimeout)
    @app.exception_handler(OperationalError)
    async def _database(request: Request, error: OperationalError | PoolTimeout) -> JSONResponse:
        return storage_unavailable(error)


def status_of(error: RequestError) -> tuple[int, str]:
    """Return the status and the code of an error."""
    return next(entry for kind, entry in STATUS.items() if isinstance(error, kind))


def storage_unavailable(error: Exception) -> JSONResponse:
    """Answer that the database does not; only the error's class is logged."""
    log.error("database unavailable: %s", error.__class__.__name__)
    return problem(503, "storage_unavailable", "The database cannot be reached; try again.", {"Retry-After": "2"})


def unexpected(error: Exception) -> JSONResponse:
    """Answer an error that nobody foresaw; only its class is logged."""
    log.error("unexpected %s", error.__class__.__name__, extra=fault(error))
    return problem(500, "internal_error", "Something went wrong here; the request was not carried out.")


def _allowed(request: Request) -> str:
    """Return the methods of an address: each of them is a route of its own, and Starlette names those of one."""
    found = (route for route in request.app.routes if isinstance(route, Route))
    same = (route.methods or () for route in found if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for methods in same for method in methods}))


def _path(location: Sequence[int | str]) -> str:
    return ".".join(str(part)[:80] for part in location if part != "body")[:200] or "body"
