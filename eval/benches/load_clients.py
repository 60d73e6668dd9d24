"""A load generator, meant for a process of its own: many clients over kept-alive connections, one request at a time.

Closed loop: each client asks again as soon as it was answered. Open loop: requests begin at a steady rate whatever
becomes of those before, and a request's time counts from the moment at which it was due (so that a server that stalls
cannot hide it; Tene, "How NOT to measure latency", 2013).
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: Seconds after which an answer is given up.
PATIENCE = 60.0
#: Seconds within which the clients of a closed loop begin.
START = 1.0
#: Seconds after which a connection that was not used may be closed by the service, and is opened anew.
IDLE = 3.0
#: Connections that are opened at a time.
OPENING = 100


@dataclass(frozen=True)
class Load:
    """What to send: bodies in turn to a path; rate: requests a second of an open loop, 0 for a closed one."""

    port: int
    key: str
    path: str
    bodies: Sequence[str]
    clients: int
    seconds: float
    rate: float = 0.0


@dataclass
class Found:
    """What came back: seconds of each answer by status, and of what had none; health: seconds of each look at it."""

    seconds: float = 0.0
    answers: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    health: list[float] = field(default_factory=list)
    health_failures: int = 0

    def add(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.answers.setdefault(str(status), []).append(seconds)


class Client:
    """One connection that is opened again where it was closed. retry_after: seconds that the last answer named."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self.retry_after = 0.0
        self._used = time.perf_counter()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, where that was not done."""
        if time.perf_counter() - self._used > IDLE:
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self._streams

    async def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """Send a request and return the answer's status. Raises `OSError` or `asyncio.IncompleteReadError`."""
        try:
            reader, writer = await self.open()
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            wait = next((line for line in answer.split(b"\r\n") if line.startswith(b"retry-after:")), b":0")
            self.retry_after = float(wait.split(b":")[1])
            length = next(line for line in answer.split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            self._used = time.perf_counter()
            if b"connection: close" in answer:
                self.close()
            return int(answer.split(b" ", 2)[1])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def run(load: Load) -> Found:
    """Send the load, looking at the service's health ten times a second beside it."""
    found, bodies = Found(), [body.encode() for body in load.bodies]
    clients = [Client(load.port, load.key) for _ in range(load.clients)]
    gate = asyncio.Semaphore(OPENING)

    async def opened(client: Client) -> None:
        async with gate:
            await client.open()

    await asyncio.gather(*map(opened, clients))
    began = time.perf_counter()
    end = began + load.seconds
    watch = asyncio.create_task(_watch_health(load, found, end))
    if load.rate:
        await _open_loop(load, clients, bodies, found)
    else:
        await asyncio.gather(*(_ask_until(client, load, bodies[place:] + bodies[:place], found, end)
                               for place, client in ((n % len(bodies), c) for n, c in enumerate(clients))))  # fmt: skip
    found.seconds = time.perf_counter() - began
    await watch
    for client in clients:
        client.close()
    return found


async def _ask_until(client: Client, load: Load, bodies: Sequence[bytes], found: Found, end: float) -> None:
    turn = 0
    # A thousand that begin in the same millisecond are no load that anybody has: they come within the first second.
    await asyncio.sleep(START * random.random())  # noqa: S311 - no secret
    while time.perf_counter() < end:
        await _timed(client, load.path, bodies[turn % len(bodies)], found, time.perf_counter())
        turn += 1
        await asyncio.sleep(min(client.retry_after, max(0.0, end - time.perf_counter())))


async def _open_loop(load: Load, clients: Sequence[Client], bodies: Sequence[bytes], found: Found) -> None:
    free: asyncio.Queue[Client] = asyncio.Queue()
    for client in clients:
        free.put_nowait(client)
    began = time.perf_counter()

    async def one(number: int, due: float) -> None:
        client = await free.get()
        try:
            await _timed(client, load.path, bodies[number % len(bodies)], found, due)
        finally:
            free.put_nowait(client)

    tasks = []
    for number in range(int(load.rate * load.seconds)):
        due = began + number / load.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*tasks)


async def _timed(client: Client, path: str, body: bytes, found: Found, due: float) -> None:
    try:
        status = await asyncio.wait_for(client.ask("POST", path, body), PATIENCE)
    except (OSError, EOFError, TimeoutError) as error:
        name = type(error).__name__
        found.failures[name] = found.failures.get(name, 0) + 1
        await asyncio.sleep(0.05)
    else:
        found.add(status, time.perf_counter() - due)


async def _watch_health(load: Load, found: Found, end: float) -> None:
    client = Client(load.port, load.key)
    while time.perf_counter() < end:
        began = time.perf_counter()
        try:
            status = await asyncio.wait_for(client.ask("GET", "/health/live"), PATIENCE)
            found.health_failures += status != 200
            found.health.append(time.perf_counter() - began)
        except (OSError, EOFError, TimeoutError):
            found.health_failures += 1
        await asyncio.sleep(0.1)
    client.close()


def main() -> None:
    """Read a `Load` as JSON from standard input; write what was `Found` as JSON."""
    told: dict[str, Any] = json.load(sys.stdin)
    print(json.dumps(asdict(asyncio.run(run(Load(**told))))))


if __name__ == "__main__":
    main()
