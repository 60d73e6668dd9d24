"""A service that is told to stop says so first, and answers whatever was sent to it."""

import http.client
import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from served_process import DEADLINE, Home, Service, make_home, serving

TICKET = {"subject": "New phone, codes gone", "body": "No codes in the app. How do I move them?"}
#: Seconds between two looks of a client at readiness.
LOOK = 0.1


@pytest.fixture(scope="module")
def home(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(project, tmp_path_factory.mktemp("drain"))


def heed(service: Service, key: str, seen: list[int | str]) -> None:
    """Send requests over one connection as long as the service says that it is ready; note what comes back."""
    look = 0.0
    with service.client(headers={"Authorization": f"Bearer {key}"}) as client:
        while True:
            try:
                if time.monotonic() >= look:
                    if client.get("/health/ready").status_code != 200:
                        return
                    look = time.monotonic() + LOOK
                seen.append(client.post("/v1/triage", json=TICKET).status_code)
            except httpx.HTTPError as error:
                seen.append(type(error).__name__)
                return


@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_that_heeds_readiness_sees_no_failed_request(home: Home, tmp_path: Path, workers: int) -> None:
    key, seen = home.new_key(), [list[int | str]() for _ in range(8)]
    with serving(home, tmp_path / "log", workers=workers, drain_seconds=1.5) as service:
        with ThreadPoolExecutor(8) as threads:
            clients = [threads.submit(heed, service, key, answers) for answers in seen]
            while not all(len(answers) > 5 for answers in seen):
                assert not any(client.done() for client in clients), seen
                time.sleep(0.02)
            assert service.stop() == 0
        assert [client.result() for client in clients] == [None] * 8
    assert {answer for answers in seen for answer in answers} == {200}


def test_it_says_that_it_drains_then_closes_then_finishes_what_was_begun(home: Home, tmp_path: Path) -> None:
    key, body = {"Authorization": f"Bearer {home.new_key()}"}, json.dumps(TICKET).encode()
    with serving(home, tmp_path / "log", drain_seconds=1.0) as service, service.client() as client:
        assert client.get("/health/ready").status_code == 200
        begun = half_a_request(service, key, body)
        service.process.send_signal(signal.SIGTERM)
        while (told := client.get("/health/ready")).status_code == 200:
            time.sleep(0.01)
        assert (told.json()["code"], told.headers["connection"]) == ("draining", "close")
        assert client.get("/health/live").status_code == 200
        service.process.send_signal(signal.SIGTERM)  # once more changes nothing
        assert client.post("/v1/triage", json=TICKET, headers=key).status_code == 200
        wait_until_closed(service)
        assert service.process.poll() is None
        begun.send(body[10:])
        assert begun.getresponse().status == 200
        assert service.process.wait(DEADLINE) == 0
        assert "Traceback" not in service.log.read_text(encoding="utf-8")


def half_a_request(service: Service, key: dict[str, str], body: bytes) -> http.client.HTTPConnection:
    """Send a request but for all after the tenth byte of its body."""
    connection = http.client.HTTPConnection(*service.place, timeout=DEADLINE)
    connection.putrequest("POST", "/v1/triage")
    for name, value in {**key, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[:10])
    return connection


def wait_until_closed(service: Service) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            socket.create_connection(service.place, timeout=1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("the socket stays open")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_interrupt_ends_the_wait(home: Home, tmp_path: Path, workers: int) -> None:
    with serving(home, tmp_path / "log", workers=workers, drain_seconds=DEADLINE) as service:
        service.process.send_signal(signal.SIGINT)
        with pytest.raises(Exception, match="timed out"):
            service.process.wait(0.5)
        start = time.monotonic()
        assert service.stop(signal.SIGINT) == 0
        assert time.monotonic() - start < DEADLINE / 3
        assert "Traceback" not in service.log.read_text(encoding="utf-8")
