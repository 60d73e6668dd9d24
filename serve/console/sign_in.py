"""Signing in and out: a key, exchanged for a session that a browser keeps."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field

from serve.console.shell import (
    COOKIE,
    ConsoleRoute,
    Form,
    from_own_page,
    read_form,
    templates,
    texts_for,
)
from serve.errors import NotAllowed, NotAuthenticated
from serve.security.callers import admit, authenticate
from serve.security.sessions import LASTS
from serve.services import Services, services_of
from triage.tickets import Name, ShortText, WireModel

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)
Served = Annotated[Services, Depends(services_of)]
HOME = "/console"


class Credentials(WireModel):
    """What somebody signs in with. next: the page that they wanted."""

    key: ShortText
    agent: Annotated[Name, Field(max_length=80)]
    next: ShortText = HOME


@router.get("/sign-in")
def ask(request: Request, next: str = HOME) -> HTMLResponse:
    """The page that asks for a key."""
    return _page(request, own_page(next))


@router.post("/sign-in", dependencies=[Depends(from_own_page)])
def sign_in(request: Request, services: Served, form: Form) -> Response:
    """Exchange a key for a session; every sign-in gives a new one, and ends the one before."""
    given = read_form(Credentials, form)
    try:
        caller = authenticate(services, given.key.strip())
        admit(request, services, caller, "suggest")
    except NotAuthenticated:
        return _page(request, own_page(given.next), "sign_in.no_key", given.agent)
    except NotAllowed:
        return _page(request, own_page(given.next), "sign_in.lacks_scope", given.agent)
    old = request.cookies.get(COOKIE, "")
    token = services.stores.sessions.open(caller, given.agent.strip(), services.now(), old)
    answer = RedirectResponse(own_page(given.next), 303)
    answer.set_cookie(
        COOKIE, token, max_age=int(LASTS.total_seconds()), path="/", secure=True, httponly=True, samesite="lax"
    )
    return answer


@router.post("/sign-out", dependencies=[Depends(from_own_page)])
def sign_out(request: Request, services: Served) -> Response:
    """End the session, here and wherever else its token went."""
    services.stores.sessions.close(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/console/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def own_page(address: str) -> str:
    """Return an address of the console, or its first page for any other: nobody is led elsewhere after signing in."""
    is_own = address == HOME or address.startswith((f"{HOME}/", f"{HOME}?"))
    odd = any(sign in address for sign in ("\\", "//", "..")) or not address.isascii() or not address.isprintable()
    return HOME if odd or not is_own or address.startswith(f"{HOME}/sign-") else address


def _page(request: Request, next: str, problem: str = "", agent: str = "") -> HTMLResponse:
    shared = {"t": texts_for(request), "session": None, "desk_name": "", "next": next, "agent": agent}
    page = templates.get_template("sign_in.html").render(shared | {"problem": problem})
    return HTMLResponse(page, 401 if problem else 200)
