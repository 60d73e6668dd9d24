"""Says what a validation found, in words for whoever wrote the value."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

MAX_KEY = 80
KINDS = {"extra_forbidden": "unknown key", "missing": "is missing"}


def fault_text(fault: Mapping[str, Any]) -> str:
    """Return one fault of a pydantic error without the library's own prefixes; the value is never repeated."""
    return KINDS.get(fault["type"], str(fault["msg"]).removeprefix("Value error, "))


def first_fault(error: ValidationError, whole: str) -> str:
    """Return "key: what is wrong" of the first fault; `whole` names the value where no key is at fault.

    A key is cut: one that nobody knows may be a customer's words.
    """
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = ".".join(str(part)[:MAX_KEY] for part in fault["loc"]) or whole
    return f"{key}: {fault_text(fault)}"


def where_raised(error: Exception) -> str:
    """Name an exception and the line that raised it; its text may hold a customer's words."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
