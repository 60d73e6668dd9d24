"""A change of thresholds replayed over 5,000 tickets: how long it takes, and whether a build and a re-run say the same.

The desk's history and cases are repeated, each with a closing line of its own, so that no two tickets are one text.
"""

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from eval.benches.frame import Bar, Row, write_bench
from eval.replay.engines import Change, open_engines
from eval.replay.past import Past, read_past
from eval.replay.run import Replayed, replay_all
from triage.assembly import generations_of, remembering
from triage.build import build_generation
from triage.desk_files import read_desk

TICKETS = 5_000
#: Seconds that a replay may take once every vector is stored.
TARGET = 60
#: Lines of the policy that are changed: more error is not allowed, and an article must answer more surely.
EDITS = (
    ("category = { max_error = 0.10 }", "category = { max_error = 0.05 }"),
    ("min_chance = 0.35", "min_chance = 0.5"),
)


def main(desk: Path, var: Path, count: int = TICKETS) -> None:
    """Run the bench; everything it makes is its own, but for the generation that is there."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = var_of_its_own(var, folder / "var", desk)
        policy = edited_policy(desk, folder / "policy.toml")
        change = Change(desk, own, {"policy": policy})
        past = tickets_of(desk, change, folder / "past.jsonl", count)
        first_seconds, _ = timed(change, past)
        seconds, replayed = timed(change, past)
        rebuilt = Change(desk, own, generation=built_with(policy, desk, own, folder / "desk"))
        full_seconds, full = timed(rebuilt, past)
    rows = speed_rows(count, first_seconds, seconds, full_seconds) + count_rows(replayed, full)
    write_bench("replay", started, rows, bars_of(seconds, replayed, full), var / "bench")


def speed_rows(count: int, first: float, stored: float, full: float) -> list[Row]:
    """Return the seconds of each way."""
    ways = (
        ("replay, every ticket read for the first time", first),
        ("replay, vectors stored", stored),
        ("both generations asked, the second built with the change", full),
    )
    table = f"{count:,} tickets, a change of thresholds"
    return [{"table": table, "system": what, "seconds": each, "tickets a second": count / each} for what, each in ways]


def count_rows(replayed: Replayed, full: Replayed) -> list[Row]:
    """Return what both ways say became of the tickets."""
    both = [
        Counter((pair.before.disposition, pair.after.disposition) for pair in one.pairs) for one in (replayed, full)
    ]
    return [
        {"table": "What changes", "system": " → ".join(key), "replay": both[0][key], "re-run": both[1][key]}
        for key in sorted(both[0] | both[1])
    ]


def bars_of(seconds: float, replayed: Replayed, full: Replayed) -> list[Bar]:
    """Return what must hold: how soon, and that nothing differs."""
    differ = sum(one != other for one, other in zip(replayed.pairs, full.pairs, strict=True))
    same = differ == 0 and not replayed.failed and not full.failed
    return [
        Bar("seconds of a replay with stored vectors", seconds, seconds, seconds, f"<= {TARGET}", seconds <= TARGET),
        Bar("tickets of which a full re-run says otherwise", differ, differ, differ, "= 0", same),
    ]


def timed(change: Change, past: list[Past]) -> tuple[float, Replayed]:
    """Return the seconds of a replay, opening the engines included, and what came of it."""
    start = time.perf_counter()
    replayed = replay_all(change, past, datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
    return time.perf_counter() - start, replayed


def tickets_of(desk: Path, change: Change, path: Path, count: int) -> list[Past]:
    """Return so many tickets with what is known of them."""
    rows = [
        json.loads(line) for name in ("history", "cases") for line in (desk / f"{name}.jsonl").open(encoding="utf-8")
    ]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row = json.loads(json.dumps(rows[number % len(rows)]))
            ticket = row.get("ticket", row)
            ticket["id"] = f"T-{number}"
            ticket.setdefault("requester", {})["id"] = f"c-{number // len(rows)}-{ticket['requester'].get('id')}"
            if str(ticket.get("body") or "").strip():
                ticket["body"] += f"\n\nOur reference is {number}."
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return read_past(path, open_engines(change).before.rules.taxonomy)


def edited_policy(desk: Path, path: Path) -> Path:
    """Write the desk's policy with the edits."""
    text = (desk / "policy.toml").read_text(encoding="utf-8")
    for old, new in EDITS:
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def var_of_its_own(var: Path, own: Path, desk: Path) -> Path:
    """Return a place that shares the encoder and has the desk's generation, and no vector yet."""
    id = read_desk(desk).rules.settings.id
    own.mkdir()
    (own / "encoders").symlink_to((var / "encoders").resolve())
    shutil.copytree(var / "generations" / id, own / "generations" / id)
    return own


def built_with(policy: Path, desk: Path, var: Path, copy: Path) -> str:
    """Build the desk with another policy; return the generation's number, and leave the current one current."""
    shutil.copytree(desk, copy)
    shutil.copyfile(policy, copy / "policy.toml")
    changed = read_desk(copy)
    generations, now = generations_of(changed.rules.settings, var), datetime.now(UTC)
    before = generations.current_name()
    encoder = remembering(open_engines(Change(desk, var, {"policy": policy})).before.encoder, var, now.date())
    report = build_generation(changed, encoder, generations, now)
    generations.roll_back(before)
    return report.generation


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
