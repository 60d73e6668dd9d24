"""JSON as RFC 8259 has it and no more: no NaN, no key twice, no depth without end. All else is 400, never 500."""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from anyio import to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute

#: Objects and lists may stand in one another so deep.
MAX_DEPTH = 64
#: Objects and lists of one body: more than a megabyte of messages has, and few enough to be made in no time.
MAX_PARTS = 50_000
#: Digits of a whole number: no number of more can be reckoned with in floating point.
MAX_DIGITS = 308
#: Bytes from which on a body is read in a thread: the event loop has others to serve.
LARGE = 65_536
#: How half a character is written: U+D800 to U+DFFF.
HALVES = re.compile(r"\\u[dD][89a-fA-F]")
#: A text with its quotes, to its end or that of all: nothing is looked at twice.
TEXTS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
NO_BRACKETS, ALIKE = re.compile(r"[^\[\]{}]+"), str.maketrans("{}", "[]")


class StrictRequest(Request):
    """A request whose JSON is read by `read_json`."""

    async def json(self) -> Any:
        """Return the body's value. Raises `json.JSONDecodeError`, which FastAPI turns into a validation error."""
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = read_json(body) if len(body) < LARGE else await to_thread.run_sync(read_json, body)
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
    """Return the value of a JSON text in UTF-8. Raises `json.JSONDecodeError` for anything else.

    Half a character (a lone surrogate, what is left where a program cut an emoji in two) becomes U+FFFD, in keys and
    values: it is no reason to lose a ticket, and nothing could store or send it. Takes time linear in the body.
    """
    try:
        text = body.decode()
        if _is_bomb(text):  # before anything is made of it
            raise ValueError("too deep, or too much")
        value = _read(text)
        return _read(_whole_characters(value)) if HALVES.search(text) else value
    except json.JSONDecodeError as error:
        raise json.JSONDecodeError(error.msg, "", 0) from None  # without the text
    except (ValueError, RecursionError) as error:  # bytes that are no UTF-8, a number of many digits, depth
        raise json.JSONDecodeError(type(error).__name__, "", 0) from None


def _read(text: str) -> Any:
    return json.loads(
        text, parse_constant=_no_constant, parse_float=_finite, parse_int=_short, object_pairs_hook=_keys_once
    )


def _whole_characters(value: Any) -> str:
    """Return a value's JSON with both halves of a character put together, and U+FFFD for one that stands alone."""
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number without end")
    return number


def _short(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number of too many digits")
    return int(text)


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _is_bomb(text: str) -> bool:
    """Tell whether there are too many lists and objects, or too deep ones: each round takes the innermost away."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    brackets = NO_BRACKETS.sub("", TEXTS.sub("", text)).translate(ALIKE)
    if len(brackets) > 2 * MAX_PARTS:
        return True
    for _ in range(MAX_DEPTH):
        before, brackets = len(brackets), brackets.replace("[]", "")
        if len(brackets) == before:
            break
    return bool(brackets)
