"""What the engine made of a case, and the file that holds it: one JSON object per line."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from eval.cases import Case
from eval.errors import RunError
from triage.fault_text import first_fault
from triage.suggestions import Suggestion

#: What the file is called where it was packed.
PACKED = "outcomes.jsonl.gz"


@dataclass(frozen=True)
class Outcome:
    """A case and its suggestion, or the exception that was raised instead (its class and where, never its text).

    seconds: wall time of the suggestion; reply_similarity: cosine of the draft to the expected reply, in [-1, 1],
    None where there is no draft or no such reply.
    """

    case: Case
    suggestion: Suggestion | None
    error: str | None = None
    seconds: float = 0.0
    reply_similarity: float | None = None

    def as_line(self) -> str:
        """Return the outcome as one line of JSON."""
        values = {
            "case": self.case.model_dump(mode="json", exclude_defaults=True),
            "error": self.error,
            "seconds": round(self.seconds, 6),
            "reply_similarity": self.reply_similarity,
            "suggestion": self.suggestion.model_dump(mode="json") if self.suggestion else None,
        }
        return json.dumps(values, ensure_ascii=False) + "\n"


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """Yield the outcomes of a run one by one; raise `RunError` naming the line that cannot be read."""
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, start=1):
                yield _outcome(path, number, line)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise RunError(path, None, f"the outcomes cannot be read ({error})", "run the cases again") from error


def _opened(path: Path) -> IO[str]:
    packed = path.with_name(PACKED)
    return gzip.open(packed, "rt", encoding="utf-8") if packed.exists() else path.open(encoding="utf-8")


def _outcome(path: Path, number: int, line: str) -> Outcome:
    try:
        values: dict[str, Any] = json.loads(line, parse_constant=_refuse)
        found = values["suggestion"]
        return Outcome(
            Case.model_validate(values["case"]),
            None if found is None else Suggestion.model_validate(found),
            values["error"],
            float(values["seconds"]),
            None if values["reply_similarity"] is None else float(values["reply_similarity"]),
        )
    except ValidationError as error:
        raise RunError(path, number, first_fault(error, "the outcome"), "run the cases again") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(path, number, "this is no outcome of a run", "run the cases again") from error


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def cut_unfinished_line(path: Path) -> None:
    """Drop what an interrupted run had begun to write: whatever follows the last line break."""
    with path.open("rb+") as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                file.truncate(start + at + 1)
                return
            end = start
        file.truncate(0)
