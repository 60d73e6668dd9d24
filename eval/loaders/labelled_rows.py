"""Past tickets with their labels, before it is settled which are history and which are cases."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from eval.errors import DataError
from triage.cleaning import safe_unicode
from triage.fault_text import first_fault
from triage.tickets import Ticket


@dataclass(frozen=True)
class LabelledRow:
    """A ticket as it stands in JSON, its labels by field (one at least), and the reply it got."""

    ticket: Mapping[str, str]
    labels: Mapping[str, str]
    reply: str = ""

    @property
    def text(self) -> str:
        """Subject and body."""
        return f"{self.ticket.get('subject', '')}\n{self.ticket.get('body', '')}"

    def as_history(self) -> dict[str, Any]:
        """Return a row of ``history.jsonl``; a ticket with a reply counts as resolved."""
        answered = {"reply": self.reply, "resolved": True} if self.reply else {}
        return {**self.ticket, "labels": dict(self.labels), **answered}

    def as_case(self) -> dict[str, Any]:
        """Return a row of ``cases.jsonl`` that expects the labels and the reply."""
        expect = {**self.labels, **({"reply": self.reply} if self.reply else {})}
        case = {"id": self.ticket["id"], "ticket": dict(self.ticket), "expect": expect}
        return case | ({"slice": {"language": self.ticket["language"]}} if "language" in self.ticket else {})


class RowReader:
    """Makes rows of what one file holds, and counts in `left_out` what cannot be used.

    Left out: a row with neither subject nor body, a row with no label at all, and of other rows the single label that
    is blank. What no ticket may be (an id twice, a text too long) is a `DataError`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left_out: Counter[str] = Counter()
        self._lines: dict[str, int | None] = {}

    def row(
        self, line: int | None, ticket: Mapping[str, str], labels: Mapping[str, str], reply: str = ""
    ) -> LabelledRow | None:
        """Return a row, or None for one that is left out. Blank values of a ticket are not passed on."""
        said = {key: safe_unicode(value) for key, value in ticket.items() if value.strip()}
        named = {field: safe_unicode(label).strip() for field, label in labels.items()}
        given = {field: label for field, label in named.items() if label}
        if not said.keys() & {"subject", "body"}:
            self.left_out["blank_texts"] += 1
            return None
        if not given:
            self.left_out["rows_without_label"] += 1
            return None
        self.left_out["blank_labels"] += len(named) - len(given)
        self._check_id(line, said["id"])
        check_ticket(self.path, line, said)
        return LabelledRow(said, given, safe_unicode(reply).strip())

    def kept(self, rows: Iterable[LabelledRow | None]) -> list[LabelledRow]:
        """Return the rows that are not left out; raise `DataError` where there are none."""
        found = [row for row in rows if row is not None]
        if not found:
            raise DataError(self.path, None, "no row has a text and a label", "check that it is the right file")
        return found

    def _check_id(self, line: int | None, row_id: str) -> None:
        if row_id in self._lines:
            problem = f"the id {row_id!r} stands on line {self._lines[row_id]} already"
            raise DataError(self.path, line, problem, "give one of them another id, or name no column for ids")
        self._lines[row_id] = line


def check_ticket(path: Path, line: int | None, ticket: Mapping[str, str]) -> None:
    """Raise `DataError` for what cannot be a ticket."""
    try:
        Ticket.model_validate(dict(ticket))
    except ValidationError as error:
        raise DataError(path, line, first_fault(error, "the ticket"), "correct the row") from error
