"""Asks both engines about every past ticket, in as many processes as there are cores."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context

from eval.replay.decided import EXCERPT, Pair
from eval.replay.engines import Change, Engines, open_engines
from eval.replay.past import Past
from models.protocols import Progress, no_progress
from triage.cleaning import normalise
from triage.engine import TriageEngine
from triage.fault_text import where_raised
from triage.history import InMemoryHistory, PastContact, requester_keys
from triage.outcome import waiting_since
from triage.tickets import Ticket

#: Fewer tickets than this are sooner done in one process than another is started.
WORTH_A_PROCESS = 400
#: Tickets that a process is given at a time; those of one requester stay together.
CHUNK = 64


@dataclass(frozen=True)
class Replayed:
    """Both decisions on every ticket, in the file's order; failed: tickets on which an engine raised, and where."""

    pairs: tuple[Pair, ...]
    failed: tuple[str, ...]


def replay_all(
    change: Change,
    past: Sequence[Past],
    now: datetime,
    progress: Progress = no_progress,
    engines: Engines | None = None,
    processes: int | None = None,
) -> Replayed:
    """Decide twice about every ticket, as at the time when it came in; now: for tickets that do not say when.

    What a requester wrote before, in the same file, counts as contact; what was open then is not known. engines: those
    of the change, where they are open already; processes: one for each core by default.
    """
    count = len(os.sched_getaffinity(0)) if processes is None else processes
    chunks = _chunks(past)
    progress("tickets", 0, len(past))
    found: list[tuple[int, Pair | str]] = []
    for part in _worked(change, chunks, now, engines, count if len(past) >= WORTH_A_PROCESS else 1):
        found += part
        progress("tickets", len(found), len(past))
    found.sort(key=lambda entry: entry[0])
    pairs = tuple(pair for _, pair in found if isinstance(pair, Pair))
    return Replayed(pairs, tuple(said for _, said in found if isinstance(said, str)))


Part = list[tuple[int, Pair | str]]


def _worked(
    change: Change, chunks: Sequence[Sequence[Past]], now: datetime, engines: Engines | None, processes: int
) -> Iterator[Part]:
    if processes == 1:
        opened = engines or open_engines(change)
        yield from (decide_both(opened, chunk, now) for chunk in chunks)
        return
    # Engines hold threads of their own, so that a process begins afresh and is not forked.
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (change,)) as pool:
        for future in [pool.submit(_work, chunk, now) for chunk in chunks]:
            yield future.result()


_opened: list[Engines] = []


def _begin(change: Change) -> None:
    _opened.append(open_engines(change))


def _work(chunk: Sequence[Past], now: datetime) -> Part:
    return decide_both(_opened[0], chunk, now)


def _chunks(past: Sequence[Past]) -> list[list[Past]]:
    """Return the tickets in pieces of about `CHUNK`, those of one requester in one piece."""
    families: dict[str, list[Past]] = {}
    for row in past:
        keys = requester_keys(row.ticket.requester)
        families.setdefault(keys[-1] if keys else f"line:{row.line}", []).append(row)
    chunks: list[list[Past]] = [[]]
    for family in families.values():
        if len(chunks[-1]) >= CHUNK:
            chunks.append([])
        chunks[-1] += family
    return chunks


def decide_both(engines: Engines, rows: Sequence[Past], now: datetime) -> Part:
    """Return the line and both decisions of each ticket, or what went wrong in words."""
    both = engines.knowing(*(_history(one, rows, now) for one in (engines.before, engines.after)))
    found: Part = []
    for row in rows:
        moment = _moment(row.ticket, now)
        name = row.ticket.id or f"line {row.line}"
        try:
            said = both.decide(row.ticket, name, moment)
        except Exception as error:  # one ticket must not stop the others
            found.append((row.line, f"{name}: {where_raised(error)}"))
            continue
        about = normalise(row.ticket.subject or row.ticket.body or "")
        came = moment if row.ticket.created_at else None
        pair = Pair(name, " ".join(about.split())[:EXCERPT], came, row.truth, row.handoff, *said)
        found.append((row.line, pair))
    return found


def _history(engine: TriageEngine, rows: Sequence[Past], now: datetime) -> InMemoryHistory:
    """Return what the requesters of several tickets among these wrote; nobody else's is looked at."""
    known = InMemoryHistory()
    counts: dict[tuple[str, ...], int] = {}
    for row in rows:
        keys = requester_keys(row.ticket.requester)
        counts[keys] = counts.get(keys, 0) + 1
    for row in rows:
        if row.ticket.id is None or counts[requester_keys(row.ticket.requester)] < 2:
            continue
        at = waiting_since(row.ticket, _moment(row.ticket, now))
        known.add(row.ticket.requester, PastContact(row.ticket.id, at, engine.vector_of(row.ticket), None, False))
    return known


def _moment(ticket: Ticket, now: datetime) -> datetime:
    return ticket.created_at or now
