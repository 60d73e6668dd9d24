"""``firstline eval replay``: reads, replays, counts and writes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from eval.errors import RunError
from eval.replay.engines import Change, Engines, open_engines
from eval.replay.past import read_past
from eval.replay.replay_page import replay_page
from eval.replay.replay_text import replay_json, replay_text
from eval.replay.run import replay_all
from eval.replay.summary import Summary, summarise
from eval.report.document import write_document
from models.protocols import Progress, no_progress

PAGE, DATA = "replay.html", "replay.json"


@dataclass(frozen=True)
class Ask:
    """What is asked for: the change, the past tickets, and the folder for the page and the JSON."""

    change: Change
    history: Path
    out: Path


def replay_and_write(ask: Ask, progress: Progress = no_progress, timer: Callable[[], float] = perf_counter) -> str:
    """Replay past tickets, write page and JSON, and return what the terminal shows.

    Raises `DataError`, `RunError`, and what opening the engines raises.
    """
    started = timer()
    engines = open_engines(ask.change, progress)
    rules = engines.before.rules
    past = read_past(ask.history, rules.taxonomy)
    replayed = replay_all(ask.change, past, datetime.now(UTC), progress, engines)
    priorities = rules.taxonomy.priority.order or tuple(rules.taxonomy.fields["priority"])
    found = summarise(replayed.pairs, priorities, rules.settings.calendar.zone, replayed.failed)
    seconds = timer() - started
    _write(ask, engines, found, seconds)
    sentence = _about(ask, engines)
    rate = f"{found.tickets / seconds:.0f} tickets a second" if seconds else ""
    return f"{sentence}\n\n{replay_text(found)}\n\n{rate}. Written to {ask.out / PAGE} and {ask.out / DATA}"


def _write(ask: Ask, engines: Engines, found: Summary, seconds: float) -> None:
    about: dict[str, Any] = {
        "desk": engines.before.rules.settings.id,
        "history": ask.history.name,
        "change": {option: path.name for option, path in ask.change.rules.items()}
        or {"generation": ask.change.generation},
        "learnt_again": engines.learnt_again,
        "before": engines.before.versions.model_dump(),
        "after": engines.after.versions.model_dump(),
        "seconds": round(seconds, 1),
    }
    try:
        ask.out.mkdir(parents=True, exist_ok=True)
        (ask.out / DATA).write_text(replay_json(found, about), encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(ask.out, None, f"nothing can be written there ({error.strerror})", "name a folder") from error
    write_document(ask.out / PAGE, replay_page(found, engines.before.rules.settings.name, _about(ask, engines)))


def _about(ask: Ask, engines: Engines) -> str:
    """Say what was tried on what."""
    files = " and ".join(str(path) for path in ask.change.rules.values())
    tried = files or f"generation {ask.change.generation}"
    learnt = f"; {engines.learnt_again} learnt again" if engines.learnt_again else ""
    return f"{tried} in place of generation {engines.before.versions.generation}, on {ask.history}{learnt}"
