"""For whoever runs the service: whether it lives, whether it wants requests, and its numbers."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from serve import metrics
from serve.error_responses import problem
from serve.readiness import Probe, Readiness
from serve.security.callers import caller_with
from serve.security.keys import Caller
from triage.tickets import WireModel

router = APIRouter()

#: For an app that nobody drains.
ALWAYS = Readiness(is_open=True)


class Health(WireModel):
    """Whether the service is well."""

    status: Literal["ok"] = "ok"


def readiness_of(app: FastAPI) -> Readiness:
    """Return the readiness of the process that an app runs in."""
    found = getattr(app.state, "readiness", ALWAYS)
    return found if isinstance(found, Readiness) else ALWAYS


def probe_of(app: FastAPI) -> Probe:
    """Return an app's one probe."""
    if not hasattr(app.state, "probe"):
        app.state.probe = Probe(app.state.services.stores.database.ping)
    probe: Probe = app.state.probe
    return probe


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live", tags=["health"])
async def get_live() -> Health:
    """The process answers."""
    return Health()


@router.head("/health/ready", include_in_schema=False, response_model=None)
@router.get("/health/ready", tags=["health"], response_model=Health)
async def get_ready(request: Request) -> Health | Response:
    """Desks are loaded, the database answers and nobody has asked to stop: requests may be sent here."""
    # Nothing is asked for as a dependency: those that are not coroutines wait for a thread, and under load for long.
    state = readiness_of(request.app).state
    if state == "draining":
        return problem(503, "draining", "This process will stop; send requests to another.", {"Retry-After": "5"})
    if state == "starting":
        return problem(503, "starting", "This process is not ready yet; ask again in a second.", {"Retry-After": "1"})
    if not await probe_of(request.app).answers():
        return problem(503, "storage_unavailable", "The database cannot be reached; try again.", {"Retry-After": "2"})
    return Health()


@router.get("/metrics", tags=["health"], response_class=Response)
def get_metrics(_: Annotated[Caller, Depends(caller_with("metrics"))]) -> Response:
    """The numbers of all workers, in the text format of Prometheus."""
    content, kind = metrics.render()
    return Response(content, media_type=kind)
