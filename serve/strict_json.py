"""JSON as RFC 8259 has it and no more: no NaN, no key twice, no depth without end. All else is 400, never 500."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

#: Objects and lists may stand in one another so deep.
MAX_DEPTH = 64


class StrictRequest(Request):
    """A request whose JSON is read by `read_json`."""

    async def json(self) -> Any:
        """Return the body's value. Raises `json.JSONDecodeError`, which FastAPI turns into a validation error."""
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


class StrictJsonRoute(APIRoute):
    """A route that reads its body strictly; for `APIRouter(route_class=…)`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler, over a `StrictRequest`."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strictly


def read_json(body: bytes) -> Any:
    """Return the value of a JSON text in UTF-8. Raises `json.JSONDecodeError` for anything else."""
    try:
        value = json.loads(
            body.decode("utf-8-sig"), parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_keys_once
        )
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, half a character, depth
        raise json.JSONDecodeError(type(error).__name__, "", 0) from error
    if _depth_over(value, MAX_DEPTH):
        raise json.JSONDecodeError("nested too deep", "", 0)
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number without end")
    return number


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _depth_over(value: Any, most: int) -> bool:
    """Tell whether lists and objects stand in one another deeper than allowed, level by level."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        inner = (one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer))
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return False
    return True
