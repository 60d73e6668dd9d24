"""Hands out what a lead approved: corrections that a build learns from, and cases that an evaluation measures by."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serve.correction_files import CASES, write_files
from serve.errors import DataCommandError
from serve.storage.database import Database
from serve.storage.feedback_store import Feedback, FeedbackStore
from serve.storage.suggestion_store import SuggestionStore
from serve.storage.ticket_store import TicketStore
from triage.desk_files import CORRECTIONS, MAX_LINE, read_rules
from triage.drafting.redaction import NOTHING, redact
from triage.set_values import KIND
from triage.taxonomy import Taxonomy
from triage.tickets import Message, Requester, Ticket

#: One agent's corrections teach no more than this many tickets, unless the command says otherwise.
PER_AGENT = 50


@dataclass(frozen=True)
class ExportChoices:
    """out: the folder that is written into, None for the desk's; per_agent: the newest so many of each agent."""

    out: Path | None = None
    per_agent: int = PER_AGENT
    replace: bool = False


@dataclass
class Corrected:
    """What became of one ticket, by all that was approved of it.

    last: the newest word; labels: the newest on each field; replied: the newest that has a final text.
    """

    ticket: Ticket
    last: Feedback
    labels: dict[str, str] = field(default_factory=dict)
    replied: Feedback | None = None
    agents: set[str] = field(default_factory=set)

    @property
    def reply(self) -> str:
        """What was sent, "" where that is not known."""
        return (self.replied.final_text or "") if self.replied else ""

    def add(self, said: Feedback, labels: Mapping[str, str]) -> None:
        """Take in a newer word."""
        self.last = said
        self.labels |= labels
        self.agents |= {said.agent} if said.agent else set()
        if said.final_text:
            self.replied = said
        elif said.verdict == "rejected" and self.replied and self.replied.suggestion_id == said.suggestion_id:
            self.replied = None


@dataclass
class LeftOut:
    """What an export leaves out: of agents beyond their number, by agent; of suggestions that are gone; the rest."""

    beyond: dict[str, int] = field(default_factory=dict)
    gone: int = 0
    outdated: int = 0
    too_long: int = 0


def export_feedback(desk: Path, database_url: str, choices: ExportChoices) -> str:
    """Write corrections and cases of a desk, and return what there is to say.

    Raises `DataCommandError` where a file was changed by hand, or cannot be written.
    """
    if choices.per_agent < 1:
        raise DataCommandError("--per-agent must be 1 or more")
    rules, left_out = read_rules(desk), LeftOut()
    database = Database.open(database_url)
    try:
        approved = newest_of_agents(FeedbackStore(database).approved(rules.settings.id), choices.per_agent, left_out)
        found = _gather(database, rules.settings.id, approved, rules.taxonomy, left_out)
    finally:
        database.close()
    corrections: list[bytes] = []
    cases: list[bytes] = []
    for one in found:
        ticket, reply = masked(one)
        corrections += _lines([correction_of(one, ticket, reply)], left_out)
        cases += _lines([case_of(one, ticket, reply)], left_out)
    folder = choices.out or desk
    files = {CORRECTIONS: b"".join(corrections), CASES: b"".join(cases)}
    if not approved and not any((folder / name).exists() for name in files):
        return "No feedback has been approved; see POST /v1/feedback/{id}/approval."
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataCommandError(f"{folder}: cannot be made ({error.strerror}); name another folder") from error
    changed = write_files(folder, files, choices.replace)
    return _told(folder, (len(corrections), len(cases)), changed, left_out, choices.per_agent)


def newest_of_agents(approved: Iterable[Feedback], per_agent: int, left_out: LeftOut) -> list[Feedback]:
    """Return the newest feedback of each agent, oldest first; who sent no agent's name is known by the key.

    An agent's name is what the caller says: together with the key it tells apart who could be told apart.
    """
    kept: dict[tuple[str, str | None], deque[Feedback]] = {}
    for said in approved:
        own = kept.setdefault((said.key_id, said.agent), deque(maxlen=per_agent))
        if len(own) == per_agent:
            name = said.agent or f"key {said.key_id}"
            left_out.beyond[name] = left_out.beyond.get(name, 0) + 1
        own.append(said)
    return sorted((said for own in kept.values() for said in own), key=lambda said: (said.created_at, said.id))


def _gather(
    database: Database, desk: str, approved: Iterable[Feedback], taxonomy: Taxonomy, left_out: LeftOut
) -> list[Corrected]:
    """Return what became of each ticket, in the order in which it was last spoken of."""
    store, found = SuggestionStore(database, TicketStore(database)), dict[str, Corrected]()
    for said in approved:
        stored = store.get(desk, said.suggestion_id)
        if stored is None:
            left_out.gone += 1
            continue
        key = stored.ticket.id or said.suggestion_id
        one = found.pop(key, None) or Corrected(stored.ticket, said)
        one.ticket = stored.ticket
        one.add(said, _known({**stored.ticket.set_fields, **said.fields}, taxonomy, left_out))
        found[key] = one
    return list(found.values())


