"""Who is calling: the key in the request's headers, as a route dependency."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from serve.errors import NotAllowed, NotAuthenticated, NotSignedIn
from serve.security.keys import Caller
from serve.services import Services, services_of

#: Declared for the API's description; the header itself is read below.
bearer = HTTPBearer(auto_error=False, description="A key of one desk: `fl_…`")
basic = HTTPBasic(auto_error=False, description="In a browser: any name, the key as the password")


def caller_with(scope: str) -> Callable[..., Caller]:
    """Return the dependency that lets a caller through whose key has this scope."""

    def dependency(
        request: Request,
        services: Annotated[Services, Depends(services_of)],
        _: Annotated[object, Depends(bearer)] = None,
    ) -> Caller:
        scheme, key = get_authorization_scheme_param(request.headers.get("authorization"))
        return authenticate(services, key if scheme.lower() == "bearer" else "", scope)

    return dependency


def browser_caller(
    request: Request,
    services: Annotated[Services, Depends(services_of)],
    _: Annotated[object, Depends(basic)] = None,
) -> Caller:
    """Let a browser through that was given the key as the password of HTTP Basic (RFC 7617)."""
    scheme, value = get_authorization_scheme_param(request.headers.get("authorization"))
    key = _password(value) if scheme.lower() == "basic" else ""
    try:
        return authenticate(services, key, "suggest")
    except NotAuthenticated as error:
        raise NotSignedIn("Sign in with any name and a key of a desk as the password.") from error


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def authenticate(services: Services, key: str, scope: str) -> Caller:
    """Return the caller behind a key; raise `NotAuthenticated` or `NotAllowed`."""
    caller = services.keys.find(key, services.now()) if key else None
    if caller is None or caller.desk not in services.engines:
        raise NotAuthenticated("Send a valid key of a desk that is served here: `Authorization: Bearer fl_…`.")
    if scope not in caller.scopes:
        raise NotAllowed(f"This key lacks the scope {scope!r}; ask for a key that has it.")
    return caller
