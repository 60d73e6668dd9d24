"""How the console writes times, shares and texts."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from triage.suggestions import percent

#: Longer texts are cut in lists.
MAX_SHOWN = 5_000
#: From this chance on a guess is called sure, likely; below the last, unsure.
SURE, LIKELY = 0.9, 0.6
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def moment(value: datetime) -> str:
    """Write a time: day, month, year, hour and minute in UTC."""
    return value.strftime("%d %b %Y, %H:%M UTC")


def iso(value: datetime) -> str:
    """Write a time as machines read it."""
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")


def span(value: timedelta) -> str:
    """Write a length of time by its largest unit: 3 d, 5 h, 12 min."""
    seconds = abs(value.total_seconds())
    return next((f"{int(seconds // size)} {unit}" for unit, size in UNITS if seconds >= size), "0 min")


def sureness(confidence: float) -> str:
    """Name a chance: `sure`, `likely` or `unsure`."""
    return "sure" if confidence >= SURE else "likely" if confidence >= LIKELY else "unsure"


def cut(text: str, length: int = MAX_SHOWN) -> str:
    """Cut a text that is too long to be shown, and show that it is."""
    return text if len(text) <= length else f"{text[:length].rstrip()} …"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "moment": moment,
    "iso": iso,
    "span": span,
    "percent": percent,
    "sureness": sureness,
    "cut": cut,
}
