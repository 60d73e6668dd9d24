"""Several processes behind one socket: one that dies is replaced, and all stop together."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from served_process import DEADLINE, Home, Service, make_home, serving, start

from serve.workers import LONGEST_PAUSE, pause_before

TICKET = {"subject": "New phone, codes gone"}


@pytest.fixture(scope="module")
def home(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(project, tmp_path_factory.mktemp("workers"))


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def children(service: Service) -> set[int]:
    """The processes of the workers; the parent has another child, which looks after what they share."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
            if parent == service.process.pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.add(int(folder.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def numbers(service: Service, key: str) -> dict[str, float]:
    answer = httpx.get(f"{service.address}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=DEADLINE)
    assert answer.status_code == 200, answer.text
    rows = (line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(number) for name, number in rows}


def triage(service: Service, key: str) -> int:
    """One request over a connection of its own."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{service.address}/v1/triage", json=TICKET, headers=headers, timeout=DEADLINE).status_code


def many(service: Service, key: str) -> set[int]:
    """Several requests at once: enough that no worker takes them all."""
    with ThreadPoolExecutor(8) as threads:
        return set(threads.map(lambda _: triage(service, key), range(16)))


def test_a_worker_that_is_killed_is_replaced_and_no_count_falls(home: Home, tmp_path: Path) -> None:
    key = home.new_key()
    counted = 'firstline_requests_total{method="POST",route="/v1/triage",status="200"}'
    with serving(home, tmp_path / "log", workers=2, drain_seconds=1.0) as service:
        first = children(service)
        assert len(first) == 2
        assert [triage(service, key) for _ in range(20)] == [200] * 20
        told = numbers(service, key)
        assert told[counted] == 20
        assert sum(told[name] for name in told if name.startswith('firstline_suggestions_total{desk="demo"')) == 20
        assert told['firstline_generation{desk="demo"}'] == 1
        os.kill(min(first), signal.SIGKILL)
        until(lambda: not is_running(min(first)))
        assert [triage(service, key) for _ in range(5)] == [200] * 5
        until(lambda: len(children(service) - first) == 1)
        (successor,) = children(service) - first
        until(lambda: says(service, successor, "requests are accepted"))
        until(lambda: many(service, key) == {200} and says(service, successor, "request"))
        told = numbers(service, key)
        assert told[counted] >= 26
        assert told["firstline_requests_in_flight"] == 1
        stop_all_at_once(service, signal.SIGINT)
        died = [line["exit_code"] for line in service.lines() if line["event"] == "a worker died"]
        assert died == [-signal.SIGKILL]
    assert not list((home.folder / "var" / "metrics").iterdir())


def test_a_worker_that_cannot_come_back_is_tried_again_while_the_others_serve(home: Home, tmp_path: Path) -> None:
    shutil.copytree(home.folder, tmp_path / "home", ignore=shutil.ignore_patterns("service.db*"))
    own = Home(tmp_path / "home")
    key, rules = own.new_key(), own.folder / "desk" / "desk.toml"
    text = rules.read_text(encoding="utf-8")
    with serving(own, tmp_path / "log", workers=2, drain_seconds=1.0) as service:
        rules.write_text("this is not TOML", encoding="utf-8")
        first = children(service)
        os.kill(min(first), signal.SIGKILL)
        until(lambda: any("could not start again" in str(line["event"]) for line in service.lines()))
        assert triage(service, key) == 200
        rules.write_text(text, encoding="utf-8")
        until(lambda: any(says(service, pid, "requests are accepted") for pid in children(service) - first))
        assert many(service, key) == {200}
        stop_all_at_once(service, signal.SIGTERM)


def stop_all_at_once(service: Service, number: int) -> None:
    """Signal all processes, as a terminal's Ctrl+C and a service manager do: they drain, and are not told twice."""
    os.killpg(service.process.pid, number)
    until(lambda: httpx.get(f"{service.address}/health/ready", timeout=DEADLINE).status_code == 503)
    assert httpx.get(f"{service.address}/health/live", timeout=DEADLINE).status_code == 200
    assert service.process.wait(DEADLINE) == 0
    assert not children(service)
    assert "Traceback" not in service.log.read_text(encoding="utf-8")


def says(service: Service, pid: int, event: str) -> bool:
    return any(line["event"] == event and line["pid"] == pid for line in service.lines())


def test_workers_end_when_their_parent_is_killed(home: Home, tmp_path: Path) -> None:
    with serving(home, tmp_path / "log", workers=2, drain_seconds=0) as service:
        workers = children(service)
        service.stop(signal.SIGKILL)
        until(lambda: not any(is_running(pid) for pid in workers))


def test_a_desk_that_cannot_be_served_stops_everything_with_a_sentence(home: Home, tmp_path: Path) -> None:
    shutil.copytree(home.folder / "desk", tmp_path / "desk")
    process = start(Home(tmp_path), tmp_path / "log", workers=2)
    said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2
    assert re.fullmatch(r".*firstline build.*\n", said)
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" not in log


def test_a_database_in_memory_cannot_be_shared(home: Home, tmp_path: Path) -> None:
    process = start(home, tmp_path / "log", workers=2, database="sqlite://")
    said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2
    assert said.startswith("workers cannot share a database in memory; give --database a file")


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(home: Home, tmp_path: Path) -> None:
    from serve.errors import StartError
    from serve.server import address_of, bind

    with bind("127.0.0.1", 0) as listener:
        port = int(address_of(listener).rsplit(":", 1)[1])
        listener.listen()
        with pytest.raises(StartError, match=f"127.0.0.1:{port} cannot be used .*choose another with --port"):
            bind("127.0.0.1", port)


def test_pauses_grow_while_a_worker_dies_soon_after_its_start() -> None:
    assert [pause_before(deaths) for deaths in range(5)] == [0, 0.5, 1, 2, 4]
    assert pause_before(50) == LONGEST_PAUSE
