"""Who is calling: the key in the request's headers, as a route dependency. Each request is taken from its budget."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import Scope

from serve.errors import NotAllowed, NotAuthenticated, RateLimited
from serve.security.keys import Caller
from serve.security.rate_limits import Rate
from serve.services import Services, services_of

#: Declared for the API's description; the header itself is read below.
bearer = HTTPBearer(auto_error=False, description="A key of one desk: `fl_…`")


def caller_with(scope: str) -> Callable[..., Caller]:
    """Return the dependency that lets a caller through whose key has this scope, and requests left in this minute."""

    def dependency(
        request: Request,
        services: Annotated[Services, Depends(services_of)],
        _: Annotated[object, Security(bearer, scopes=[scope])] = None,
    ) -> Caller:
        scheme, key = get_authorization_scheme_param(request.headers.get("authorization"))
        caller = authenticate(services, key if scheme.lower() == "bearer" else "")
        return admit(request, services, caller, scope)

    return dependency


def early_caller(services: Services, scope: Scope) -> Caller | None:
    """Return who calls, before any route is known; None where the route will refuse: no valid key, or none left.

    The request is taken from the budget here, and not again by the route.
    """
    request = Request(scope)
    scheme, key = get_authorization_scheme_param(request.headers.get("authorization"))
    caller = services.keys.find(key, services.now()) if scheme.lower() == "bearer" else None
    if caller is None or caller.desk not in services.desks:
        return None
    try:
        request.state.rate = services.limits.take(caller, services.now())
    except RateLimited:
        return None
    return caller


def authenticate(services: Services, key: str) -> Caller:
    """Return the caller behind a key; raise `NotAuthenticated`."""
    caller = services.keys.find(key, services.now()) if key else None
    if caller is None or caller.desk not in services.desks:
        raise NotAuthenticated("Send a valid key of a desk that is served here: `Authorization: Bearer fl_…`.")
    return caller


def admit(request: Request, services: Services, caller: Caller, scope: str) -> Caller:
    """Take the request from the caller's budget, once; then look at the scope: refusals cost as much as answers.

    Raises `RateLimited` or `NotAllowed`; where the budget stands is in `request.state.rate`, for `RateHeaders`.
    """
    if not hasattr(request.state, "rate"):
        admit_more(request, services, caller, 1)
    request.state.caller = caller
    if scope not in caller.scopes:
        raise NotAllowed(f"This key lacks the scope {scope!r}; ask for a key that has it.")
    return caller


def admit_more(request: Request, services: Services, caller: Caller, count: int) -> None:
    """Take so many more from the caller's budget, for a request that stands for several. Raises `RateLimited`."""
    try:
        for _ in range(count):
            request.state.rate = services.limits.take(caller, services.now())
    except RateLimited as error:
        request.state.rate = Rate(services.limits.budget(caller), 0, error.retry_after or 1)
        raise
