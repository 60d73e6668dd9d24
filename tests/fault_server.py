"""A model's endpoint that fails in any way it is told to: it owns the socket, so no rule of HTTP stands in its way."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

#: Called with the server and a connection whose request was read; the connection is closed behind it.
Answer = Callable[["FaultServer", socket.socket], None]


class FaultServer:
    """Listens on this machine, counts what arrives, and answers each request with `answer`.

    connections: taken; asked: the bodies of the requests that arrived whole. `released` ends what waits.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connections = 0
        self.asked: list[bytes] = []
        self.released = threading.Event()
        self._closing = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._listen)]

    def __enter__(self) -> "FaultServer":
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing = True
        self.released.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def _listen(self) -> None:
        while not self._closing:
            with suppress(OSError):
                accepted, _ = self._socket.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(accepted,)))
                self._threads[-1].start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            head, _, body = _until(accepted, b"\r\n\r\n").partition(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            while len(body) < length and (more := accepted.recv(65_536)):
                body += more
            self.asked.append(body)
            self.answer(self, accepted)


def _until(accepted: socket.socket, mark: bytes) -> bytes:
    read = b""
    while mark not in read and (more := accepted.recv(65_536)):
        read += more
    return read


# --- what it may be told to do


def sending(body: bytes, status: str = "200 OK", head: str = "Content-Type: application/json\r\n") -> Answer:
    """Send a whole answer."""
    whole = f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    return lambda _, connection: connection.sendall(whole)


def completion(content: object, **more: object) -> bytes:
    """Return the body of a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 9}
    return json.dumps({"model": "small-1", "choices": [choice], "usage": usage, **more}).encode()


def saying(*sentences: object, passages: object = (1,)) -> Answer:
    """Answer as a good model would, with these sentences."""
    said = [{"text": sentence, "passages": passages} for sentence in sentences]
    return sending(completion(json.dumps({"sentences": said})))


def hanging(server: FaultServer, connection: socket.socket) -> None:
    """Say nothing at all until released."""
    server.released.wait(30)


def dripping(start: bytes, again: bytes, pause: float = 0.05) -> Answer:
    """Send a start, and then something again and again until released."""

    def answer(server: FaultServer, connection: socket.socket) -> None:
        connection.sendall(start)
        while not server.released.wait(pause):
            connection.sendall(again)

    return answer


def cut(body: bytes, missing: int) -> Answer:
    """Promise a whole body and close before its end."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return lambda _, connection: connection.sendall(head + body[:-missing])
