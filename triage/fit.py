"""Fits, calibrates and judges one field's head on rows that it has not seen."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.calibration import expected_calibration_error, fit_temperature
from models.linear_head import MAX_ROTATED, FloatMatrix, fit_head, softmax
from models.protocols import FloatArray
from models.text_features import NgramWeights, join_features
from triage.classify import FieldHead
from triage.risk import RiskThreshold, find_threshold, proportion_interval

FOLDS = 5
#: Inverse L2 penalties that cross-validation chooses from.
STRENGTHS = (3.0, 10.0, 30.0, 100.0)
SEED = 20


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
class FieldReport:
    """How well a field's head did on held-out folds; None where there was no history to hold out."""

    field: str
    n: int
    labels: int
    strength: float
    temperature: float
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    ece: float | None
    risk: RiskThreshold

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def fit_field(
    field: str,
    labels: Sequence[str],
    history: LabelledTexts,
    descriptions: LabelledTexts,
    max_error: float,
    seed: int = SEED,
) -> tuple[FieldHead, FieldReport]:
    """Fit a head on history and label descriptions; calibrate it and find its threshold on held-out history.

    The penalty with the lowest held-out log loss is taken; temperature and threshold come from the logits of five
    folds, each from a head that did not see the fold. Without history the head knows the descriptions alone and
    decides nothing. All three choices share the folds, which flatters them a little: the report is no test.
    """
    rows = history + descriptions
    weights = NgramWeights.fit(rows.counts)
    n = len(history.labels)
    if n < FOLDS:
        head = fit_head(rows.features(weights), rows.labels, labels, STRENGTHS[0])
        risk = find_threshold(np.zeros(0), np.zeros(0, dtype=bool), max_error)
        report = FieldReport(field, n, len(labels), STRENGTHS[0], 1.0, None, None, None, None, risk)
        return FieldHead(head, weights, None), report
    targets = np.array([list(labels).index(label) for label in history.labels])
    held_out = held_out_logits(labels, history, descriptions, targets, seed)
    strength = min(held_out, key=lambda candidate: _calibrated_loss(held_out[candidate], targets))
    temperature = fit_temperature(held_out[strength], targets)
    chances = softmax(held_out[strength] / temperature)
    confidence, correct = chances.max(axis=1), chances.argmax(axis=1) == targets
    risk = find_threshold(confidence, correct, max_error)
    low, high = proportion_interval(int(correct.sum()), n)
    head = replace(fit_head(rows.features(weights), rows.labels, labels, strength), temperature=temperature)
    ece = expected_calibration_error(confidence, correct)
    report = FieldReport(field, n, len(labels), strength, temperature, float(correct.mean()), low, high, ece, risk)
    return FieldHead(head, weights, risk.threshold), report


def held_out_logits(
    labels: Sequence[str],
    history: LabelledTexts,
    descriptions: LabelledTexts,
    targets: NDArray[np.int64],
    seed: int = SEED,
) -> dict[float, FloatMatrix]:
    """Return by strength the logits of every history row, shape (rows, labels), from heads that did not see it.

    Past `MAX_ROTATED` rows, where fitting takes long, the first fold alone picks the strength, only that one is
    returned, and folds are fitted side by side: the SVM runs on one core and without the interpreter's lock.
    """
    folds = stratified_folds(targets, seed)
    many = len(history.labels) + len(descriptions.labels) > MAX_ROTATED

    def fit_fold(fold: int, strengths: Sequence[float]) -> list[FloatMatrix]:
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        train = history.take(inside) + descriptions
        weights = NgramWeights.fit(train.counts)
        seen, unseen = train.features(weights), history.take(outside).features(weights)
        return [fit_head(seen, train.labels, labels, strength, many).logits(unseen) for strength in strengths]

    strengths: Sequence[float] = STRENGTHS
    if not many:
        by_fold = [fit_fold(fold, strengths) for fold in range(FOLDS)]
    else:
        with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as threads:
            first = targets[folds == 0]
            trials = threads.map(lambda strength: fit_fold(0, [strength])[0], STRENGTHS)
            losses = [_calibrated_loss(trial, first) for trial in trials]
            strengths = [STRENGTHS[int(np.argmin(losses))]]
            by_fold = list(threads.map(lambda fold: fit_fold(fold, strengths), range(FOLDS)))
    logits = {strength: np.zeros((len(targets), len(labels))) for strength in strengths}
    for fold, found in enumerate(by_fold):
        for strength, part in zip(strengths, found, strict=True):
            logits[strength][folds == fold] = part
    return logits


def stratified_folds(targets: NDArray[np.int64], seed: int = SEED) -> NDArray[np.int64]:
    """Return a fold number per row, classes spread evenly; a class may have fewer rows than folds."""
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    folds = np.zeros(len(targets), dtype=np.int64)
    folds[by_class] = np.arange(len(targets)) % FOLDS
    return folds


def _calibrated_loss(logits: FloatMatrix, targets: NDArray[np.int64]) -> float:
    chances = softmax(logits / fit_temperature(logits, targets))
    return float(-np.log(np.maximum(chances[np.arange(len(targets)), targets], 1e-12)).mean())
