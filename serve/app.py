"""Puts routes, limits and error handling together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from models.micro_batch import MAX_CALLS, MAX_WAITING
from serve.api import articles, decisions, desk, desk_tickets, feedback, knowledge, operations, requesters, tickets
from serve.api.problems import describe_problems
from serve.body_limits import BodyLimit
from serve.console import (
    articles_page,
    corrections_page,
    insights_page,
    queue_page,
    sign_in,
    static_files,
    ticket_page,
)
from serve.error_responses import install_error_handlers
from serve.host_check import HostCheck
from serve.idempotency import Idempotency, Keeping
from serve.load_shedding import LoadShedding
from serve.safe_answers import SafeAnswers
from serve.security.callers import early_caller
from serve.security.rate_headers import RateHeaders
from serve.services import Services
from serve.storage.idempotency_store import IdempotencyStore

DESCRIPTION = (
    "Reads a help-desk ticket and says what it is about, what answers it, what an agent could reply, and when a person "
    "must take over. It never sends anything to a customer. Errors are RFC 9457 problem documents with a stable `code`."
)
ROUTERS = (
    tickets.router,
    desk_tickets.router,
    feedback.router,
    knowledge.router,
    articles.router,
    decisions.router,
    requesters.router,
    desk.router,
    operations.router,
    sign_in.router,
    static_files.router,
    queue_page.router,
    ticket_page.router,
    articles_page.router,
    insights_page.router,
    corrections_page.router,
    queue_page.nowhere,
)


@dataclass(frozen=True)
class AppLimits:
    """What requests must keep to. hosts: names that they may call the service by, none for any; in_flight: how many are
    let in at a time, and slow_in_flight where they take long: see `LoadShedding`.
    """

    hosts: Sequence[str] = ()
    in_flight: int = MAX_WAITING + 2 * MAX_CALLS
    slow_in_flight: int = MAX_WAITING


def create_app(services: Services, version: str, limits: AppLimits | None = None) -> FastAPI:
    """Return the web application over services that are ready."""
    app = bare_app(version)
    app.state.services = services
    install_error_handlers(app)
    limits = limits or AppLimits()
    store = IdempotencyStore(services.stores.database)
    keeping = Keeping(store, partial(early_caller, services), services.now, services.new_id)
    # The innermost first.
    app.add_middleware(Idempotency, keeping=keeping)
    app.add_middleware(BodyLimit)
    app.add_middleware(LoadShedding, most=limits.in_flight, few=limits.slow_in_flight)
    app.add_middleware(HostCheck, allowed=limits.hosts)
    app.add_middleware(RateHeaders)
    app.add_middleware(SafeAnswers)
    return app


def bare_app(version: str) -> FastAPI:
    """Return the routes alone: what the API's description is made of."""
    # The interactive pages of FastAPI load scripts from elsewhere: the description is at /openapi.json instead.
    app = FastAPI(
        title="Firstline",
        version=version,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # what a generated client calls its methods
    )

    @app.get("/", include_in_schema=False)
    def _home() -> RedirectResponse:
        return RedirectResponse("/console")

    for router in ROUTERS:
        app.include_router(router)
    describe_problems(app)
    return app
