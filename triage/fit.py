"""Fits, calibrates and judges one field's head on rows that it has not seen."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from dataclasses import field as data_field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import expected_calibration_error, fit_temperature
from models.linear_head import MAX_GRAM, FloatMatrix
from triage.classify import FieldHead
from triage.folds import ALL_JUDGE, FOLDS, FoldPlan, folds_that_hold, rows_to_choose_by
from triage.held_out import HeldOut, nothing_held_out
from triage.penalties import (
    FEW_ROWS,
    WITHOUT_HISTORY,
    Fold,
    LabelledTexts,
    Penalty,
    choose_balance,
    choose_penalty,
    fit_head,
)
from triage.risk import RiskThreshold, find_threshold, proportion_interval

#: Heads that know descriptions alone are too modest: on public training rows .26 and .33 suit them best. Descriptions
#: hardly tell how pressing a ticket is, and there nothing is sharpened.
COLD_TEMPERATURE = 0.3
PRIORITY = "priority"
#: Past this many held-out rows more folds tell no more of error and calibration; each is a fit on four fifths.
ENOUGH_JUDGED = 20_000
#: The same of fields with very many labels, which take long to fit: held-out rows times labels.
ENOUGH_LOGITS = 4_000_000
#: The guesses of which one may be right, where a field has more labels than anybody reads.
TOPS = (3, 5)


@dataclass(frozen=True)
class FieldReport:
    """How well a field's head did on held-out folds; None where there was no history to hold out.

    n: rows that judged; penalty: what cross-validation chose; top3, top5: how often the right label is among the best
    so many guesses; matrix_weight: what the priority matrix weighs beside the head, None for other fields; languages:
    those in which it decides; label_risks: of labels with a stated error of their own, `risk` being that of the others.
    """

    field: str
    n: int
    labels: int
    penalty: Penalty
    risk: RiskThreshold
    temperature: float = 1.0
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    macro_f1: float | None = None
    top3: float | None = None
    top5: float | None = None
    ece: float | None = None
    matrix_weight: float | None = None
    languages: tuple[str, ...] | None = None
    label_risks: Mapping[str, RiskThreshold] = data_field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class FittedField:
    """A field's head, how well it did, and what it said of the rows that it had not seen."""

    head: FieldHead
    report: FieldReport
    held_out: HeldOut


def fit_field(
    field: str,
    labels: Sequence[str],
    history: LabelledTexts,
    descriptions: LabelledTexts,
    max_error: float,
    plan: FoldPlan = ALL_JUDGE,
) -> FittedField:
    """Fit a head on history and label descriptions; calibrate it and find its threshold on held-out history.

    Held-out log loss chooses the penalty; temperature and threshold come from the logits of up to
    five folds, each from a head that did not see the fold. Without history the head knows the descriptions alone and
    decides nothing. All choices share the folds, which flatters them a little: the report is no test.
    """
    targets = np.array([list(labels).index(label) for label in history.labels], dtype=np.int64)
    folds = plan.folds(targets)
    enough = min(ENOUGH_JUDGED, ENOUGH_LOGITS // len(labels))
    folds[folds >= folds_that_hold(int((folds >= 0).sum()), enough)] = -1
    n = int((folds >= 0).sum())
    if n < FOLDS:
        head, weights = fit_head(labels, history + descriptions, WITHOUT_HISTORY)
        risk = find_threshold(np.zeros(0), np.zeros(0, dtype=bool), max_error)
        temperature = 1.0 if field == PRIORITY else COLD_TEMPERATURE
        report = FieldReport(field, n, len(labels), WITHOUT_HISTORY, risk, temperature)
        head = replace(head, temperature=temperature)
        return FittedField(FieldHead(head, weights, None), report, nothing_held_out(labels))
    penalty, logits = held_out_logits(labels, history, descriptions, targets, folds)
    rows = np.flatnonzero(folds >= 0)
    targets = targets[rows]
    temperature = fit_temperature(logits, targets)
    head, weights = fit_head(labels, history + descriptions, penalty)
    held_out = HeldOut(tuple(labels), rows, targets, logits.astype(np.float32), temperature)
    report, threshold = judge(field, penalty, held_out, max_error)
    return FittedField(FieldHead(replace(head, temperature=temperature), weights, threshold), report, held_out)


def judge(field: str, penalty: Penalty, held_out: HeldOut, max_error: float) -> tuple[FieldReport, float | None]:
    """Return what held-out rows say of a field, and the threshold from which on it decides."""
    from sklearn.metrics import f1_score

    chances = held_out.chances()
    confidence, guessed = chances.max(axis=1), chances.argmax(axis=1)
    correct = guessed == held_out.targets
    ahead = (chances > chances[np.arange(len(correct)), held_out.targets][:, np.newaxis]).sum(axis=1)
    top3, top5 = (float((ahead < top).mean()) for top in TOPS)
    risk = find_threshold(confidence, correct, max_error)
    low, high = proportion_interval(int(correct.sum()), len(correct))
    report = FieldReport(
        field,
        len(correct),
        len(held_out.labels),
        penalty,
        risk,
        temperature=held_out.temperature,
        accuracy=float(correct.mean()),
        accuracy_low=low,
        accuracy_high=high,
        macro_f1=float(f1_score(held_out.targets, guessed, average="macro", zero_division=0)),
        top3=top3,
        top5=top5,
        ece=expected_calibration_error(confidence, correct),
    )
    return report, risk.threshold


def held_out_logits(
    labels: Sequence[str],
    history: LabelledTexts,
    descriptions: LabelledTexts,
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
) -> tuple[Penalty, FloatMatrix]:
    """Choose a penalty, and return it with the logits of every row that has a fold, from a head that did not see it.

    targets: label positions of the history, shape (rows,); folds: the fold of each row, -1 for rows that are only
    learnt from. The logits have shape (rows that have a fold, labels). Past `MAX_GRAM` rows
    fits run side by side: products do not hold the interpreter's lock.
    """
    judging = np.flatnonzero(folds >= 0)
    logits = np.zeros((len(judging), len(labels)))
    workers = 1 if len(targets) <= MAX_GRAM else len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as threads:
        penalty = WITHOUT_HISTORY
        if len(judging) >= FEW_ROWS:
            rows = rows_to_choose_by(targets)
            penalty = _chosen(labels, (history.take(rows), descriptions), targets[rows], folds[rows], threads)
        parts = threads.map(
            lambda number: _fold(labels, (history, descriptions), folds, number).logits_at(penalty),
            range(int(folds.max()) + 1),
        )
        for number, found in enumerate(parts):
            logits[folds[judging] == number] = found
    return penalty, logits


def _chosen(
    labels: Sequence[str],
    rows: tuple[LabelledTexts, LabelledTexts],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    threads: ThreadPoolExecutor,
) -> Penalty:
    """Return the penalty that as many folds choose as it takes; rows: history and descriptions."""
    numbers = range(folds_that_hold(int((folds >= 0).sum())))
    tried = [_fold(labels, rows, folds, number) for number in numbers]
    told = np.concatenate([targets[folds == number] for number in numbers])
    return choose_balance(tried, told, choose_penalty(tried, told, threads), threads)


def _fold(
    labels: Sequence[str], rows: tuple[LabelledTexts, LabelledTexts], folds: NDArray[np.int64], number: int
) -> Fold:
    history, descriptions = rows
    inside, outside = np.flatnonzero(folds != number), np.flatnonzero(folds == number)
    return Fold(labels, history.take(inside) + descriptions, history.take(outside))
