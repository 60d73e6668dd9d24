"""Logs: one line to an event on standard error, as JSON or as text. They hold ids, never a ticket's words.

An exception's own text may quote a ticket, and so may the messages of libraries: of an exception only its class and
its place in the project are written, of a library's message only where it was made.
"""

import json
import logging
import os
import select
import sys
import threading
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

LogFormat = Literal["text", "json"]
#: A field's value in a line.
Value = str | int | float

#: The request that this code works for, None outside of one; threads that a request starts see it too.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

#: What may stand in a line beside time, level, logger, event, pid and request id: given as `extra`, else left out.
FIELDS = ("method", "route", "status", "ms", "desk", "key_id", "worker", "exit_code", "lost", "error", "at")
#: What a field's value must be.
SHOWN = (str, int, float)
#: Loggers whose messages are written for these logs; all others' are withheld.
TRUSTED = ("firstline", "uvicorn")
WITHHELD = "a library's message, withheld"
MAX_TEXT = 200
#: Milliseconds that a line waits for a reader who has stalled; those after it wait no more until one gets through.
STALL_MS = 20

ROOT = Path(__file__).resolve().parent.parent
#: The project may be installed beside other packages: these are its own.
OWN = ("models", "retrieval", "triage", "serve", "eval", "firstline.py")

log = logging.getLogger("firstline.logs")
#: Made once: making one takes as long as its work.
encode = json.JSONEncoder(separators=(",", ":")).encode


def fault(error: BaseException) -> dict[str, str]:
    """Return the fields of a line that tell of an error: its class, and where in the project it was raised last."""
    place = _last_place(error.__traceback__)
    return {"error": type(error).__name__} | ({"at": place} if place else {})


def _last_place(trace: TracebackType | None) -> str:
    place = ""
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in OWN:
            place = f"{path.relative_to(ROOT).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def event_of(record: logging.LogRecord) -> dict[str, Value]:
    """Return what a line says of a record, in order: time (RFC 3339, UTC), level, logger, event, ids."""
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    told: dict[str, Value] = {
        "ts": moment.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": _event_text(record),
    }
    if current := request_id.get():
        told["request_id"] = current
    if not _is_trusted(record.name):
        told["at"] = "/".join(Path(record.pathname).parts[-2:]) + f":{record.lineno}"
    for name in FIELDS:
        value = getattr(record, name, None)
        if isinstance(value, SHOWN):
            told[name] = value[:MAX_TEXT] if isinstance(value, str) else value
    if record.exc_info and record.exc_info[1]:
        told |= fault(record.exc_info[1])
    told["pid"] = record.process or os.getpid()
    return told


def _is_trusted(logger: str) -> bool:
    return logger.partition(".")[0] in TRUSTED


def _event_text(record: logging.LogRecord) -> str:
    if not isinstance(record.msg, str):
        return type(record.msg).__name__
    if not _is_trusted(record.name):
        return WITHHELD
    text = record.msg
    if isinstance(record.args, tuple):
        safe = tuple(type(part).__name__ if isinstance(part, BaseException) else part for part in record.args)
        with suppress(TypeError, ValueError):  # else the message without its arguments
            text = text % safe if safe else text
    return text.strip().partition("\n")[0][:MAX_TEXT]


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object on one line of ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return encode(event_of(record))


class TextFormatter(logging.Formatter):
    """Writes a record for people: time, level, logger, event, then ``field=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what cannot be printed is escaped."""
        told = event_of(record)
        moment, level, logger, event = (str(told.pop(name)) for name in ("ts", "level", "logger", "event"))
        fields = " ".join(f"{name}={_printable(value)}" for name, value in told.items())
        return f"{moment} {level.upper():7} {logger}: {_printable(event)} {fields}"


def _printable(value: Value) -> str:
    text = str(value)
    return text if text.isprintable() else json.dumps(text)


class LineHandler(logging.Handler):
    """Writes each line in one write, so that lines of several processes do not mix.

    A reader that stalls costs lines, which are counted, and never holds up the service.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor, self._lost = descriptor, 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it as lost."""
        if not self._poll.poll(0 if self._lost else STALL_MS):
            self._lost += 1
            return
        lost, self._lost = self._lost, 0
        try:
            if lost:
                self._write(self.format(_lost_lines(lost)))
            self._write(self.format(record))
        except Exception:  # the standard library would print the record's arguments
            self._lost = lost + 1

    def _write(self, line: str) -> None:
        data = line.encode("ascii", "backslashreplace") + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]


def _lost_lines(count: int) -> logging.LogRecord:
    record = logging.makeLogRecord({"name": log.name, "levelname": "WARNING", "msg": "lines were lost: nobody read"})
    record.lost = count
    return record


def format_for(chosen: LogFormat | None, is_terminal: bool) -> LogFormat:
    """Return the format that was chosen, else text for a terminal and JSON for all else."""
    return chosen or ("text" if is_terminal else "json")


def configure_logging(chosen: LogFormat, descriptor: int = 2) -> None:
    """Send all logs of this process to a file descriptor, errors of threads and of finalizers with them."""
    handler = LineHandler(descriptor)
    handler.setFormatter(JsonFormatter() if chosen == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("firstline").setLevel(logging.INFO)
    logging.captureWarnings(True)
    threading.excepthook = _thread_ended
    sys.unraisablehook = _unraisable


def _thread_ended(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
        log.error("a thread ended by an error", extra=fault(told.exc_value))


def _unraisable(told: "sys.UnraisableHookArgs") -> None:
    if told.exc_value is not None:
        log.error("an error that nobody could catch", extra=fault(told.exc_value))