def _known(labels: Mapping[str, str], taxonomy: Taxonomy, left_out: LeftOut) -> dict[str, str]:
    """Return the labels that the desk still has; a value of `kind` is none of its fields'."""
    known = {}
    for name, label in labels.items():
        if name == KIND or taxonomy.problem_with(name, label) is None:
            known[name] = label
        else:
            left_out.outdated += 1
    return known


def masked(one: Corrected) -> tuple[Ticket, str]:
    """Return the ticket and the reply with typed placeholders for personal data; no way leads back.

    Requester and headers go but for the requester's tags; ids and tags of the ticket stay.
    """
    name = one.ticket.requester.name
    hide = _Masking([*([name] if name else []), *sorted(one.agents)])
    ticket = one.ticket
    thread = tuple(
        Message(author=said.author, text=hide(said.text), created_at=said.created_at, public=said.public)
        for said in ticket.messages
    )
    attributes = {key: hide(value) if isinstance(value, str) else value for key, value in ticket.attributes.items()}
    shown = ticket.model_copy(
        update={
            "subject": None if ticket.subject is None else hide(ticket.subject),
            "body": None if ticket.body is None else hide(ticket.body),
            "requester": Requester(tags=ticket.requester.tags),
            "messages": thread,
            "headers": {},
            "attributes": attributes,
            "set_fields": {},
        }
    )
    return shown, hide(one.reply)


class _Masking:
    """Replaces personal data in one text after the other: the same characters by the same placeholder."""

    def __init__(self, names: list[str]) -> None:
        self._names, self._known = names, NOTHING

    def __call__(self, text: str) -> str:
        hidden, self._known = redact(text, self._known, self._names)
        return hidden


def correction_of(one: Corrected, ticket: Ticket, reply: str) -> dict[str, Any]:
    """Return a row in the shape of ``history.jsonl``; empty where no field of the desk's is known."""
    labels = {name: label for name, label in one.labels.items() if name != KIND}
    if not labels:
        return {}
    told = {"reply": reply, "resolved": True} if reply else {"resolved": False}
    return _told_of(ticket) | {"labels": labels} | told


def case_of(one: Corrected, ticket: Ticket, reply: str) -> dict[str, Any]:
    """Return an evaluation case: the ticket, what a person said is right, and whose word it was; empty for none.

    A draft that was sent as it was is no reply to measure drafts by: it would be measured by itself.
    """
    own = bool(reply) and one.replied is not None and one.replied.verdict == "edited"
    expect: dict[str, Any] = dict(one.labels) | ({"reply": reply} if own else {})
    if not expect:
        return {}
    told = {"language": ticket.language, "channel": ticket.channel, "verdict": one.last.verdict}
    known = {name: value for name, value in told.items() if value}
    return {"id": f"feedback-{one.last.id}", "ticket": _told_of(ticket), "expect": expect, "slice": known}


def _told_of(ticket: Ticket) -> dict[str, Any]:
    told = ticket.model_dump(mode="json", exclude_defaults=True)
    return {key: value for key, value in told.items() if value not in (None, {}, [])}


def _lines(rows: Iterable[dict[str, Any]], left_out: LeftOut) -> Iterator[bytes]:
    for row in rows:
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n" if row else b""
        if len(line) > MAX_LINE:
            left_out.too_long += 1
        elif line:
            yield line


def _told(folder: Path, written: tuple[int, int], changed: bool, left_out: LeftOut, per_agent: int) -> str:
    state = "" if changed else " (unchanged)"
    lines = [
        f"{folder / CORRECTIONS}: {written[0]} ticket{_s(written[0])}; a build learns from it{state}",
        f"{folder / CASES}: {written[1]} case{_s(written[1])}, for `firstline eval run --cases`{state}",
    ]
    lines += [
        f"Left out: {count} older ones of {agent}, who has more than {per_agent} (--per-agent)"
        for agent, count in sorted(left_out.beyond.items())
    ]
    for count, why in (
        (left_out.gone, f"piece{_s(left_out.gone)} of feedback whose suggestion was removed"),
        (left_out.outdated, f"label{_s(left_out.outdated)} that the desk no longer has"),
        (left_out.too_long, f"row{_s(left_out.too_long)} longer than 1 MB"),
    ):
        lines += [f"Left out: {count} {why}"] if count else []
    lines.append("Personal data is masked as far as it was recognised: look before you share these files.")
    return "\n".join(lines)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
