"""Large desks: a field of a thousand labels, and a history of 200,000 tickets. Training rows of Banking77 only.

Who answers is made up: by the category and the first letters of a ticket's longest words. A long history's tickets
are pairs of training texts with the labels of the first, and its desk has the hashing encoder: what is measured is all
that comes after encoding.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.benches.frame import Bar, Row, data_folder, figure, write_bench
from eval.benches.measured_process import run_firstline
from eval.benches.systems import FirstlineOnDesk
from eval.loaders import load
from eval.loaders.loaded import Loaded, labels_by_field
from eval.loaders.write_desk import write_desk
from eval.run_record import Run

FIELD = "assignee"
#: Of an assignee with fewer past tickets the others of the category are in charge.
FEWEST = 2
LONG = 200_000
CASES = 500


def main(var: Path) -> None:
    """Run the bench."""
    started = time.monotonic()
    work = var / "bench" / "large"
    loaded = load("banking77", data_folder("banking77"), held_out="train")
    rows: list[Row] = []
    many = built(with_assignees(loaded), "assignees", work, var)
    rows += [row(f"{label_count(many):,} assignees", many, FIELD)]
    long = built(lengthened(loaded, LONG), "long-history", work, var, encoder="hashing")
    rows += [row(f"{LONG:,} past tickets", long, "category")]
    count = label_count(many)
    bars = [Bar("labels of one field, built and served", count, count, count, ">= 1000", count >= 1_000)]
    write_bench("large", started, rows, bars, var / "bench")


def with_assignees(loaded: Loaded) -> Loaded:
    """Return rows with somebody who answers them."""
    named = {id(row): assignee(row["body"], row["labels"]["category"]) for row in loaded.history}
    counts = Counter(named.values())

    def known(name: str) -> str:
        return name if counts[name] >= FEWEST else f"{name.rsplit('-', 1)[0]}-others"

    history = [{**row, "labels": {**row["labels"], FIELD: known(named[id(row)])}} for row in loaded.history]
    taken = {row["labels"][FIELD] for row in history}
    cases = []
    for case in loaded.cases:
        who = known(assignee(case["ticket"]["body"], case["expect"]["category"]))
        expect = {**case["expect"], **({FIELD: who} if who in taken else {})}
        cases.append({**case, "expect": expect})
    return replace(loaded, history=history, cases=cases, fields=labels_by_field(row["labels"] for row in history))


def assignee(text: str, category: str) -> str:
    """Return who answers: the category's person for the initials of the two longest words."""
    words = sorted((word for word in text.lower().split() if word.isalpha()), key=len, reverse=True)
    initials = "".join(sorted(word[0] for word in words[:2]))
    return f"{category}-{initials or 'x'}"


def lengthened(loaded: Loaded, count: int) -> Loaded:
    """Return a history of so many tickets, no two alike but by chance."""
    draw = random.Random(7)  # noqa: S311 - an order, no secret
    texts = [row["body"] for row in loaded.history]
    history = []
    for number in range(count):
        row = loaded.history[number % len(texts)]
        history.append({**row, "id": f"long-{number}", "body": f"{row['body']} {draw.choice(texts)}"})
    return replace(loaded, history=history, cases=loaded.cases[:CASES])


def built(loaded: Loaded, name: str, work: Path, var: Path, encoder: str | None = None) -> FirstlineOnDesk:
    """Write a desk, build it and run its cases. Raises `BenchError`, `DataError`."""
    folder, out = work / name / "desk", work / name / "run"
    print(f"{name}: {len(loaded.history):,} past tickets, {len(loaded.cases):,} cases", flush=True)
    data = write_desk(loaded, folder)
    if encoder:
        settings = folder / "desk.toml"
        settings.write_text(f'encoder = "{encoder}"\n{settings.read_text(encoding="utf-8")}', encoding="utf-8")
    build = run_firstline(["build", str(folder), "--var", str(var)], work / name / "build.log")
    arguments = ["eval", "run", str(folder), "--out", str(out), "--overwrite", "--var", str(var)]
    suggest = run_firstline(arguments, work / name / "run.log")
    return FirstlineOnDesk(data, Run.open(out), build, suggest)


def label_count(found: FirstlineOnDesk) -> int:
    """Return how many labels the field of assignees has."""
    return len(found.run.header.fields[FIELD])


def row(system: str, found: FirstlineOnDesk, field: str) -> Row:
    """Return what a desk took, and how often a field is right."""
    shown: Mapping[str, Any] = {
        name: figure(found.run[f"{field}.{metric}"])
        for name, metric in (("accuracy", "accuracy"), ("among 3", "top3_accuracy"), ("among 5", "top5_accuracy"))
    }
    return {
        "table": "large desks",
        "system": system,
        "field": field,
        **shown,
        "build s": round(found.build.seconds),
        "ms per ticket": found.run["latency.p50_ms"].value,
        "peak MiB, build": round(found.build.peak_mib),
        "peak MiB, serving": round(found.suggest.peak_mib),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("var"))
