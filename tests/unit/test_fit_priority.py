"""The priority matrix beside the head: weighed where history says that it helps, silent where it does not."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from made_up_heads import LABELS, fitted, head_of

from triage.classify import TicketClassifier
from triage.cleaning import read_text
from triage.fit_priority import with_matrix
from triage.held_out import HeldOut, nothing_held_out
from triage.priority_fusion import DEFAULT_WEIGHT
from triage.priority_opinion import PriorityScale
from triage.taxonomy import Label, PriorityField
from triage.tickets import Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SCALE = PriorityScale.of(PriorityField(labels={name: Label(description=name) for name in LABELS}, order=LABELS), {})
PRESSING = Ticket(subject="Till down", body="Nobody can work, the whole shop stands still and customers are queueing")
CALM = Ticket(subject="A question", body="How do I print a label?")


def unsure(targets: list[int]) -> HeldOut:
    """A head that takes every row for "normal", without being sure."""
    rows = np.arange(len(targets), dtype=np.int64)
    logits = np.zeros((len(targets), 4), dtype=np.float32)
    logits[:, 2] = 0.5
    return HeldOut(LABELS, rows, np.array(targets, dtype=np.int64), logits, 1.0)


def test_factors_that_were_right_get_a_weight_and_change_the_report() -> None:
    tickets = [PRESSING, CALM] * 40
    before = fitted(unsure([0, 2] * 40))
    after = with_matrix(before, SCALE, tickets, 0.2)
    assert after.head.matrix_weight > 0.5
    assert after.report.matrix_weight == after.head.matrix_weight
    assert after.report.accuracy is not None
    assert before.report.accuracy is not None
    assert after.report.accuracy > before.report.accuracy
    assert after.head.threshold == after.report.risk.threshold
    assert after.head.head.temperature == after.held_out.temperature == after.report.temperature


def test_factors_that_say_nothing_leave_the_head_alone() -> None:
    lots = np.random.default_rng(3).integers(0, 4, 80).tolist()
    before = fitted(unsure(lots))
    after = with_matrix(before, SCALE, [PRESSING, CALM] * 40, 0.2)
    assert after.head.matrix_weight == 0.0
    assert after.report.accuracy == before.report.accuracy


def test_without_history_a_stated_weight_is_taken_and_nothing_is_decided() -> None:
    after = with_matrix(fitted(nothing_held_out(LABELS)), SCALE, [], 0.2)
    assert (after.head.matrix_weight, after.head.threshold) == (DEFAULT_WEIGHT, None)


@pytest.mark.parametrize(("ticket", "best", "told"), [(PRESSING, "urgent", True), (CALM, None, False)])
def test_the_answer_shows_what_moved_it(ticket: Ticket, best: str | None, told: bool) -> None:
    head = with_matrix(fitted(nothing_held_out(LABELS)), SCALE, [], 0.2).head
    opinion = SCALE.opinion(ticket, read_text(ticket), NOW)
    vector: Any = np.array([1.0, 0.0], dtype=np.float32)
    classifier = TicketClassifier({"priority": head, "team": head_of()})
    fields = classifier.classify("a till", vector, priority=opinion).fields
    assert bool(fields["priority"].factors) == told
    assert fields["team"].factors == ()
    if best:
        assert fields["priority"].best == best
        assert any("customers are queueing" in factor.evidence for factor in fields["priority"].factors)
    deaf = TicketClassifier({"priority": head_of()}).classify("a till", vector, priority=opinion).fields
    assert (deaf["priority"].factors, deaf["priority"].confidence) == ((), 0.25)


def test_a_desk_whose_labels_nothing_ranks_has_no_opinion() -> None:
    unranked = PriorityScale.of(PriorityField(labels={name: Label(description=name) for name in ("p", "q")}), {})
    opinion = unranked.opinion(PRESSING, read_text(PRESSING), NOW)
    assert (opinion.factors, opinion.agreement.tolist()) == ((), [[0.0, 0.0]])
