"""The parts of a case set that are measured by themselves."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from eval.cases import Case

#: Words of subject and body.
LENGTHS = (1, 11, 41, 121)
#: Past tickets with the case's category.
CLASS_SIZES = (0, 1, 10, 30, 100)
#: A further key of a case's `slice` is measured by itself where it has at most this many values.
MAX_VALUES = 16


def slices_of(case: Case, past: Mapping[str, int]) -> dict[str, str]:
    """Return the value of each slice that a case is in; `past` counts the past tickets of each category."""
    ticket = case.ticket
    words = len(f"{ticket.subject or ''} {ticket.body or ''}".split())
    values = {
        "language": (ticket.language or "unstated").lower(),
        "channel": ticket.channel or "unstated",
        **case.slice,
        "length": _range(words, LENGTHS, "words"),
    }
    if "category" in case.expect:
        values["class_size"] = _range(past.get(case.expect["category"], 0), CLASS_SIZES, "past tickets")
    return values


def members(found: Sequence[Mapping[str, str]]) -> dict[str, list[int]]:
    """Return the case numbers of every slice, named "language=de", in the order in which values occur.

    A key that says nothing (one value) or names cases rather than parts (many values) is left out.
    """
    by_key: dict[str, dict[str, list[int]]] = {}
    for number, values in enumerate(found):
        for key, value in values.items():
            by_key.setdefault(key, {}).setdefault(value, []).append(number)
    return {
        f"{key}={value}": numbers
        for key, parts in by_key.items()
        if 1 < len(parts) <= MAX_VALUES
        for value, numbers in parts.items()
    }


def _range(value: int, starts: Sequence[int], unit: str) -> str:
    for start, following in pairwise(starts):
        if value < following:
            return f"{start} {unit}" if following == start + 1 else f"{start}–{following - 1} {unit}"
    return f"{starts[-1]} {unit} or more"
