"""The Idempotency-Key header on POSTs: a request that is sent again is answered again, and carried out once.

Kept are answers below 400, for a day. An error changed nothing here and may be another one later (a ticket that comes
after its message, a full queue, a database that is away): its key is forgotten, so that a retry is a try. The same
holds for a request that was cancelled. Where the process died, or could not say how it ended, the key is free after the
lease; what it had stored by then may be there twice.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from anyio import CancelScope, to_thread
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.error_responses import problem, storage_unavailable
from serve.security.keys import Caller
from serve.storage.idempotency_store import Claim, Found, IdempotencyStore, Kept

log = logging.getLogger("firstline.serve")

PATHS, HEADER = "/v1/", b"idempotency-key"
KEY = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
#: Headers that are part of an answer.
KEPT_HEADERS = (b"content-type", b"etag", b"location")
#: The first status that is an error.
ERROR = 400
NO_CONTENT = 204
UNAVAILABLE = (OperationalError, PoolTimeout)


@dataclass(frozen=True)
class Keeping:
    """What the middleware works with. caller: of a request, None where a route will refuse it anyway."""

    store: IdempotencyStore
    caller: Callable[[Scope], Caller | None]
    now: Callable[[], datetime]
    new_id: Callable[[], str]


class Idempotency:
    """ASGI middleware. Within a day, the same key and the same request give the same answer, marked as replayed.

    Another request with the key is 422, one while the first is being answered 409. Without a valid key of a desk the
    header counts for nothing: the route refuses the request.
    """

    def __init__(self, app: ASGIApp, keeping: Keeping) -> None:
        self._app, self._keeping = app, keeping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out what is new, and answer the rest."""
        given = [value for name, value in scope.get("headers", ()) if name == HEADER]
        if not given or scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(PATHS):
            await self._app(scope, receive, send)
            return
        try:
            caller = await to_thread.run_sync(self._keeping.caller, scope)
        except UNAVAILABLE as error:
            await storage_unavailable(error)(scope, receive, send)
            return
        if caller is None:
            await self._app(scope, receive, send)
        elif len(given) > 1 or not KEY.fullmatch(given[0]):
            detail = "Idempotency-Key: send it once, with 1 to 255 printable ASCII characters."
            await problem(422, "invalid_idempotency_key", detail)(scope, receive, send)
        else:
            await self._once(caller, given[0].decode(), scope, receive, send)

    async def _once(self, caller: Caller, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole(receive)
        if body is None:  # nobody is there any more
            return
        own = self._keeping.new_id()
        claim = Claim(caller.desk, caller.key_id, key, _fingerprint(scope, body), own, self._keeping.now())
        try:
            found = await to_thread.run_sync(self._keeping.store.begin, claim)
        except UNAVAILABLE as error:
            await storage_unavailable(error)(scope, receive, send)
            return
        if found is None:
            await self._carry_out(claim, scope, _replayed(body, receive), send)
        else:
            await _answer(found, claim, scope, receive, send)

    async def _carry_out(self, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer()
        try:
            await self._app(scope, receive, answer)
        except BaseException:
            await self._end(claim, None)
            raise
        await self._end(claim, answer.kept())
        await answer.send(send)

    async def _end(self, claim: Claim, answer: Kept | None) -> None:
        """Keep an answer or forget the try; where neither can be done the lease runs out by itself."""
        with CancelScope(shield=True):
            try:
                if answer is None or answer.status >= ERROR:
                    await to_thread.run_sync(self._keeping.store.give_up, claim)
                else:
                    await to_thread.run_sync(self._keeping.store.finish, claim, answer)
            except Exception as error:
                log.error("an idempotency key could not be ended: %s", type(error).__name__)


class _Answer:
    """Holds an answer back until it is kept: whoever has seen it may rely on it."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self._messages.append(message)

    def kept(self) -> Kept | None:
        """Return the answer as it is kept; None where none began."""
        if not self._messages:
            return None
        start = self._messages[0]
        headers = tuple(
            (name.decode(), value.decode("latin-1")) for name, value in start["headers"] if name.lower() in KEPT_HEADERS
        )
        return Kept(start["status"], headers, b"".join(message.get("body", b"") for message in self._messages))

    async def send(self, send: Send) -> None:
        """Send it."""
        for message in self._messages:
            await send(message)


async def _answer(found: Found, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request whose key came before."""
    if found.fingerprint != claim.fingerprint:
        detail = "Idempotency-Key: it came before with another request; send a new key."
        await problem(422, "idempotency_key_reused", detail)(scope, receive, send)
    elif found.answer is None:
        detail = "Idempotency-Key: the first request with it is still being answered; try again in a second."
        await problem(409, "idempotency_in_flight", detail, {"Retry-After": "1"})(scope, receive, send)
    else:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in found.answer.headers]
        headers.append((b"idempotency-replayed", b"true"))
        if found.answer.status != NO_CONTENT:
            headers.append((b"content-length", str(len(found.answer.body)).encode()))
        await send({"type": "http.response.start", "status": found.answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": found.answer.body})


def _fingerprint(scope: Scope, body: bytes) -> str:
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    path = scope.get("raw_path") or scope["path"].encode()
    parts = (scope["method"].encode(), path, scope["query_string"], kind, body)
    return sha256(b"\0".join(sha256(part).digest() for part in parts)).hexdigest()


async def _whole(receive: Receive) -> bytes | None:
    """Return the whole body, whose size is limited further out; None where the client went away."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a receive that gives the body once more, and then what else comes."""
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again
