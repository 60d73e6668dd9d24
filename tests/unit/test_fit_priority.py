"""The priority matrix beside the head: weighed where history says that it helps, silent where it does not."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from models.linear_head import LinearHead
from models.text_features import NgramWeights, count_ngrams
from triage.classify import FieldHead, TicketClassifier
from triage.cleaning import read_text
from triage.fit import WITHOUT_HISTORY, FieldReport, FittedField, judge
from triage.fit_priority import with_matrix
from triage.held_out import HeldOut, nothing_held_out
from triage.priority_fusion import DEFAULT_WEIGHT
from triage.priority_opinion import PriorityScale
from triage.risk import find_threshold
from triage.taxonomy import Label, PriorityField
from triage.tickets import Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LABELS = ("urgent", "high", "normal", "low")
SCALE = PriorityScale.of(PriorityField(labels={name: Label(description=name) for name in LABELS}, order=LABELS), {})
PRESSING = Ticket(subject="Till down", body="Nobody can work, the whole shop stands still and customers are queueing")
CALM = Ticket(subject="A question", body="How do I print a label?")


def head_of(count: int = 4) -> FieldHead:
    counts = count_ngrams(["a till", "a return"])
    ngrams = NgramWeights.fit(counts)
    width = 2 + ngrams.transform(counts).shape[1]
    return FieldHead(
        LinearHead(LABELS[:count], np.zeros((count, width), np.float32), np.zeros(count, np.float32)), ngrams, None
    )


def fitted(held_out: HeldOut) -> FittedField:
    if len(held_out.rows):
        report, _ = judge("priority", WITHOUT_HISTORY, held_out, 0.2)
    else:
        risk = find_threshold(np.zeros(0), np.zeros(0, dtype=bool), 0.2)
        report = FieldReport("priority", 0, 4, WITHOUT_HISTORY.scale, WITHOUT_HISTORY.strength, risk)
    return FittedField(head_of(), report, held_out)


def unsure(targets: list[int]) -> HeldOut:
    """A head that has no opinion at all on these rows."""
    rows = np.arange(len(targets), dtype=np.int64)
    logits = np.zeros((len(targets), 4), dtype=np.float32)
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
