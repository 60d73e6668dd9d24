"""Evaluation cases: a ticket and what is expected of it."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError

from eval.errors import CaseError
from triage.desk_files import read_json_lines
from triage.drafting.handoff import HANDOFF_RULES
from triage.errors import DeskFileError
from triage.fault_text import first_fault
from triage.message_kind import Kind
from triage.taxonomy import Taxonomy
from triage.tickets import Name, Ticket, WireModel

SHAPES = {
    "articles": "a list of texts",
    "handoff_reasons": "a list of texts",
    "answerable": "true or false",
    "handoff": "true or false",
    "kind": "a text",
    "reply": "a text",
}


class Case(WireModel):
    """One case. `expect` holds only what a careful person could fix; a metric counts the cases that carry its key.

    group: names the cases that hang together, such as a thread (without it the requester does): resampled as one.
    """

    id: str = Field(min_length=1)
    ticket: Ticket
    expect: dict[str, Any]
    slice: dict[Annotated[str, Field(pattern=r"^[^=]+$")], str] = {}
    group: Name | None = None


def load_cases(path: Path, taxonomy: Taxonomy, articles: Collection[str]) -> list[Case]:
    """Read and check cases; raise `CaseError` naming the line for anything that the desk does not know."""
    cases: list[Case] = []
    seen: set[str] = set()
    try:
        for line, value in read_json_lines(path):
            case = _case(path, line, value)
            if case.id in seen:
                raise CaseError(path, line, f"the id {case.id!r} stands twice", "give one of them another id")
            seen.add(case.id)
            _check_expectations(path, line, case.expect, taxonomy, articles)
            cases.append(case)
    except DeskFileError as error:
        raise CaseError(error.path, error.line, error.problem, error.remedy) from error
    if not cases:
        raise CaseError(path, None, "there is no case in the file", "write one JSON object per line")
    return cases


def _case(path: Path, line: int, value: dict[str, Any]) -> Case:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise CaseError(path, line, "half a character stands alone (a lone surrogate)", "write it in full") from error
    try:
        return Case.model_validate(value)
    except ValidationError as error:
        raise CaseError(path, line, first_fault(error, "the case"), "correct the case") from error


def _check_shapes(path: Path, line: int, expect: dict[str, Any], taxonomy: Taxonomy) -> None:
    for key, value in expect.items():
        if key not in SHAPES and key not in taxonomy.fields:
            raise CaseError(path, line, f"expects an unknown field {key!r}", f"use {sorted(SHAPES)} or a field")
        if key in SHAPES and not _has_shape(value, SHAPES[key]):
            raise CaseError(path, line, f"{key} is of the wrong type", f"write {SHAPES[key]}")


def _check_expectations(
    path: Path, line: int, expect: dict[str, Any], taxonomy: Taxonomy, articles: Collection[str]
) -> None:
    _check_shapes(path, line, expect, taxonomy)
    for field in set(expect) & set(taxonomy.fields):
        if not isinstance(expect[field], str):
            raise CaseError(path, line, f"{field} is not a text", 'write the label in quotes, such as "billing"')
        if problem := taxonomy.problem_with(field, expect[field]):
            raise CaseError(path, line, f"expects {problem[0]}", problem[1])
    allowed = {"kind": [expect["kind"]] if "kind" in expect else [], "reason": expect.get("handoff_reasons", [])}
    known = {"kind": get_args(Kind), "reason": tuple(HANDOFF_RULES)}
    for what, values in allowed.items():
        for value in values:
            if value not in known[what]:
                raise CaseError(path, line, f"expects an unknown {what} {value!r}", f"use {', '.join(known[what])}")
    for article in expect.get("articles", ()):
        if article not in articles:
            raise CaseError(
                path, line, f"expects an unknown article {article!r}", "name the id of one of the desk's articles"
            )


def _has_shape(value: Any, shape: str) -> bool:
    if shape == "a list of texts":
        return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    return isinstance(value, bool if shape == "true or false" else str)
