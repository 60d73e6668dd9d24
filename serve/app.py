"""Puts routes, limits and error handling together."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from serve.api import desk, knowledge, tickets
from serve.body_limits import BodyLimit
from serve.console import pages
from serve.error_responses import install_error_handlers, unexpected
from serve.services import Services

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
DESCRIPTION = (
    "Reads a help-desk ticket and says what it is about, what answers it, what an agent could reply, and when a person "
    "must take over. It never sends anything to a customer. Errors are RFC 9457 problem documents with a stable `code`."
)


def create_app(services: Services, version: str) -> FastAPI:
    """Return the web application over services that are ready."""
    # The interactive pages of FastAPI load scripts from elsewhere: the description is at /openapi.json instead.
    app = FastAPI(
        title="Firstline",
        version=version,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    install_error_handlers(app)
    app.add_middleware(BodyLimit)

    @app.middleware("http")
    async def _security_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            response = await call_next(request)
        except Exception as error:
            # Answered here: what reaches the server's own handler is logged with its text, and that may be a ticket's.
            response = unexpected(error)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/", include_in_schema=False)
    def _home() -> RedirectResponse:
        return RedirectResponse("/console")

    for router in (tickets.router, knowledge.router, desk.router, pages.router):
        app.include_router(router)
    return app
