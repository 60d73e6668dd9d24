"""Writes stored tickets into a file as they came in, with what people set and answered: for a replay, or a build."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from models.artifact_files import replacing
from serve.errors import DataCommandError
from serve.masking import masked_ticket
from serve.storage.database import Database
from serve.storage.ticket_life import StoredTicket
from serve.storage.ticket_store import TicketFilter, TicketStore
from triage.desk_files import MAX_LINE, read_rules
from triage.taxonomy import Taxonomy
from triage.tickets import Requester

#: Tickets that are read at a time.
PAGE = 200
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class TicketChoices:
    """out: the file; since: only tickets that changed then or later, aware; labelled: only tickets on which a person
    set a field; mask: without personal data; replace: a file that is there may go.
    """

    out: Path
    since: datetime | None = None
    labelled: bool = False
    mask: bool = False
    replace: bool = False


def export_tickets(desk: Path, database_url: str, choices: TicketChoices) -> str:
    """Write a desk's tickets as JSON Lines in the shape of ``history.jsonl`` and return what there is to say.

    The file is whole or not there, and only its owner may read it. Raises `DataCommandError` where it is there
    already, or cannot be written.
    """
    rules = read_rules(desk)
    if choices.out.exists() and not choices.replace:
        raise DataCommandError(f"{choices.out} is there already; name another file, or overwrite it with --replace")
    tally: Counter[str] = Counter()
    database = Database.open(database_url)
    try:
        found = _stored(TicketStore(database), rules.settings.id, choices.since)
        with replacing(choices.out, OWNER_ONLY) as file:
            for line in _lines(found, rules.taxonomy, choices, tally):
                file.write(line)
    except OSError as error:
        raise DataCommandError(f"{choices.out}: cannot be written ({error.strerror}); name another file") from error
    finally:
        database.close()
    return _told(choices, tally)


def _stored(store: TicketStore, desk: str, since: datetime | None) -> Iterator[StoredTicket]:
    """Yield each ticket once; those that changed while others were read come at the end."""
    seen: set[str] = set()
    newest = since
    for page in _pages(store, desk, since):
        newest = page[0].updated_at if not seen else newest
        seen |= {one.id for one in page}
        yield from page
    for page in _pages(store, desk, newest):
        yield from (one for one in page if one.id not in seen)


def _pages(store: TicketStore, desk: str, since: datetime | None) -> Iterator[tuple[StoredTicket, ...]]:
    behind: tuple[datetime, str] | None = None
    more = True
    while more:
        page, more = store.list(desk, TicketFilter(updated_since=since), PAGE, behind)
        if page:
            yield page
            behind = (page[-1].updated_at, page[-1].id)


def _lines(
    found: Iterator[StoredTicket], taxonomy: Taxonomy, choices: TicketChoices, tally: Counter[str]
) -> Iterator[bytes]:
    requesters: dict[str, str] = {}
    for stored in found:
        row = _row(stored, taxonomy, requesters if choices.mask else None)
        if choices.labelled and "labels" not in row:
            tally["unlabelled"] += 1
            continue
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        if len(line) > MAX_LINE:
            tally["too_long"] += 1
            continue
        tally["written"] += 1
        tally["labelled"] += "labels" in row
        yield line


def _row(stored: StoredTicket, taxonomy: Taxonomy, requesters: dict[str, str] | None) -> dict[str, Any]:
    """Return a ticket as it was before anybody answered it; requesters: names to hide them by, None to hide nothing."""
    thread = stored.ticket.messages
    first = next((n for n, said in enumerate(thread) if said.author == "agent" and said.public), len(thread))
    ticket = stored.ticket.model_copy(update={"messages": thread[:first], "created_at": stored.wrote_at})
    reply = thread[first].text if first < len(thread) else ""
    if requesters is not None:
        who = ticket.requester
        ticket, hide = masked_ticket(ticket)
        reply = hide(reply)
        if key := who.id or who.email:
            name = requesters.setdefault(key, f"requester-{len(requesters) + 1}")
            ticket = ticket.model_copy(update={"requester": Requester(id=name, tags=who.tags)})
    told = {key: part for key, part in ticket.model_dump(mode="json", exclude_defaults=True).items() if part}
    labels = {name: label for name, label in stored.set_fields.items() if taxonomy.problem_with(name, label) is None}
    resolved = bool(reply) and stored.resolved_at is not None
    known = {"labels": labels, "reply": reply, "resolved": resolved}
    return told | {key: part for key, part in known.items() if part}


def _told(choices: TicketChoices, tally: Counter[str]) -> str:
    tickets = f"{tally['written']:,} ticket{'' if tally['written'] == 1 else 's'}"
    lines = [f"{choices.out}: {tickets}, {tally['labelled']:,} with what a person set as labels"]
    for count, why in (
        (tally["unlabelled"], "on which nobody set a field"),
        (tally["too_long"], "longer than 1 MB"),
    ):
        lines += [f"Left out: {count:,} {why}"] if count else []
    if choices.mask:
        lines.append("Personal data is masked as far as it was recognised: look before you share the file.")
    else:
        lines.append("The file holds personal data as it was written; --mask leaves it out.")
    return "\n".join(lines)
