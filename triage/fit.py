"""Fits, calibrates and judges one field's head on rows that it has not seen."""

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from dataclasses import field as data_field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.calibration import expected_calibration_error, fit_temperature
from models.linear_head import MAX_GRAM, CentredRows, FloatMatrix, HeadFit, LinearHead, softmax
from models.protocols import FloatArray
from models.text_features import NgramWeights, join_features
from triage.classify import FieldHead
from triage.held_out import HeldOut, nothing_held_out
from triage.risk import RiskThreshold, find_threshold, proportion_interval

FOLDS = 5
#: Weights of each half of the n-grams beside an embedding of norm 1: cross-validation chooses, beginning in the middle.
SCALES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
FIRST_SCALE = SCALES.index(0.75)
#: Inverse L2 penalties that it chooses from. A penalty stronger than the first would gain nothing even on the noisiest
#: labels measured, and would never let a label be guessed that has only its description.
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
#: With less history than this the choice would be chance: scale and strength are then those without history.
FEW_ROWS = 30
#: As many folds as hold this many rows choose scale and strength; more tell hardly more and take longer.
ENOUGH_ROWS = 1_000
#: Held-out losses and temperatures are the same to three digits with fits that take half as many steps as the kept one.
ROUGH = 1e-4
SEED = 20


