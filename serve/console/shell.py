"""What all pages of the console share: who looks at them, in which language, and the page around the page."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from models.errors import EncoderFullError
from serve.console.formats import FILTERS
from serve.console.static_files import STATIC
from serve.console.texts import Texts, preferred, read_texts
from serve.error_responses import status_of, storage_unavailable, unexpected
from serve.errors import InvalidRequest, NotAllowed, NotSignedIn, RequestError
from serve.security.callers import admit
from serve.security.sessions import Session
from serve.services import Services, services_of
from triage.errors import TicketError

HERE = Path(__file__).parent
#: `__Host-`: from this host alone, over a connection that nobody reads, for all of its addresses (RFC 6265bis).
COOKIE = "__Host-firstline"
#: A form has no more fields than this, and no more bytes than the body limit lets in.
MAX_FIELDS = 500
TEXTS = read_texts()

Shape = TypeVar("Shape", bound=BaseModel)

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, auto_reload=False
)
templates.trim_blocks = templates.lstrip_blocks = True
templates.filters |= FILTERS
templates.globals["static"] = STATIC


@dataclass(frozen=True)
class Visit:
    """A request by somebody who is signed in. now: of the service's clock; t: the texts in their language."""

    request: Request
    services: Services
    session: Session
    t: Texts
    now: datetime

    @property
    def desk(self) -> str:
        """The id of the only desk that they can see."""
        return self.session.caller.desk

    def may(self, scope: str) -> bool:
        """Tell whether their key has a scope."""
        return scope in self.session.caller.scopes

    def need(self, scope: str) -> None:
        """Raise `NotAllowed` where their key lacks a scope."""
        if not self.may(scope):
            raise NotAllowed(self.t("error.lacks_scope", scope=scope))

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page of the console."""
        settings = self.services.engine(self.desk).rules.settings
        shared = {"t": self.t, "session": self.session, "desk_name": settings.name, "now": self.now, "visit": self}
        return HTMLResponse(templates.get_template(template).render(shared | values), status)


def texts_for(request: Request) -> Texts:
    """Return the texts in the language that a browser asks for."""
    return preferred(request.headers.get("accept-language", ""), TEXTS)


def reading(request: Request, services: Annotated[Services, Depends(services_of)]) -> Visit:
    """Return the visit of somebody who looks at a page; raise `NotSignedIn`."""
    now = services.now()
    session = services.stores.sessions.find(request.cookies.get(COOKIE, ""), now)
    if session is None or session.caller.desk not in services.desks:
        raise NotSignedIn("Sign in with a key of a desk.")
    admit(request, services, session.caller, "suggest")
    return Visit(request, services, session, texts_for(request), now)


def writing(request: Request, services: Annotated[Services, Depends(services_of)]) -> Visit:
    """Return the visit of somebody who changes something, from a page of this service and no other."""
    from_own_page(request)
    return reading(request, services)


Reading = Annotated[Visit, Depends(reading)]
Writing = Annotated[Visit, Depends(writing)]


def from_own_page(request: Request) -> None:
    """Raise `NotAllowed` for a request that another site's page made a browser send.

    Browsers name where a POST comes from, in one header or both; a request that names neither is none of a browser's
    form, and has no business here. Scheme and port of a proxy in front may differ, so that hosts are compared.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site != "same-origin":
        raise NotAllowed("This came from another site's page; go to the console and do it there.")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise NotAllowed("This came from another site's page; go to the console and do it there.")
    if site is None and origin is None:
        raise NotAllowed("The browser does not say which page this came from; use a current one.")


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; of several with one name the last. Raises `InvalidRequest`.

    Only what a form without files sends is read (`application/x-www-form-urlencoded`): no parser of multipart bodies is
    needed for it, and none is there to be attacked.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InvalidRequest("The form did not come as application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise InvalidRequest("The form cannot be read.") from error
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


Form = Annotated[dict[str, str], Depends(form_of)]


def read_form(shape: type[Shape], form: dict[str, str]) -> Shape:
    """Return a form's fields in a shape; raise `InvalidRequest` with the first thing that is wrong."""
    try:
        return shape.model_validate({name: value for name, value in form.items() if name in shape.model_fields})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidRequest(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


class ConsoleRoute(APIRoute):
    """A route whose errors people read: as a page, or as a line of text for a script of ours."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler, with pages for errors."""
        handle = super().get_route_handler()

        async def for_people(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedIn:
                return _to_sign_in(request)
            except RequestError as error:
                return error_page(request, status_of(error)[0], str(error), error.retry_after)
            except (RequestValidationError, TicketError) as error:
                told = str(error) if isinstance(error, TicketError) else texts_for(request)("error.address")
                return error_page(request, 422, told)
            except EncoderFullError:
                return error_page(request, 429, texts_for(request)("error.busy"), 1)
            except (OperationalError, PoolTimeout) as error:
                storage_unavailable(error)  # says so in the log
                return error_page(request, 503, texts_for(request)("error.storage"), 2)
            except Exception as error:
                unexpected(error)  # the same
                return error_page(request, 500, texts_for(request)("error.unexpected"))

        return for_people


def error_page(request: Request, status: int, detail: str, retry_after: int | None = None) -> Response:
    """Return an error as a page, or as its text alone where one of our scripts asked."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if request.headers.get("x-requested-with") == "console":
        return Response(detail, status, headers, media_type="text/plain; charset=utf-8")
    t = texts_for(request)
    title = t(f"error.{status}") if f"error.{status}" in t.known else t("error.other")
    page = templates.get_template("error.html").render(t=t, title=title, detail=detail, session=None, desk_name="")
    return HTMLResponse(page, status, headers)


def _to_sign_in(request: Request) -> Response:
    """Send a browser to sign in, and back to the page that it wanted."""
    t = texts_for(request)
    if request.method != "GET":
        return error_page(request, 401, t("error.signed_out"))
    here = request.scope["path"] + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("x-requested-with") == "console":
        return Response(t("error.signed_out"), 401, media_type="text/plain; charset=utf-8")
    return RedirectResponse(f"/console/sign-in?next={quote(here, safe='')}", 303)
