"""Every line is one object, holds ids, and never a word of an exception or a library."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path

import pytest

from serve.logs import (
    STALL_MS,
    WITHHELD,
    JsonFormatter,
    LineHandler,
    TextFormatter,
    event_of,
    fault,
    format_for,
    request_id,
)
from serve.readiness import Readiness
from serve.workers import pause_before

SECRET = "the customer's own words"


def record_of(logger: str, message: object, *args: object, **extra: object) -> logging.LogRecord:
    log = logging.getLogger(logger)
    return log.makeRecord(logger, logging.ERROR, "/x/library/module.py", 7, message, args, None, extra=extra)


def raised(do: Callable[[], object]) -> Exception:
    try:
        do()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_line_says_when_how_grave_who_and_what() -> None:
    record = record_of("firstline.requests", "request", method="GET", route="/v1/desk", status=200, ms=1.5)
    record.created = 1_795_000_000.25
    assert event_of(record) == {
        "ts": "2026-11-18T11:06:40.250Z",
        "level": "error",
        "logger": "firstline.requests",
        "event": "request",
        "method": "GET",
        "route": "/v1/desk",
        "status": 200,
        "ms": 1.5,
        "pid": os.getpid(),
    }


def test_of_an_error_there_is_its_class_and_its_last_place_in_the_project() -> None:
    error = raised(lambda: pause_before(SECRET))  # type: ignore[arg-type]
    told = fault(error)
    assert told["error"] == "TypeError"
    assert told["at"].startswith("serve/workers.py:")
    record = record_of("firstline.x", "it failed")
    record.exc_info = (type(error), error, error.__traceback__)
    line = JsonFormatter().format(record)
    assert json.loads(line)["at"] == told["at"]
    assert SECRET not in line
    assert "Traceback" not in line


def test_frames_of_libraries_and_tests_are_not_shown() -> None:
    assert fault(raised(lambda: json.loads(SECRET))) == {"error": "JSONDecodeError"}
    assert fault(ValueError(SECRET)) == {"error": "ValueError"}


@pytest.mark.parametrize(
    ("message", "args", "event"),
    [
        ("it failed: %s", (ValueError(SECRET),), "it failed: ValueError"),
        (ValueError(SECRET), (), "ValueError"),
        ("desk %s, %d times", ("demo", 3), "desk demo, 3 times"),
        ("too few: %s %s", ("demo",), "too few: %s %s"),
        (f"first line\n{SECRET}", (), "first line"),
        ("x" * 500, (), "x" * 200),
        ("100 %", (), "100 %"),
    ],
)
def test_a_message_is_one_line_without_the_text_of_errors(message: object, args: tuple[object], event: str) -> None:
    assert event_of(record_of("firstline.x", message, *args))["event"] == event


@pytest.mark.parametrize("logger", ["asyncio", "sqlalchemy.pool", "py.warnings", "firstlines", "root"])
def test_what_libraries_say_is_withheld_but_not_where(logger: str) -> None:
    told = event_of(record_of(logger, f"Exception in callback f({SECRET!r})"))
    assert told["event"] == WITHHELD
    assert told["at"] == "library/module.py:7"
    assert SECRET not in str(told)


def test_the_web_server_is_heard() -> None:
    assert event_of(record_of("uvicorn.error", "Invalid HTTP request received."))["event"] == (
        "Invalid HTTP request received."
    )


def test_what_is_no_known_field_is_left_out() -> None:
    told = event_of(record_of("firstline.x", "x", ticket=SECRET, desk="demo", status={"a": SECRET}))
    assert told["desk"] == "demo"
    assert SECRET not in str(told)


def test_the_request_is_known_to_the_threads_that_it_starts() -> None:
    token = request_id.set("r-1")
    told: list[object] = []
    context = copy_context()
    thread = threading.Thread(
        target=lambda: context.run(lambda: told.append(event_of(record_of("firstline.x", "x")).get("request_id")))
    )
    thread.start()
    thread.join()
    request_id.reset(token)
    assert told == ["r-1"]
    assert "request_id" not in event_of(record_of("firstline.x", "x"))


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
@pytest.mark.parametrize("text", ["a\rb", "a\x1b[31mb", "a\u2028b", "\ud83d", "a\x00b"])
def test_no_text_breaks_a_line(formatter: logging.Formatter, text: str) -> None:
    line = formatter.format(record_of("firstline.x", "%s", text, desk=text))
    assert line.isprintable()
    assert line.isascii()


def test_text_for_people() -> None:
    record = record_of("firstline.x", "a worker died", worker=1, exit_code=-9)
    record.created = 1_795_000_000.25
    assert TextFormatter().format(record) == (
        f"2026-11-18T11:06:40.250Z ERROR   firstline.x: a worker died worker=1 exit_code=-9 pid={os.getpid()}"
    )


def test_text_on_a_terminal_and_json_elsewhere_unless_chosen() -> None:
    assert [format_for(None, True), format_for(None, False)] == ["text", "json"]
    assert [format_for("json", True), format_for("text", False)] == ["json", "text"]


def test_a_reader_that_stalls_costs_lines_and_no_time() -> None:
    reader, writer = os.pipe()
    handler = LineHandler(writer)
    handler.setFormatter(JsonFormatter())
    start = time.perf_counter()
    for number in range(5_000):
        handler.handle(record_of("firstline.x", "line %d", number))
    assert time.perf_counter() - start < 5_000 * STALL_MS / 1000 / 10
    read = os.read(reader, 1_000_000).decode().splitlines()
    handler.handle(record_of("firstline.x", "after"))
    lost, after = (json.loads(line) for line in os.read(reader, 10_000).decode().splitlines())
    assert [json.loads(line)["event"] for line in read] == [f"line {number}" for number in range(len(read))]
    assert 0 < lost["lost"] == 5_000 - len(read)
    assert after["event"] == "after"
    os.close(reader)
    handler.handle(record_of("firstline.x", "nobody reads"))
    os.close(writer)


def test_nothing_in_a_process_prints_an_errors_text(project: Path) -> None:
    code = f"""
import asyncio, logging, threading, warnings
from serve.logs import configure_logging
configure_logging("json")
def fail(): raise ValueError({SECRET!r})
thread = threading.Thread(target=fail); thread.start(); thread.join()
class Bad:
    def __del__(self): fail()
Bad()
warnings.warn({SECRET!r})
async def main():
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
logging.getLogger("firstline.x").info("good %s %s", {SECRET!r})
logging.getLogger("elsewhere").info("below")
try: fail()
except ValueError: logging.getLogger("uvicorn.error").exception("Exception in ASGI application\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=60)
    assert SECRET not in done.stderr + done.stdout
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "a thread ended by an error",
        "an error that nobody could catch",
        WITHHELD,
        WITHHELD,
        "good %s %s",
        "Exception in ASGI application",
    ]
    assert [line.get("error") for line in lines] == ["ValueError", "ValueError", None, "ValueError", None, "ValueError"]


def test_readiness_takes_no_lock_that_a_signal_handler_could_wait_for() -> None:
    assert not [value for value in vars(Readiness()).values() if not isinstance(value, bool)]
