"""One field on one set of public tickets: Firstline and its peers over the same cases, as rows and bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.benches.frame import Bar, Row, figure
from eval.benches.systems import FirstlineOnDesk, lead_of, measured, try_peer
from eval.loaders.held_out import HeldOut
from eval.outcomes import Outcome
from eval.peers.peers import PeerFailure, PeerResult
from eval.peers.tasks import ClassifyTask, Example
from eval.run_record import Run
from eval.statistics import NO_CLASS, Array, ece, macro_f1, mean
from triage.cleaning import read_text
from triage.desk_files import read_desk
from triage.engine import text_to_classify
from triage.tickets import Ticket

#: The word model that every bench of fields is held against.
WORD_MODEL = "tfidf_lr"


@dataclass(frozen=True)
class Contest:
    """A field of a set, and the peers that try it."""

    field: str
    peers: tuple[str, ...]


@dataclass(frozen=True)
class Places:
    """Where a bench works.

    work: gets desks, runs and peers; var: keeps encoders and environments; split: the rows that are asked.
    """

    work: Path
    var: Path
    split: HeldOut = "test"


@dataclass(frozen=True)
class SetResult:
    """What a set came to. figures: for the ledger; checksum: of all that was read."""

    rows: Sequence[Row]
    bars: Sequence[Bar]
    figures: Mapping[str, float]
    checksum: str


@dataclass(frozen=True)
class FieldCases:
    """The cases of a run that carry a field, in order.

    texts: what Firstline classifies, and peers too; guesses: Firstline's, "" where it raised an exception; languages:
    of the tickets, "unstated" where they do not say.
    """

    field: str
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    truth: tuple[str, ...]
    guesses: tuple[str, ...]
    languages: tuple[str, ...]

    @classmethod
    def of(cls, run: Run, field: str, outcomes: Sequence[Outcome]) -> "FieldCases":
        """Take them from a run's outcomes."""
        asked = [outcome for outcome in outcomes if field in outcome.case.expect]
        return cls(
            field,
            tuple(run.header.fields[field]),
            tuple(text_of(outcome.case.ticket) for outcome in asked),
            tuple(outcome.case.expect[field] for outcome in asked),
            tuple(outcome.suggestion.fields[field].best if outcome.suggestion else "" for outcome in asked),
            tuple((outcome.case.ticket.language or "unstated").lower() for outcome in asked),
        )

    def right(self, guesses: Sequence[str]) -> Array:
        """Return 1 for every right guess, else 0, shape (cases, 1)."""
        return np.array([[float(guess == true)] for guess, true in zip(guesses, self.truth, strict=True)])

    def pairs(self, guesses: Sequence[str]) -> Array:
        """Return the class numbers of truth and guess, shape (cases, 2)."""
        numbers = {label: float(number) for number, label in enumerate(self.labels)}
        told = zip(self.truth, guesses, strict=True)
        return np.array([(numbers[true], numbers.get(guess, NO_CLASS)) for true, guess in told])

    def task(self, desk: Path) -> ClassifyTask:
        """Return what a peer gets: a desk's history with the field, and the texts."""
        rows = read_desk(desk).history
        examples = (Example(text_of(row.ticket), row.labels[self.field]) for row in rows if self.field in row.labels)
        return ClassifyTask(tuple(examples), self.texts)


def text_of(ticket: Ticket) -> str:
    """Return the text of a ticket that Firstline classifies."""
    return text_to_classify(read_text(ticket))


def slug(name: str) -> str:
    """Return the folder of a set or a table."""
    return name.replace(": ", "-").replace(", ", "-").replace(" ", "-")


def ask_peers(
    table: str, peers: Sequence[str], task: ClassifyTask, places: Places
) -> dict[str, PeerResult | PeerFailure]:
    """Run peers on a task, one after another."""
    return {peer: try_peer(peer, task, places.work / "peers" / slug(table), places.var) for peer in peers}


def our_row(table: str, ours: FirstlineOnDesk, cases: FieldCases) -> Row:
    """Return Firstline's row."""
    field = cases.field
    return {
        "table": table,
        "system": "Firstline",
        "n": len(cases.truth),
        "accuracy": figure(ours.run[f"{field}.accuracy"]),
        "macro-F1": figure(ours.run[f"{field}.macro_f1"]),
        "ECE": figure(ours.run[f"{field}.ece"]),
        "Firstline ahead by": None,
        **ours.cost(),
    }


def peer_row(table: str, found: PeerResult | PeerFailure, cases: FieldCases) -> Row:
    """Return a peer's row."""
    if isinstance(found, PeerFailure):
        return {"table": table, "system": found.peer, "n": str(found)}
    right = cases.right(found.labels)
    calibrated = np.column_stack([np.array(found.confidence), right[:, 0]]) if found.confidence else None
    return {
        "table": table,
        "system": found.peer,
        "n": len(cases.truth),
        "accuracy": measured(mean, right),
        "macro-F1": measured(macro_f1, cases.pairs(found.labels)),
        "ECE": None if calibrated is None else measured(ece, calibrated),
        "Firstline ahead by": lead_of(mean, cases.right(cases.guesses), right),
        "fit s": round(found.fit_seconds, 1),
        "ms per query": found.milliseconds_per_query,
        "peak MiB": round(found.peak_mib),
    }


def abstention_row(name: str, field: str, run: Run, outside: Mapping[str, float] | None) -> Row:
    """Return what abstaining costs and buys; outside: how well tickets out of scope are told, where there are any."""
    return {
        "table": f"{name}: abstention",
        "field": field,
        "top-3 accuracy": figure(run[f"{field}.top3_accuracy"]),
        "decided": figure(run[f"{field}.coverage"]),
        "wrong when decided": figure(run[f"{field}.error_when_decided"]),
        "AURC": figure(run[f"{field}.aurc"]),
        "in scope against out, AUROC": outside,
    }


def accuracies(rows: Sequence[Row]) -> dict[str, float]:
    """Return the accuracy of every row that has one, by table and system."""
    return {
        f"{row['table']}: {row['system']}": float(accuracy["value"] or 0.0)
        for row in rows
        if "system" in row and isinstance(accuracy := row.get("accuracy"), Mapping)
    }


def floor_bar(name: str, found: Mapping[str, float], target: float) -> Bar:
    """Hold a figure with its interval against the least that it should be."""
    value = found["value"]
    return Bar(name, value, found["low"], found["high"], f">= {target:g}", value >= target)


def ceiling_bar(name: str, found: Mapping[str, float], target: float) -> Bar:
    """Hold a figure with its interval against the most that it may be."""
    value = found["value"]
    return Bar(name, value, found["low"], found["high"], f"<= {target:g}", value <= target)


def ahead_bar(name: str, lead: Mapping[str, float]) -> Bar:
    """Hold a paired difference against chance: its whole interval should lie above zero."""
    return Bar(name, lead["value"], lead["low"], lead["high"], "low > 0", lead["low"] > 0)


def not_behind_bar(name: str, lead: Mapping[str, float]) -> Bar:
    """Hold a paired difference against chance: its whole interval must not lie below zero."""
    return Bar(name, lead["value"], lead["low"], lead["high"], "high >= 0", lead["high"] >= 0)
