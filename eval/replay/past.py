"""Past tickets from a file: a desk's history, evaluation cases, or bare tickets, with what is known to be right."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.errors import DataError
from triage.desk_files import parse_ticket, read_json_lines
from triage.errors import DeskFileError
from triage.taxonomy import Taxonomy
from triage.tickets import Ticket

#: Keys of a history row beside the ticket's.
BESIDE = ("reply", "resolved")


@dataclass(frozen=True)
class Past:
    """A ticket that came in. truth: label by field, where known; handoff: whether a person had to take it."""

    line: int
    ticket: Ticket
    truth: Mapping[str, str]
    handoff: bool | None = None


def read_past(path: Path, taxonomy: Taxonomy) -> list[Past]:
    """Return the tickets of a JSON Lines file; labels that the taxonomy lacks are none.

    A line is a ticket, a ticket with "labels" as in history.jsonl, or a case. Raises `DataError` naming the line.
    """
    try:
        rows = [_past(path, line, value, taxonomy) for line, value in read_json_lines(path)]
    except DeskFileError as error:
        raise DataError(error.path, error.line, error.problem, error.remedy) from error
    if not rows:
        raise DataError(path, None, "there is no ticket in the file", "write one JSON object per line")
    return rows


def _past(path: Path, line: int, value: dict[str, Any], taxonomy: Taxonomy) -> Past:
    is_case = "ticket" in value and "expect" in value
    said = value["expect"] if is_case else value.pop("labels", {})
    if not isinstance(said, dict):
        raise DataError(path, line, "what is known of the ticket is no object", 'write {"category": "…"}')
    ticket = value["ticket"] if is_case else {key: part for key, part in value.items() if key not in BESIDE}
    known = {field: str(said[field]) for field in taxonomy.fields if said.get(field) in taxonomy.fields[field]}
    handoff = said.get("handoff") if is_case else None
    return Past(line, parse_ticket(path, line, ticket), known, handoff if isinstance(handoff, bool) else None)
