"""A real server process with a few routes of its own behind uvicorn, for tests that treat it badly over sockets."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

#: What uvicorn says of requests that are none.
WARNING = "Invalid HTTP request received."
SCRIPT = """
import asyncio, json, socket, sys
from contextlib import suppress
import uvicorn
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from serve.body_limits import BodyLimit
from serve.error_responses import install_error_handlers
from serve.http_protocol import Deadlines, protocol_with
from serve.safe_answers import SafeAnswers

class Upgraded(asyncio.Protocol):
    def __init__(self, **_):
        raise AssertionError("somebody was upgraded")

app = FastAPI()
install_error_handlers(app)

@app.post("/read")
@app.put("/v1/articles/a")
async def read(request: Request, wait: float = 0, then: float = 0) -> dict:
    await asyncio.sleep(wait)
    size = 0
    with suppress(ClientDisconnect):
        async for part in request.stream():
            size += len(part)
    await asyncio.sleep(then)
    return {"size": size, "headers": [name.decode() for name, _ in request.headers.raw]}

@app.post("/unread")
@app.get("/unread")
async def unread(wait: float = 0) -> dict:
    await asyncio.sleep(wait)
    return {"waited": wait}

@app.get("/large")
async def large() -> str:
    return "x" * 20_000_000

app.add_middleware(BodyLimit)
app.add_middleware(SafeAnswers)
listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
print(listener.getsockname()[1], flush=True)
given = json.loads(sys.argv[1])
config = uvicorn.Config(
    app, http=protocol_with(Deadlines(**given)), log_config=None, log_level="warning", access_log=False,
    timeout_keep_alive=1, ws=Upgraded,
)
uvicorn.Server(config).run(sockets=[listener])
"""


@dataclass(frozen=True)
class SmallServer:
    """A running server."""

    process: subprocess.Popen[str]
    port: int

    def connect(self, timeout: float = 20) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def memory(self) -> int:
        """Bytes that the process holds."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


@contextmanager
def small_server(**deadlines: float) -> Iterator[SmallServer]:
    """A server with these deadlines; it must end well, with nothing untoward on its standard error."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(deadlines)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield SmallServer(process, int(process.stdout.readline()))
        assert process.poll() is None
        process.terminate()
        _, errors = process.communicate(timeout=20)
        untoward = {line for line in errors.splitlines() if line != WARNING}
        assert not untoward, untoward
    finally:
        process.kill()
        process.communicate()
