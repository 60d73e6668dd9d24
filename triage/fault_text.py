"""Says what a validation found, in words for whoever wrote the value."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

KINDS = {"extra_forbidden": "unknown key", "missing": "is missing"}


def fault_text(fault: Mapping[str, Any]) -> str:
    """Return one fault of a pydantic error without the library's own prefixes; the value is never repeated."""
    return KINDS.get(fault["type"], str(fault["msg"]).removeprefix("Value error, "))


def first_fault(error: ValidationError, whole: str) -> str:
    """Return "key: what is wrong" of the first fault; `whole` names the value where no key is at fault."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = ".".join(str(part) for part in fault["loc"]) or whole
    return f"{key}: {fault_text(fault)}"