@dataclass(frozen=True)
class FoldPlan:
    """How the history is split for judging.

    seed: shuffles the folds; judging: the rows that may judge, None for all. The others are only learnt from: an
    encoder that was tuned on a row knows its label.
    """

    seed: int = SEED
    judging: frozenset[int] | None = None

    def among(self, rows: Sequence[int]) -> "FoldPlan":
        """Return the plan for some of the rows, numbered anew."""
        if self.judging is None:
            return self
        return FoldPlan(self.seed, frozenset(place for place, row in enumerate(rows) if row in self.judging))

    def folds(self, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a fold number per row, -1 for a row that does not judge."""
        if self.judging is None:
            return stratified_folds(targets, self.seed)
        rows = np.array(sorted(self.judging), dtype=np.int64)
        folds = np.full(len(targets), -1, dtype=np.int64)
        folds[rows] = stratified_folds(targets[rows], self.seed)
        return folds


ALL_JUDGE = FoldPlan()


@dataclass(frozen=True)
class LabelledTexts:
    """Rows to learn from: vectors of shape (rows, dimension), n-gram counts of as many rows, and a label for each."""

    vectors: FloatArray
    counts: sparse.csr_matrix
    labels: tuple[str, ...]

    def take(self, rows: NDArray[np.int64]) -> "LabelledTexts":
        """Return some of the rows."""
        return LabelledTexts(self.vectors[rows], self.counts[rows], tuple(self.labels[row] for row in rows))

    def features(self, weights: NgramWeights) -> sparse.csr_matrix:
        """Return what a head sees of the rows."""
        return join_features(self.vectors, weights.transform(self.counts))

    def __add__(self, other: "LabelledTexts") -> "LabelledTexts":
        counts = sparse.vstack([self.counts, other.counts], format="csr")
        return LabelledTexts(np.vstack([self.vectors, other.vectors]), counts, self.labels + other.labels)


@dataclass(frozen=True)
class Penalty:
    """How a head is held back: the weight of the n-grams beside the embedding, and the inverse L2 penalty of both."""

    scale: float
    strength: float


#: Where there is too little to choose by: few short texts want light n-grams.
WITHOUT_HISTORY = Penalty(scale=0.5, strength=10.0)


@dataclass(frozen=True)
class FieldReport:
    """How well a field's head did on held-out folds; None where there was no history to hold out.

    matrix_weight: what the priority matrix weighs beside the head, None for other fields; languages: those in which it
    decides; label_risks: of labels with a stated error of their own, `risk` being that of the others.
    """

    field: str
    n: int
    labels: int
    scale: float
    strength: float
    risk: RiskThreshold
    temperature: float = 1.0
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    ece: float | None = None
    matrix_weight: float | None = None
    languages: tuple[str, ...] | None = None
    label_risks: Mapping[str, RiskThreshold] = data_field(default_factory=dict)

    @property
    def penalty(self) -> Penalty:
        """Scale and strength of the head."""
        return Penalty(self.scale, self.strength)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class FittedField:
    """A field's head, how well it did, and what it said of the rows that it had not seen."""

    head: FieldHead
    report: FieldReport
    held_out: HeldOut


class Fold:
    """Rows that a head is fitted on, and rows of the history that it must not see."""

    def __init__(self, labels: Sequence[str], seen: LabelledTexts, unseen: LabelledTexts) -> None:
        weights = NgramWeights.fit(seen.counts)
        self._labels, self._targets = labels, seen.labels
        self._rows = CentredRows(seen.vectors, weights.transform(seen.counts))
        self._unseen = unseen.features(weights)

    def begin(self, scale: float) -> HeadFit:
        """Return fits at one scale of the n-grams."""
        return HeadFit(self._rows, self._targets, self._labels, scale)

    def logits(self, head: LinearHead) -> FloatMatrix:
        """Return the logits of the unseen rows, shape (rows, labels)."""
        return head.logits(self._unseen)


def fit_field(
    field: str,
    labels: Sequence[str],
    history: LabelledTexts,
    descriptions: LabelledTexts,
    max_error: float,
    plan: FoldPlan = ALL_JUDGE,
) -> FittedField:
    """Fit a head on history and label descriptions; calibrate it and find its threshold on held-out history.

    Scale and strength with the lowest held-out log loss are taken; temperature and threshold come from the logits of
    five folds, each from a head that did not see the fold. Without history the head knows the descriptions alone and
    decides nothing. All choices share the folds, which flatters them a little: the report is no test.
    """
    targets = np.array([list(labels).index(label) for label in history.labels], dtype=np.int64)
    folds = plan.folds(targets)
    n = int((folds >= 0).sum())
    if n < FOLDS:
        head, weights = _fit_all(labels, history + descriptions, WITHOUT_HISTORY)
        risk = find_threshold(np.zeros(0), np.zeros(0, dtype=bool), max_error)
        penalty = WITHOUT_HISTORY
        report = FieldReport(field, n, len(labels), penalty.scale, penalty.strength, risk)
        return FittedField(FieldHead(head, weights, None), report, nothing_held_out(labels))
    penalty, logits = held_out_logits(labels, history, descriptions, targets, folds)
    rows = np.flatnonzero(folds >= 0)
    targets = targets[rows]
    temperature = fit_temperature(logits, targets)
    head, weights = _fit_all(labels, history + descriptions, penalty)
    held_out = HeldOut(tuple(labels), rows, targets, logits.astype(np.float32), temperature)
    report, threshold = judge(field, penalty, held_out, max_error)
    return FittedField(FieldHead(replace(head, temperature=temperature), weights, threshold), report, held_out)


def judge(field: str, penalty: Penalty, held_out: HeldOut, max_error: float) -> tuple[FieldReport, float | None]:
    """Return what held-out rows say of a field, and the threshold from which on it decides."""
    chances = held_out.chances()
    confidence, correct = chances.max(axis=1), chances.argmax(axis=1) == held_out.targets
    risk = find_threshold(confidence, correct, max_error)
    low, high = proportion_interval(int(correct.sum()), len(correct))
    report = FieldReport(
        field,
        len(correct),
        len(held_out.labels),
        penalty.scale,
        penalty.strength,
        risk,
        temperature=held_out.temperature,
        accuracy=float(correct.mean()),
        accuracy_low=low,
        accuracy_high=high,
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

    def fold(number: int) -> Fold:
        inside, outside = np.flatnonzero(folds != number), np.flatnonzero(folds == number)
        return Fold(labels, history.take(inside) + descriptions, history.take(outside))

    judging = np.flatnonzero(folds >= 0)
    choosing = 0 if len(judging) < FEW_ROWS else folds_that_hold(len(judging))
    workers = 1 if len(targets) <= MAX_GRAM else len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as threads:
        ready = [fold(number) for number in range(choosing)]
        told = np.concatenate([targets[folds == number] for number in range(choosing)]) if choosing else targets[:0]
        penalty = choose_penalty(ready, told, threads) if ready else WITHOUT_HISTORY

        def judge(number: int) -> FloatMatrix:
            part = ready[number] if number < choosing else fold(number)
            return part.logits(part.begin(penalty.scale).at(penalty.strength, ROUGH))

        logits = np.zeros((len(targets), len(labels)))
        for number, found in enumerate(threads.map(judge, range(FOLDS))):
            logits[folds == number] = found
    return penalty, logits[judging]


def folds_that_hold(judging: int) -> int:
    """Return how many of the folds of so many judging rows hold `ENOUGH_ROWS` of them."""
    return min(FOLDS, math.ceil(ENOUGH_ROWS * FOLDS / judging))


def choose_penalty(folds: Sequence[Fold], targets: NDArray[np.int64], threads: ThreadPoolExecutor) -> Penalty:
    """Return the penalty whose heads have the lowest log loss on the folds' unseen rows, once calibrated.

    targets: label positions of the unseen rows, fold after fold. Neighbours of the best scale are tried until none
    is better; at each scale strengths from strong to weak, until one is no better than the last.
    """

    def best_at(place: int) -> tuple[float, float]:
        fits = [fold.begin(SCALES[place]) for fold in folds]
        best = np.inf, STRENGTHS[0]
        for strength in STRENGTHS:
            parts = [fold.logits(fit.at(strength, ROUGH)) for fold, fit in zip(folds, fits, strict=True)]
            loss = _calibrated_loss(np.vstack(parts), targets)
            if loss >= best[0]:
                break
            best = loss, strength
        return best

    tried: dict[int, tuple[float, float]] = {}
    best = FIRST_SCALE
    while True:
        near = [place for place in (best, best - 1, best + 1) if 0 <= place < len(SCALES) and place not in tried]
        tried |= zip(near, threads.map(best_at, near), strict=True)
        ahead = min(tried, key=lambda place: tried[place][0])
        if ahead == best:
            return Penalty(SCALES[best], tried[best][1])
        best = ahead


def stratified_folds(targets: NDArray[np.int64], seed: int = SEED) -> NDArray[np.int64]:
    """Return a fold number per row, classes spread evenly; a class may have fewer rows than folds."""
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    folds = np.zeros(len(targets), dtype=np.int64)
    folds[by_class] = np.arange(len(targets)) % FOLDS
    return folds


def _fit_all(labels: Sequence[str], rows: LabelledTexts, penalty: Penalty) -> tuple[LinearHead, NgramWeights]:
    weights = NgramWeights.fit(rows.counts)
    centred = CentredRows(rows.vectors, weights.transform(rows.counts))
    return HeadFit(centred, rows.labels, labels, penalty.scale).at(penalty.strength), weights


def _calibrated_loss(logits: FloatMatrix, targets: NDArray[np.int64]) -> float:
    chances = softmax(logits / fit_temperature(logits, targets))
    return float(-np.log(np.maximum(chances[np.arange(len(targets)), targets], 1e-12)).mean())
