"""What a desk's files and generations hold of a person: past tickets, corrections, cases, and what was built of it."""

import io
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.artifact_files import write_bytes_atomically
from serve.correction_files import CASES, note_written
from serve.errors import DataCommandError
from triage.desk_files import CORRECTIONS, HISTORY, read_json_lines
from triage.errors import DeskFileError
from triage.generation_files import read_rows
from triage.generations import MANIFEST, Generations
from triage.tickets import Requester, Ticket

#: Files of a desk's folder that hold tickets.
FILES = (HISTORY, CORRECTIONS, CASES, "cases.jsonl")
#: What a row of past tickets has beside the ticket.
BESIDE = ("labels", "reply", "resolved")


@dataclass(frozen=True)
class HeldRow:
    """A row of a file that holds somebody.

    place: of the row among the file's rows, from 1; name: what a generation calls it; ticket: None where it is none any
    more; reply: what an agent wrote to them.
    """

    place: int
    name: str
    ticket: Ticket | None
    reply: str


@dataclass(frozen=True)
class HeldIn:
    """The rows of one file; sha256: of the file as it was read."""

    path: Path
    rows: tuple[HeldRow, ...]
    sha256: str


@dataclass(frozen=True)
class FilesHolding:
    """Which files and generations of a desk hold somebody.

    names: what generations call past tickets of theirs; unread: what is wrong with files that could not be read.
    """

    files: tuple[HeldIn, ...] = ()
    generations: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()


Is = Callable[[Requester], bool]


def look_in_files(folder: Path, generations: Generations, is_named: Is, ids: Collection[str]) -> FilesHolding:
    """Return what holds a person. ids: of their tickets in the database, by which masked corrections are known."""
    held, unread = [], []
    for name in FILES:
        try:
            found = _held_in(folder / name, is_named, ids)
        except DeskFileError as error:
            unread.append(str(error))
        else:
            held += [found] if found is not None else []
    names = {*ids, *(row.name for found in held for row in found.rows)}
    holding, known = [], set[str]()
    for generation in generations.names():
        past = _past_ids(generations.root / generation) & names
        known |= past
        if past or _was_built_from(generations.root / generation, held):
            holding.append(generation)
    return FilesHolding(tuple(held), tuple(holding), frozenset(known), tuple(unread))


def remove_rows(found: HeldIn) -> None:
    """Write a file again without the rows that hold somebody, whole or not at all.

    Raises `DataCommandError` where it changed since it was looked at.
    """
    data = found.path.read_bytes()
    if sha256(data).hexdigest() != found.sha256:
        raise DataCommandError(f"{found.path} was changed while it was read; do the same again")
    gone, kept, place = {row.place for row in found.rows}, [], 0
    for line in io.BytesIO(data):
        place += bool(line.strip())
        if not (line.strip() and place in gone):
            kept.append(line)
    note_written(found.path, data, b"".join(kept))
    write_bytes_atomically(found.path, b"".join(kept))


def _held_in(path: Path, is_named: Is, ids: Collection[str]) -> HeldIn | None:
    if not path.is_file():
        return None
    rows = []
    for place, (_, value) in enumerate(read_json_lines(path), start=1):
        ticket = value.get("ticket", value)
        if isinstance(ticket, dict) and (is_named(_requester(ticket)) or ticket.get("id") in ids):
            rows.append(_row(place, value, ticket))
    return HeldIn(path, tuple(rows), sha256(path.read_bytes()).hexdigest()) if rows else None


def _row(place: int, value: dict[str, Any], told: dict[str, Any]) -> HeldRow:
    try:
        ticket = Ticket.model_validate({key: part for key, part in told.items() if key not in BESIDE})
    except ValidationError:
        ticket = None
    reply = value.get("reply") or (value.get("expect") or {}).get("reply") or ""
    return HeldRow(place, str(told.get("id") or f"line-{place}"), ticket, str(reply))


def _requester(ticket: dict[str, Any]) -> Requester:
    told = ticket.get("requester")
    told = told if isinstance(told, dict) else {}
    texts = {name: told[name] for name in ("id", "email") if isinstance(told.get(name), str)}
    return Requester.model_construct(**texts)


def _past_ids(generation: Path) -> set[str]:
    try:
        return {row["id"] for row in read_rows(generation / "past.documents.jsonl")}
    except (OSError, ValueError, KeyError, TypeError):  # a damaged generation is not served, and goes with the others
        return set()


def _was_built_from(generation: Path, held: list[HeldIn]) -> bool:
    try:
        sources = json.loads((generation / MANIFEST).read_text(encoding="utf-8")).get("sources", {})
    except (OSError, ValueError, AttributeError):
        return bool(held)  # nobody can say, and it is not served
    return any(sources.get(found.path.name) == found.sha256 for found in held)
