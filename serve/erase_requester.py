"""Forgets a person: in the database, in kept vectors, in a desk's files; and says what else still holds them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import and_, or_, select, update

from models.embedding_cache import hash_of
from models.embedding_store import forget_hashes
from models.errors import ArtifactError
from serve.requester_files import FilesHolding, look_in_files, remove_rows
from serve.storage.audit_log import COMMAND_LINE
from serve.storage.database import Database
from serve.storage.erasure import Traces, erase_traces, find_traces
from serve.storage.removal import Counts
from serve.storage.tables import suggestions
from serve.storage.wipe import wipe
from triage.cleaning import read_text
from triage.drafting.asked import questions_in, with_subject
from triage.engine import MAX_ENCODED, text_to_classify, text_to_search
from triage.generations import Generations
from triage.tickets import Requester, Ticket

#: Texts that are looked for in one query.
NEEDLES = 50
ERASED = "[erased]"


@dataclass(frozen=True)
class DeskHome:
    """Where a desk's things lie: its id, its folder, and `var`."""

    id: str
    folder: Path
    var: Path

    @property
    def generations(self) -> Generations:
        """What the desk has built."""
        return Generations(self.var / "generations" / self.id)


@dataclass(frozen=True)
class ErasureOrder:
    """Who asks and when; files: remove rows of the desk's files, too; overwrite: see `serve.storage.wipe`."""

    now: datetime
    actor: str = COMMAND_LINE
    files: bool = False
    overwrite: bool = True


@dataclass(frozen=True)
class Erased:
    """What was removed, and what still holds them.

    counts: rows of the database by what they are; quoted: decisions about others that had shown a reply to them, and do
    so no more; rows: by file, how many hold or held them, removed where files_done; overwritten: whether the database
    holds no bytes of what was removed any more; trouble: what could not be looked into, or changed.
    """

    found: Traces
    counts: Counts
    quoted: int
    rows: dict[str, int]
    files_done: bool
    generations: tuple[str, ...]
    overwritten: bool
    trouble: tuple[str, ...] = ()

    @property
    def to_do(self) -> tuple[str, ...]:
        """What somebody still has to do, in sentences."""
        todo = [f"This could not be done: {one}. Then do the same again." for one in self.trouble]
        if not self.overwritten:
            todo.append(
                "The database may still hold bytes of what was removed. Do the same again from the command line when "
                "nobody uses it."
            )
        if self.rows and not self.files_done:
            named = ", ".join(f"{name} ({count} row{'s' * (count != 1)})" for name, count in self.rows.items())
            todo.append(f"These files of the desk still hold them: {named}. Do the same again with --files.")
        if self.generations:
            todo.append(
                f"These generations hold what was learnt of them: {', '.join(self.generations)}. Run `firstline build` "
                "for the desk, then `firstline generations purge` with --keep 1."
            )
        if self.found.passed_on:
            todo.append(
                "These tickets were theirs once and are now another requester's, so they stay: "
                f"{', '.join(self.found.passed_on)}. See whether they hold words of theirs."
            )
        if self.found.other_ids:
            todo.append(
                f"From this address also wrote, by id: {', '.join(self.found.other_ids)}. What they wrote from other "
                "addresses is erased by their ids."
            )
        return tuple(todo)


def erase_requester(database: Database, home: DeskHome, requester: Requester, order: ErasureOrder) -> Erased:
    """Remove somebody, named by id, by e-mail address or by both, from a desk. The same again goes on, and harms not.

    Raises `DataCommandError` where nobody is named, or a file of the desk changes while its rows are removed.
    """
    found = find_traces(database, home.id, requester)
    held = look_in_files(home.folder, home.generations, found.person.is_named, found.tickets)
    counts = erase_traces(database, home.id, found, order.actor, order.now)
    quoted = _unquote(database, home.id, held.names)
    overwritten = wipe(database) if order.overwrite else False
    trouble = list(held.unread)
    try:
        forget_hashes(home.var / "embeddings", [hash_of(text) for text in _encoded_texts(found.held, held)])
    except ArtifactError as error:
        trouble.append(str(error))
    if order.files:
        for file in held.files:
            remove_rows(file)
    rows = {file.path.name: len(file.rows) for file in held.files}
    return Erased(found, counts, quoted, rows, order.files, held.generations, overwritten, tuple(trouble))


def _encoded_texts(tickets: Iterable[Ticket], held: FilesHolding) -> list[str]:
    """Return what an encoder may have been given of somebody: their words as the engine reads them, and replies."""
    rows = [row for found in held.files for row in found.rows]
    texts = {text for ticket in (*tickets, *(row.ticket for row in rows if row.ticket)) for text in texts_of(ticket)}
    return sorted(texts | {row.reply[:MAX_ENCODED] for row in rows if row.reply})


def texts_of(ticket: Ticket) -> Iterator[str]:
    """Yield what the engine encodes of a ticket: all of its words, what is searched for, and its single questions."""
    text = read_text(ticket)
    yield text_to_classify(text)
    yield text_to_search(text)
    for question in questions_in(text.latest):
        yield with_subject(question, text.subject)[:MAX_ENCODED]


def _unquote(database: Database, desk: str, names: Iterable[str]) -> int:
    """Take replies to somebody out of what was decided for others; names: of the past tickets that were answered."""
    wanted, changed = sorted(names), 0
    for start in range(0, len(wanted), NEEDLES):
        part = frozenset(wanted[start : start + NEEDLES])
        needles = [json.dumps({"ticket_id": name}, ensure_ascii=False, separators=(",", ":"))[1:-1] for name in part]
        holds = or_(*(suggestions.c.suggestion.contains(needle, autoescape=True) for needle in needles))
        query = select(suggestions.c.id).where(suggestions.c.desk == desk, holds)
        with database.reading() as connection:
            ids = list(connection.execute(query).scalars())
        changed += sum(_unquote_one(database, desk, id, part) for id in ids)
    return changed


def _unquote_one(database: Database, desk: str, id: str, names: frozenset[str]) -> bool:
    this = and_(suggestions.c.desk == desk, suggestions.c.id == id)
    with database.writing() as connection:
        told = connection.execute(select(suggestions.c.suggestion).where(this)).scalar_one_or_none()
        value: dict[str, Any] = json.loads(told) if told is not None else {}
        after = without_replies(value, names)
        if after == value:
            return False
        text = json.dumps(after, ensure_ascii=False, separators=(",", ":"))
        connection.execute(update(suggestions).where(this).values(suggestion=text))
    return True


def without_replies(suggestion: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return a suggestion as JSON has it, without the replies to past tickets of these names, and drafts from one."""
    similar = [
        {**one, "reply": ERASED} if one["ticket_id"] in names and one["reply"] else one
        for one in suggestion.get("similar", ())
    ]
    after = suggestion | ({"similar": similar} if similar else {})
    draft = suggestion.get("draft")
    sources = {support["article_id"] for part in (draft or {}).get("sentences", ()) for support in part["support"]}
    if draft and not sources.isdisjoint(f"ticket:{name}" for name in names):
        after["draft"] = draft | {"text": ERASED, "sentences": []}
    return after
