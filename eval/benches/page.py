"""``BENCHMARKS.md``: what the benches wrote, published figures beside it, and the count of looks at test rows."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.benches.frame import Bar, Row, bar_text, tables_text
from eval.benches.ledger import Look, read_ledger
from eval.errors import BenchError
from triage.toml_files import FileModel, read_toml

PUBLISHED = Path(__file__).with_name("published.toml")
#: What each bench is about, in the order of the page.
TITLES = {
    "encoder": "The encoder: speed, exactness, memory, start",
    "triage": "Fields: public data, beside other ways of doing it",
    "stated_risk": "Do thresholds keep the error that they state?",
    "retrieval": "Search: public data, beside other ways of doing it",
    "index_scale": "Search at scale, and how soon a change shows",
    "kill_build": "Builders killed while they build and publish",
    "rebuild": "What a desk's knowledge costs to build",
    "spine": "The demo desk from end to end",
    "intervals": "Do the intervals contain the truth?",
    "gates": "Do the gates fire when they should?",
    "drafting": "Drafts: support, likeness, handoff, redaction",
    "fast_path": "What triage costs beside the encoder",
    "service": "The service under load",
    "crash": "The service killed while it writes",
    "live_knowledge": "Generations and articles changed under load",
    "postgres_outage": "The service without its database",
    "soak": "The service after half an hour",
    "console": "The console with 10,000 tickets",
    "replay": "A change of rules, tried on 5,000 tickets",
    "large": "A thousand labels, a long history",
    "throughput": "10,000 tickets in a row",
}
#: The column that says when a row was measured.
DAY = "measured"
HEAD = """# Benchmarks

Made by `make bench-page` from `var/bench/*.json`, which `make bench` writes. Values stand with their 95 % interval.
"Firstline ahead by" is the paired difference over the same cases. Its milliseconds are those of a whole suggestion, a
peer's those of its one answer. Peers run on the same rows, each in a process of its own; their settings stand in
`eval/peers`. Published figures are from other machines, and some from other cuts of the data: a direction, not a race.
A dash is what was not measured.
"""


class PublishedFigure(FileModel):
    """A figure of somebody else's, and where it is from."""

    table: str
    system: str
    says: str
    source: str


class Published(FileModel):
    """All of them."""

    figure: tuple[PublishedFigure, ...]


def main(bench: Path, out: Path) -> None:
    """Write the page from what the benches wrote; the section of a bench that was not run here stays as it is."""
    found = {name: read_bench(bench / f"{name}.json") for name in TITLES if (bench / f"{name}.json").is_file()}
    if not found:
        raise BenchError(f"{bench}: no bench has been run; run `make bench` first")
    published = read_toml(PUBLISHED, Published).figure
    known = sections_of(out.read_text(encoding="utf-8")) if out.is_file() else {}
    new = {TITLES[name]: section(name, values, published) for name, values in found.items()}
    sections = [text for title in TITLES.values() if (text := new.get(title) or known.get(title))]
    out.write_text("\n".join([HEAD, *sections, others(published), looks_text(read_ledger())]), encoding="utf-8")
    print(f"Written to {out}")


def sections_of(page: str) -> dict[str, str]:
    """Return the sections of a page by title, each with its heading."""
    parts = page.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def read_bench(path: Path) -> dict[str, Any]:
    """Read a bench's file. Raises `BenchError`."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BenchError(f"{path}: this is no bench's file; run the bench again") from error
    return values


def section(name: str, values: Mapping[str, Any], published: Sequence[PublishedFigure]) -> str:
    """Return the section of a bench."""
    rows: list[Row] = [row for row in values["rows"] if "table" in row]
    tables = list(dict.fromkeys(str(row["table"]) for row in rows))
    target = f"bench-{name.replace('_', '-')}"
    parts = [f"## {TITLES[name]}", f"`make {target}`, {where(values)}."]
    for table in tables:
        parts.append(tables_text([without_day(row) for row in rows if row["table"] == table]))
        parts += days_of([row for row in rows if row["table"] == table])
        beside = [entry for entry in published if not table.endswith("abstention") and table.startswith(entry.table)]
        parts += ["Published:", published_text(beside)] if beside else []
    bars = [Bar(**bar) for bar in values["bars"]]
    parts += ["```\n" + "\n".join(bar_text(bar) for bar in bars) + "\n```"] if bars else []
    return "\n\n".join(parts) + "\n"


def without_day(row: Row) -> Row:
    """Return a row without the day on which it was measured, which is said beside the table."""
    return {column: cell for column, cell in row.items() if column != DAY}


def days_of(rows: Sequence[Row]) -> list[str]:
    """Say when a table's rows were measured, where they carry a day: a bench may renew some of its tables only."""
    days = list(dict.fromkeys(str(row[DAY]) for row in rows if DAY in row))
    return [f"Measured on {' and '.join(days)}."] if days else []


def where(values: Mapping[str, Any]) -> str:
    """Say on what a bench ran."""
    machine, minutes = values["machine"], values["seconds"] / 60
    return f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']:.0f} GiB, {minutes:.0f} minutes"


def others(published: Sequence[PublishedFigure]) -> str:
    """Return the published figures that have no table of ours beside them."""
    tables = [entry for entry in published if entry.table.endswith("elsewhere")]
    names = list(dict.fromkeys(entry.table for entry in tables))
    parts = [f"{name}:\n\n{published_text([e for e in tables if e.table == name])}" for name in names]
    return "\n\n".join(["## Published, with nothing of ours beside it yet", *parts]) + "\n"


def published_text(entries: Sequence[PublishedFigure]) -> str:
    """Return published figures as a list."""
    return "\n".join(f"- {entry.system}: {entry.says} ({entry.source})" for entry in entries)


def looks_text(looks: Sequence[Look]) -> str:
    """Return how often each public test split was looked at."""
    trials = Counter(look.set for look in looks if look.kind == "trial")
    benches = Counter(look.set for look in looks if look.kind == "bench")
    rows: list[Row] = [
        {"table": "Looks", "set": name, "trials before any code": trials[name], "benches": benches[name]}
        for name in dict.fromkeys(look.set for look in looks)
    ]
    said = (
        "Every look at a public test split is a line of `eval/benches/ledger.jsonl`. Nothing was chosen by test rows; "
        "the trials gave directions before there was any code."
    )
    return "\n\n".join(["## How often test rows were looked at", said, tables_text(rows)]) + "\n"


if __name__ == "__main__":
    main(Path("var/bench"), Path(sys.argv[1] if len(sys.argv) > 1 else "BENCHMARKS.md"))
