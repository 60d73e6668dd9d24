"""Reads a TOML file into a frozen model, and says on which line it is wrong."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from triage.errors import DeskFileError


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
        raise DeskFileError(
            path, int(line.group(1)) if line else 1, f"not TOML ({error})", "correct the line"
        ) from error
    return validate(path, text, values, model)


def validate(path: Path, text: str, values: Any, model: type[Model]) -> Model:
    """Validate parsed values; the first fault becomes a `DeskFileError` at the line of its key."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        keys = [str(key) for key in first["loc"]]
        where = ".".join(keys) or "the file"
        problem = {"extra_forbidden": f"unknown key {where}", "missing": f"{where} is missing"}.get(
            first["type"], f"{where}: {first['msg']}"
        )
        remedy = {"extra_forbidden": "remove it or correct its spelling", "missing": "add it"}.get(
            first["type"], "correct the value"
        )
        raise DeskFileError(path, line_of(text, keys), problem, remedy) from error


def line_of(text: str, keys: list[str]) -> int:
    """Return the line, counted from 1, that says the most of a dotted key: its own, or its table's."""
    best, best_depth, table = 1, -1, []
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = [part.strip().strip("\"'") for part in header.group(1).split(".")]
            path = table
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            path = table + [part.strip("\"'") for part in key.group(1).split(".")]
        else:
            continue
        named = [key for key in keys if not key.isdigit()]
        depth = len(path) if path == named[: len(path)] else -1
        if depth > best_depth:
            best, best_depth = number, depth
    return best
