"""One plain page: the stored suggestions of a desk."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serve.security.callers import browser_caller
from serve.security.keys import Caller
from serve.services import Services, services_of
from triage.suggestions import percent

HERE = Path(__file__).parent
SHOWN = 50
#: Longer texts are cut on the page.
MAX_SHOWN = 5_000
STYLE = (HERE / "static" / "console.css").read_text(encoding="utf-8")
DISPOSITIONS = {"draft": "Draft ready", "handoff": "Needs you", "no_reply": "No reply needed", "open": "Triaged"}

templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
templates.filters["moment"] = lambda value: _moment(value)
templates.filters["percent"] = percent
templates.filters["cut"] = lambda text: text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} …"
router = APIRouter(prefix="/console", include_in_schema=False)


@router.get("")
def queue(
    services: Annotated[Services, Depends(services_of)], caller: Annotated[Caller, Depends(browser_caller)]
) -> HTMLResponse:
    """The newest suggestions of the key's desk."""
    engine = services.engine(caller.desk)
    page = templates.get_template("queue.html").render(
        desk=engine.rules.settings.name,
        rows=services.suggestions.latest(caller.desk, SHOWN),
        dispositions=DISPOSITIONS,
        shown=SHOWN,
    )
    return HTMLResponse(page)


@router.get("/static/console.css")
def stylesheet() -> Response:
    """The page's style."""
    return Response(STYLE, media_type="text/css")


def _moment(value: datetime) -> str:
    return value.strftime("%d %b %Y, %H:%M UTC")
