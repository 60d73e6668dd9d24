"""Puts routes, limits and error handling together."""

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from serve.api import desk, knowledge, tickets
from serve.body_limits import BodyLimit
from serve.console import pages
from serve.error_responses import install_error_handlers
from serve.safe_answers import SafeAnswers
from serve.services import Services

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
    app.add_middleware(SafeAnswers)

    @app.get("/", include_in_schema=False)
    def _home() -> RedirectResponse:
        return RedirectResponse("/console")

    for router in (tickets.router, knowledge.router, desk.router, pages.router):
        app.include_router(router)
    return app
