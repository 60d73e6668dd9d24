"""Tickets that are the desk's own and tickets that are not, in one stream: what is decided wrongly, and what is told.

A ticket that the desk has no label for is out of scope: whatever is decided of it is wrong.
"""

from collections.abc import Sequence

import numpy as np

from eval.benches.frame import Bar, Row
from eval.benches.systems import measured
from eval.benches.triage_rows import ceiling_bar
from eval.outcomes import Outcome
from eval.statistics import Array, auroc, mean
from triage.audit import is_out_of_scope

FIELD = "category"


def has_both(outcomes: Sequence[Outcome]) -> bool:
    """Tell whether there are tickets in scope and out of it."""
    return len({FIELD in outcome.case.expect for outcome in outcomes}) == 2


def told_apart(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the AUROC of tickets in scope against those out of it, with its interval."""
    return measured(auroc, likeness(outcomes))


def likeness(outcomes: Sequence[Outcome]) -> Array:
    """Return (how much a ticket is like past ones, 1 where it has a category and 0 where it is out of scope).

    Without a chance of being new, the confidence in the category stands for it.
    """
    rows = [
        (
            suggestion.fields[FIELD].confidence if suggestion.novelty is None else 1 - suggestion.novelty,
            float(FIELD in outcome.case.expect),
        )
        for outcome in outcomes
        if (suggestion := outcome.suggestion)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def mixed_stream(outcomes: Sequence[Outcome]) -> Array:
    """Return (in scope, decided, wrong, flagged) of every ticket, each 0 or 1, shape (tickets, 4).

    wrong: whether the best guess is not what was expected, which out of scope it never is; flagged: handed over as
    out of scope. A ticket on which the engine raised an exception is not decided and not flagged.
    """
    rows = []
    for outcome in outcomes:
        expected, found = outcome.case.expect.get(FIELD), outcome.suggestion
        decided = found is not None and found.fields[FIELD].decided
        wrong = found is None or found.fields[FIELD].best != expected
        flagged = found is not None and is_out_of_scope(found)
        rows.append((float(expected is not None), float(decided), float(wrong), float(flagged)))
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def mixed_row(name: str, stream: Array) -> Row:
    """Return the row of the whole stream; stream: of `mixed_stream`, with tickets of both sorts."""
    inside, outside = stream[stream[:, 0] == 1], stream[stream[:, 0] == 0]
    return {
        "table": f"{name}: in scope and out of scope in one stream",
        "n": len(stream),
        "out of scope": len(outside),
        "wrong when decided": error_when_decided(stream),
        "decided": measured(mean, stream[:, 1:2]),
        "decided, in scope": measured(mean, inside[:, 1:2]),
        "decided, out of scope": measured(mean, outside[:, 1:2]),
        "flagged, in scope": measured(mean, inside[:, 3:]),
        "flagged, out of scope": measured(mean, outside[:, 3:]),
    }


def error_when_decided(stream: Array) -> dict[str, float] | None:
    """Return the share of decided tickets that are decided wrongly, None where none is decided."""
    decided = stream[stream[:, 1] == 1]
    return measured(mean, decided[:, 2:3]) if len(decided) else None


def mixed_bar(name: str, stream: Array, stated: float) -> Bar:
    """Hold the error of what is decided against the stated one; a stream with no decision has not shown it."""
    what, error = f"{name}: wrong when decided, both in one stream", error_when_decided(stream)
    return Bar(what, 0.0, 0.0, 1.0, f"<= {stated:g}", False) if error is None else ceiling_bar(what, error, stated)
