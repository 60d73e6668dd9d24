"""Reads a TOML file into a frozen model, and says on which line it is wrong."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from triage.errors import DeskFileError
from triage.fault_text import fault_text


class FileModel(BaseModel):
    """Base of what is read from desk files: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, model: type[Model]) -> Model:
    """Read and validate a TOML file; raise `DeskFileError` with file, line and remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DeskFileError(path, None, "the file is missing", "a desk folder needs it, see the README") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DeskFileError(path, None, "the file cannot be read", "save it as UTF-8 and check its rights") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        number = int(line.group(1)) if line else max(1, len(text.splitlines()))
        raise DeskFileError(path, number, f"not TOML ({error})", "correct the line") from error
    return validate(path, text, values, model)


def validate(path: Path, text: str, values: Any, model: type[Model]) -> Model:
    """Validate parsed values; the first fault becomes a `DeskFileError` at the line of its key."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # A taxonomy gathers its further fields under a name that does not stand in the file.
        keys = [str(key) for number, key in enumerate(first["loc"]) if (number, key) != (0, "more")]
        where = ".".join(keys) or "the file"
        given = f" (it is {first['input']!r})" if isinstance(first["input"], str | int | float) else ""
        problem = {"extra_forbidden": f"unknown key {where}", "missing": f"{where} is missing"}.get(
            first["type"], f"{where}: {fault_text(first)}{given}"
        )
        remedy = {"extra_forbidden": "remove it or correct its spelling", "missing": "add it"}.get(
            first["type"], "correct the value"
        )
        raise DeskFileError(path, line_of(text, keys), problem, remedy) from error


def line_of(text: str, keys: list[str]) -> int:
    """Return the line, counted from 1, that says the most of a dotted key: its own, or its table's.

    In an array of tables the number in the key (from 0) picks the table.
    """
    best, best_depth = 1, -1
    table: list[str] = []
    tables: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[{1,2})\s*([^\]]+?)\s*\]", line):
            table = _parts(header.group(2))
            if header.group(1) == "[[":
                name = ".".join(table)
                tables[name] = tables.get(name, -1) + 1
                table = [*table, str(tables[name])]
            path = table
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            path = table + _parts(key.group(1))
        else:
            continue
        if len(path) > best_depth and path == keys[: len(path)]:
            best, best_depth = number, len(path)
    return best


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
