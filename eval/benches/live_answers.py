"""What happened while knowledge and generations changed under load, and what is to be said of it."""

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eval.benches.frame import Bar, Row
from eval.benches.live_generations import DAMAGES, TakingTurns
from eval.benches.service_process import Api

#: Seconds within which every worker must show a change.
VISIBLE = 1.0


@dataclass(frozen=True)
class Answer:
    """What came back, and when. numbers: all that it calls the marker, None where that was not asked for."""

    id: str
    path: str
    began: float
    ended: float
    generation: str
    revision: int
    due: str
    numbers: frozenset[int] | None


@dataclass
class Run:
    """All that happens. numbers: the marker's, from the revision `first` on; acknowledged: when each after that was.

    swaps: when, and to which; bad: name, since when and until when; refusals: how many workers told of each; mended:
    whether the sound one that took its place was served; ready: how often the service was, meanwhile.
    """

    api: Api
    log: Path
    kept: TakingTurns
    first: int = 0
    answers: list[Answer] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)
    numbers: list[int | None] = field(default_factory=lambda: [None])
    acknowledged: list[float] = field(default_factory=list)
    swaps: list[tuple[float, str]] = field(default_factory=list)
    bad: list[tuple[str, float, float]] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    mended: list[bool] = field(default_factory=list)
    ready: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def logged(self) -> list[dict[str, Any]]:
        """Return what the service has logged so far."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line[:1] + line[-1:] == "{}"]

    def lines(self, since: float, until: float = float("inf")) -> set[str]:
        """Return the generations that answered what began between two moments, and those that they were made from."""
        names = {answer.generation for answer in list(self.answers) if since < answer.began < until}
        return {name for served in names for name in self.kept.line_of(served)}


def outcome(run: Run, sound: Sequence[str]) -> tuple[list[Row], list[Bar]]:
    """Return rows and bars, and say what failed or was mixed."""
    mixed = mixed_answers(run, sound)
    for fault in [*run.failed[:10], *mixed[:10]]:
        print(fault)
    of_bad = [
        sum(answer.generation == name and since < answer.began < until for answer in run.answers)
        for name, since, until in run.bad
    ]
    late, shown = seconds_to_show(run)
    rows = [*_rows(run, len(mixed)), *_request_rows(run), *_visible_rows(late, shown), *_bad_rows(run, of_bad)]
    bad = sum(map(bool, of_bad))
    return rows, [
        _none("failed requests", len(run.failed)),
        _none("mixed answers", len(mixed)),
        _none(f"bad generations served, of {len(run.bad)}", bad),
        _none(f"sound ones not taken up after a bad one, of {len(run.bad)}", run.mended.count(False)),
        Bar("change to every worker, s (median to slowest)", float(np.median(late)), float(late.min()),
            float(late.max()), f"<= {VISIBLE:g}", bool(late.max() <= VISIBLE)),
    ]  # fmt: skip


def mixed_answers(run: Run, sound: Sequence[str]) -> list[str]:
    """Say of each answer that is of no sound generation, or tells what another one or another revision does."""
    root = {name: run.kept.line_of(name)[-1] for name in {answer.generation for answer in run.answers}}
    asked = [answer for answer in run.answers if answer.numbers is not None]
    told = {name: Counter(answer.due for answer in asked if root[answer.generation] == name) for name in sound}
    due = {name: found.most_common(1)[0][0] for name, found in told.items() if found}
    faults = [] if len({*due.values()}) == len(sound) else [f"the generations cannot be told apart: {due}"]
    for answer in run.answers:
        place = answer.revision - run.first
        known = run.numbers[place] if 0 <= place < len(run.numbers) else -1
        wanted = frozenset() if known is None else frozenset({known})
        names = f"{answer.id} names generation {answer.generation} and revision {answer.revision}"
        if root[answer.generation] not in sound or known == -1:
            faults.append(f"{names}, which nobody made")
        elif answer.numbers is not None and answer.numbers != wanted:
            faults.append(f"{names}, so number {known}, and tells {sorted(answer.numbers)}")
        elif answer.numbers is not None and answer.due != due[root[answer.generation]]:
            faults.append(f"{names}, and promises a reply by {answer.due}")
    return faults


def seconds_to_show(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return for each change, in seconds after its acknowledgement, two moments.

    The last at which a request began that was still answered with what was before (0 for none), and that at which an
    answer with the change had come from every worker, and none with what was before came from it any more.
    """
    worker = {line["request_id"]: line["pid"] for line in run.logged() if "request_id" in line}
    late = np.zeros(len(run.acknowledged))
    shown = np.zeros(len(run.acknowledged))
    for pid in {*worker.values()}:
        found = sorted((a.began, a.ended, a.revision) for a in run.answers if worker.get(a.id) == pid)
        if not found:
            continue
        began, ended, revision = np.array(found).T
        for place, at in enumerate(run.acknowledged):
            older = began[(began > at) & (revision < run.first + 1 + place)]
            last = older.max() if len(older) else at
            newer = ended[began > last]
            late[place] = max(late[place], last - at)
            shown[place] = max(shown[place], newer.min() - at if len(newer) else np.inf)
    return late, shown


def _rows(run: Run, mixed: int) -> list[Row]:
    events = [line["event"] for line in run.logged()]
    ends = [*(at for at, _ in run.swaps[1:]), float("inf")]
    seen = sum(name in run.lines(at, end) for (at, name), end in zip(run.swaps, ends, strict=True))
    return [
        {
            "table": "Knowledge and generations changed under load, two workers",
            "swaps": len(run.swaps),
            "seen in answers": seen,
            "changes": run.changes.total(),
            **{kind: run.changes[kind] for kind in ("publish", "draft", "delete")},
            "answers": len(run.answers),
            "about the marker": sum(answer.numbers is not None for answer in run.answers),
            "failed": len(run.failed),
            "mixed": mixed,
            "compactions": sum(event.endswith("is compacted") for event in events),
            "given up": sum("could not be compacted" in event for event in events),
        }
    ]


def _request_rows(run: Run) -> list[Row]:
    rows: list[Row] = []
    for path in sorted({answer.path for answer in run.answers}):
        took = [1000 * (answer.ended - answer.began) for answer in run.answers if answer.path == path]
        p50, p99, most = (round(float(value), 1) for value in np.percentile(took, (50, 99, 100)))
        told = {"answers": len(took), "p50, ms": p50, "p99, ms": p99, "slowest, ms": most}
        rows.append({"table": "Requests meanwhile", "system": f"POST {path}", **told})
    return rows


def _visible_rows(late: np.ndarray, shown: np.ndarray) -> list[Row]:
    names = {"last request answered without it": late, "answered with it by every worker": shown}
    rows: list[Row] = []
    for name, seconds in names.items():
        p50, p99, most = (
            round(float(value), 3) for value in np.percentile(seconds[np.isfinite(seconds)], (50, 99, 100))
        )
        told = {"p50, s": p50, "p99, s": p99, "slowest, s": most}
        rows.append({"table": "From a change's acknowledgement", "system": name, **told})
    return rows


def _bad_rows(run: Run, of_bad: Sequence[int]) -> list[Row]:
    ready = f"{run.ready} of {len(run.bad)}"
    return [
        {"table": f"Bad generations (service ready: {ready})", "system": damage, "answers from it": answers,
         "workers that refused it": workers, "the next one is served": "yes" if mended else "no"}
        for damage, answers, workers, mended in zip(DAMAGES, of_bad, run.refusals, run.mended, strict=False)
    ]  # fmt: skip


def _none(name: str, count: int) -> Bar:
    return Bar(name, float(count), float(count), float(count), "0", not count)
