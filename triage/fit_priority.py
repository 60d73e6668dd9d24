"""Weighs the desk's priority matrix beside the learned head, by what held-out history says of both."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from triage.cleaning import read_text
from triage.fit import FittedField, judge
from triage.priority import asked_at
from triage.priority_fusion import fit_weight, fuse
from triage.priority_opinion import PriorityScale
from triage.tickets import Ticket


def with_matrix(fitted: FittedField, scale: PriorityScale, tickets: Sequence[Ticket], max_error: float) -> FittedField:
    """Return the field `priority` with the matrix weighed in; as it is where the matrix says nothing that helps.

    tickets: the desk's history, which the held-out rows count through. Temperature, threshold and report are those of
    both together; weight and temperature are two numbers fitted on the rows that they are judged by.
    """
    held_out = fitted.held_out
    past = [tickets[row] for row in held_out.rows]
    said = [scale.opinion(ticket, read_text(ticket), asked_at(ticket)).agreement for ticket in past]
    agreements = np.vstack([np.zeros((0, len(held_out.labels))), *said])
    logits = held_out.logits.astype(np.float64)
    found = fit_weight(logits, agreements, held_out.targets)
    fused = replace(
        held_out, logits=fuse(logits, agreements, found.weight).astype(np.float32), temperature=found.temperature
    )
    head = replace(fitted.head, matrix_weight=found.weight)
    if not past:
        return replace(fitted, head=head)
    report, threshold = judge(fitted.report.field, fitted.report.penalty, fused, max_error)
    head = replace(head, head=replace(head.head, temperature=found.temperature), threshold=threshold)
    return FittedField(head, replace(report, matrix_weight=found.weight), fused)
