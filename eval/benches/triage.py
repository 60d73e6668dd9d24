"""Fields on public data: the present engine and its peers, over the same test rows.

Reads Banking77, CLINC150 and the ticket set under ``$DATA``. Every run is a look at their test splits, and is written
into the ledger.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from eval.benches.frame import Row, data_folder, figure, write_bench
from eval.benches.ledger import LEDGER
from eval.benches.systems import FirstlineOnDesk, lead_of, measured, note_look, run_on, try_peer
from eval.loaders import load
from eval.loaders.loaded import Loaded
from eval.outcomes import Outcome
from eval.peers.peers import PeerFailure, PeerResult
from eval.peers.tasks import ClassifyTask, Example
from eval.statistics import Array, auroc, ece, macro_f1, mean
from triage.cleaning import read_text
from triage.engine import text_to_classify
from triage.tickets import Ticket

SHOTS = 10


@dataclass(frozen=True)
class Contest:
    """A field of a set, and the peers that try it."""

    field: str
    peers: tuple[str, ...]


LINEAR = ("majority", "tfidf_lr")
CONTESTS = {
    "banking77": (Contest("category", (*LINEAR, "knn", "embedding_lr")),),
    "banking77, 10 per label": (Contest("category", (*LINEAR, "knn", "embedding_lr", "setfit")),),
    "clinc150": (Contest("category", (*LINEAR, "knn", "embedding_lr")), Contest("team", LINEAR)),
    "tobi_tickets": (Contest("category", LINEAR), Contest("team", (*LINEAR, "knn")), Contest("priority", LINEAR)),
}
FORMATS = {"banking77, 10 per label": "banking77", "tobi_tickets": "ticket_csv"}


def main(wanted: Sequence[str], var: Path, ledger: Path = LEDGER) -> None:
    """Run the bench over all sets, or those that are named."""
    started, now = time.monotonic(), datetime.now(UTC)
    work = var / "bench" / "triage"
    rows: list[Row] = []
    for name in wanted or CONTESTS:
        ours = run_on(load_set(name), name.replace(", ", "-").replace(" ", "-"), work, var)
        cases = list(ours.run.outcomes())
        found = [row for contest in CONTESTS[name] for row in contest_rows(name, contest, ours, cases, work)]
        rows += found
        rows += abstention_rows(name, ours, cases)
        figures = {f"{row['table']}: {row['system']}": value_in(row) for row in found if "accuracy" in row}
        note_look(ledger, now.date(), name, "test", ours.data, figures)
    write_bench("triage", started, rows, [], var / "bench")


def load_set(name: str) -> Loaded:
    """Load a set from ``$DATA``."""
    format_name = FORMATS.get(name, name)
    folder = data_folder("tobi_tickets" if name == "tobi_tickets" else format_name)
    source = next(folder.glob("*.csv*")) if format_name == "ticket_csv" else folder
    loaded = load(format_name, source)
    return replace(loaded, history=few_per_label(loaded.history, SHOTS)) if "per label" in name else loaded


def few_per_label(history: Sequence[dict[str, Any]], shots: int) -> list[dict[str, Any]]:
    """Return the first rows of each category, in file order."""
    taken: dict[str, int] = defaultdict(int)
    kept = []
    for row in history:
        label = row["labels"]["category"]
        taken[label] += 1
        if taken[label] <= shots:
            kept.append(row)
    return kept


def contest_rows(
    name: str, contest: Contest, ours: FirstlineOnDesk, outcomes: Sequence[Outcome], work: Path
) -> list[Row]:
    """Return one row per system for a field."""
    field, table = contest.field, f"{name}: {contest.field}"
    asked = [outcome for outcome in outcomes if field in outcome.case.expect]
    labels = list(ours.run.header.fields[field])
    truth = [outcome.case.expect[field] for outcome in asked]
    guesses = [outcome.suggestion.fields[field].best if outcome.suggestion else "" for outcome in asked]
    rows: list[Row] = [
        {
            "table": table,
            "system": "Firstline",
            "n": len(asked),
            "accuracy": figure(ours.run[f"{field}.accuracy"]),
            "macro-F1": figure(ours.run[f"{field}.macro_f1"]),
            "ECE": figure(ours.run[f"{field}.ece"]),
            "Firstline ahead by": None,
            **ours.cost(),
        }
    ]
    task = ClassifyTask(examples_of(ours.data.folder, field), tuple(text_of(outcome.case.ticket) for outcome in asked))
    for peer in contest.peers:
        found = try_peer(peer, task, work / "peers" / table.replace(": ", "-").replace(", ", "-"), work.parents[1])
        rows.append(peer_row(table, found, (truth, guesses), labels))
    return rows


def peer_row(
    table: str, found: PeerResult | PeerFailure, cases: tuple[Sequence[str], Sequence[str]], labels: Sequence[str]
) -> Row:
    """Return a peer's row; cases: the truth, and what Firstline said."""
    if isinstance(found, PeerFailure):
        return {"table": table, "system": found.peer, "n": str(found)}
    truth, ours = cases
    right = np.array([[float(guess == true)] for guess, true in zip(found.labels, truth, strict=True)])
    our_right = np.array([[float(guess == true)] for guess, true in zip(ours, truth, strict=True)])
    numbers = {label: float(number) for number, label in enumerate(labels)}
    pairs = np.array([(numbers[true], numbers[guess]) for true, guess in zip(truth, found.labels, strict=True)])
    calibrated = np.column_stack([np.array(found.confidence), right[:, 0]]) if found.confidence else None
    return {
        "table": table,
        "system": found.peer,
        "n": len(truth),
        "accuracy": measured(mean, right),
        "macro-F1": measured(macro_f1, pairs),
        "ECE": None if calibrated is None else measured(ece, calibrated),
        "Firstline ahead by": lead_of(mean, our_right, right),
        "fit s": round(found.fit_seconds, 1),
        "ms per query": found.milliseconds_per_query,
        "peak MiB": round(found.peak_mib),
    }


