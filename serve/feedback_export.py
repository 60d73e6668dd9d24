"""Hands out what a lead approved: corrections that a build learns from, and cases that an evaluation measures by.

Cases over-sample dangerous mistakes (`serve.mistakes`): those among an agent's older words become cases, too.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.corrected_tickets import ExportTally, case_of, correction_of, gathered
from serve.correction_files import CASES, write_files
from serve.errors import DataCommandError
from serve.mistakes import mistakes_of
from serve.storage.database import Database
from serve.storage.feedback_store import Feedback, FeedbackStore
from serve.storage.suggestion_store import SuggestionStore
from serve.storage.ticket_store import TicketStore
from triage.desk_files import CORRECTIONS, MAX_LINE, DeskRules, read_rules

#: One agent's corrections teach no more than this many tickets, unless the command says otherwise.
PER_AGENT = 50
NOTHING = "No feedback has been approved; see POST /v1/feedback/{id}/approval."


@dataclass(frozen=True)
class ExportChoices:
    """out: the folder that is written into, None for the desk's; per_agent: the newest so many of each agent."""

    out: Path | None = None
    per_agent: int = PER_AGENT
    replace: bool = False


def export_feedback(desk: Path, database_url: str, choices: ExportChoices) -> str:
    """Write corrections and cases of a desk, and return what there is to say.

    Raises `DataCommandError` where a file was changed by hand, or cannot be written.
    """
    if choices.per_agent < 1:
        raise DataCommandError("--per-agent must be 1 or more")
    rules, tally = read_rules(desk), ExportTally()
    database = Database.open(database_url)
    try:
        corrections, cases = _rows(database, rules, choices.per_agent, tally)
    finally:
        database.close()
    folder = choices.out or desk
    files = {name: b"".join(_lines(rows, tally)) for name, rows in ((CORRECTIONS, corrections), (CASES, cases))}
    if not cases and not corrections and not any((folder / name).exists() for name in files):
        return NOTHING
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataCommandError(f"{folder}: cannot be made ({error.strerror}); name another folder") from error
    changed = write_files(folder, files, choices.replace)
    return _told(folder, files, changed, tally, choices.per_agent)


Row = dict[str, Any]


def _rows(database: Database, rules: DeskRules, per_agent: int, tally: ExportTally) -> tuple[list[Row], list[Row]]:
    """Return the rows of corrections and of cases; those without anything to tell are empty."""
    desk, taxonomy = rules.settings.id, rules.taxonomy
    store = SuggestionStore(database, TicketStore(database))

    def is_dangerous(said: Feedback) -> bool:
        stored = store.get(desk, said.suggestion_id)
        return stored is not None and bool(mistakes_of(stored.suggestion, said))

    newest, older = newest_of_agents(FeedbackStore(database).approved(desk), per_agent, is_dangerous, tally)
    found = gathered(store, desk, newest, taxonomy, tally)
    of_cases = gathered(store, desk, _in_order([*newest, *older]), taxonomy, ExportTally()) if older else found
    tally.mistakes = sum(one.gravest is not None for one in of_cases)
    tally.older_mistakes = len(older)
    return [correction_of(one, *one.masked()) for one in found], [case_of(one, *one.masked()) for one in of_cases]


def newest_of_agents(
    approved: Iterable[Feedback], per_agent: int, is_dangerous: Callable[[Feedback], bool], tally: ExportTally
) -> tuple[list[Feedback], list[Feedback]]:
    """Return the newest feedback of each agent, and of each as many older words of dangerous mistakes; oldest first.

    Who sent no agent's name is known by the key. An agent's name is what the caller says: together with the key it
    tells apart who could be told apart.
    """
    newest: dict[tuple[str, str | None], deque[Feedback]] = {}
    mistakes: dict[tuple[str, str | None], deque[Feedback]] = {}
    for said in approved:
        who = (said.key_id, said.agent)
        own = newest.setdefault(who, deque(maxlen=per_agent))
        if len(own) == per_agent:
            name = said.agent or f"key {said.key_id}"
            tally.beyond[name] = tally.beyond.get(name, 0) + 1
            if is_dangerous(own[0]):
                mistakes.setdefault(who, deque(maxlen=per_agent)).append(own[0])
        own.append(said)
    kept, older = ([said for own in some.values() for said in own] for some in (newest, mistakes))
    return _in_order(kept), _in_order(older)


def _in_order(said: list[Feedback]) -> list[Feedback]:
    return sorted(said, key=lambda one: (one.created_at, one.id))


def _lines(rows: Iterable[Row], tally: ExportTally) -> Iterator[bytes]:
    for row in rows:
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n" if row else b""
        if len(line) > MAX_LINE:
            tally.too_long += 1
        elif line:
            yield line


def _told(folder: Path, files: dict[str, bytes], changed: bool, tally: ExportTally, per_agent: int) -> str:
    written = [files[name].count(b"\n") for name in (CORRECTIONS, CASES)]
    state = "" if changed else " (unchanged)"
    lines = [
        f"{folder / CORRECTIONS}: {written[0]} ticket{_s(written[0])}; a build learns from it{state}",
        f"{folder / CASES}: {written[1]} case{_s(written[1])}, for `firstline eval run --cases`{state}",
    ]
    lines += [
        f"Left out: {count} older ones of {agent}, who has more than {per_agent} (--per-agent)"
        for agent, count in sorted(tally.beyond.items())
    ]
    if tally.mistakes:
        more = f"; {tally.older_mistakes} of their words are older than those" if tally.older_mistakes else ""
        lines.append(f"Dangerous mistakes: {tally.mistakes} of the cases (slice mistake=…){more}")
    for count, why in (
        (tally.gone, f"piece{_s(tally.gone)} of feedback whose suggestion was removed"),
        (tally.outdated, f"label{_s(tally.outdated)} that the desk no longer has"),
        (tally.too_long, f"row{_s(tally.too_long)} longer than 1 MB"),
    ):
        lines += [f"Left out: {count} {why}"] if count else []
    lines.append("Personal data is masked as far as it was recognised: look before you share these files.")
    return "\n".join(lines)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