def abstention_rows(name: str, ours: FirstlineOnDesk, outcomes: Sequence[Outcome]) -> list[Row]:
    """Return what abstaining costs and buys, per field, and how well confidence tells what is out of scope."""
    scope = out_of_scope(outcomes)
    outside = measured(auroc, scope) if len(np.unique(scope[:, 1])) == 2 else None
    return [
        {
            "table": f"{name}: abstention",
            "field": contest.field,
            "top-3 accuracy": figure(ours.run[f"{contest.field}.top3_accuracy"]),
            "decided": figure(ours.run[f"{contest.field}.coverage"]),
            "wrong when decided": figure(ours.run[f"{contest.field}.error_when_decided"]),
            "AURC": figure(ours.run[f"{contest.field}.aurc"]),
            "in scope against out, AUROC": outside if contest.field == "category" else None,
        }
        for contest in CONTESTS[name]
    ]


def out_of_scope(outcomes: Sequence[Outcome]) -> Array:
    """Return (how much a ticket is like past ones, 1 where it has a category and 0 where it is out of scope).

    Without a chance of being new, the confidence in the category stands for it.
    """
    rows = [
        (
            outcome.suggestion.fields["category"].confidence
            if outcome.suggestion.novelty is None
            else -outcome.suggestion.novelty,
            float("category" in outcome.case.expect),
        )
        for outcome in outcomes
        if outcome.suggestion
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def examples_of(desk: Path, field: str) -> tuple[Example, ...]:
    """Return the desk's history as the peers see it: the text that Firstline classifies, and the label."""
    from triage.desk_files import read_desk

    rows = read_desk(desk).history
    return tuple(Example(text_of(row.ticket), row.labels[field]) for row in rows if field in row.labels)


def text_of(ticket: Ticket) -> str:
    """Return the text of a ticket that Firstline classifies."""
    return text_to_classify(read_text(ticket))


def value_in(row: Row) -> float:
    """Return a row's accuracy."""
    accuracy = row["accuracy"]
    return float(accuracy["value"]) if isinstance(accuracy, dict) else float("nan")


if __name__ == "__main__":
    main(sys.argv[1:], Path("var"))
