"""Learns the chance of an answer: from questions whose articles are known, each with them and with them hidden."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import expected_calibration_error
from retrieval.answerability import (
    DEPTH,
    MAX_LOGIT,
    Answerability,
    Floats,
    Weights,
    bundled_weights,
    signals,
)
from retrieval.documents import Document
from retrieval.fusion import FOLDS
from retrieval.questions import Question
from retrieval.search import PassageSearch

#: Fewer questions with an answer than this do not teach a desk its own weights.
ENOUGH = 60
#: Inverse penalty on weights of signals in standard deviations.
STRENGTH = 0.3


@dataclass(frozen=True)
class Report:
    """How well held-out questions were told apart, by weights that had not seen them.

    auroc: of the chance; by_nearness: of the best cosine alone; calibration_error: over ten bins of equal mass; n:
    (answered, unanswered). own: whether the desk's own weights were learnt, or the bundled ones stand.
    """

    auroc: float
    by_nearness: float
    calibration_error: float
    n: tuple[int, int]
    own: bool


@dataclass(frozen=True)
class Example:
    """The signals of a question with its articles there, or hidden."""

    signals: Floats
    answered: bool
    group: str


def anything(document: Document) -> bool:
    """Let every document through."""
    return True


def examples_of(
    search: PassageSearch,
    questions: Sequence[Question],
    allowed: Callable[[Document], bool] = anything,
) -> list[Example]:
    """Return each question as it is, and each that has articles once more with them hidden.

    allowed: what an answer may be written from; a question whose articles are none of those has no answer.
    """
    found = []
    for number, question in enumerate(questions):
        group = question.group or str(number)
        there = (search.documents[article] for article in question.articles if article in search.documents)
        own = frozenset(document.id for document in there if allowed(document))

        def hidden(document: Document, own: frozenset[str] = own) -> bool:
            return document.id not in own and allowed(document)

        hits = search.find(question.text, question.vector, DEPTH, allowed)
        told = [(hits, bool(own))]
        if own:
            told.append((search.find(question.text, question.vector, DEPTH, hidden), False))
        for passages, answered in told:
            row = signals(question.text, passages, search.lexical.weight_of)
            if row is not None:
                found.append(Example(row, answered, group))
    return found


def fit_answerability(
    search: PassageSearch, questions: Sequence[Question], allowed: Callable[[Document], bool] = anything
) -> tuple[Answerability, Report | None]:
    """Learn from questions, those without articles having no answer; with too few, the bundled weights stand.

    The weights are scaled on folds that had not seen the question, or any of its group (Platt 2000). The report tells
    of those folds, or of the bundled weights on all questions; None where there are none of one kind.
    """
    examples = examples_of(search, questions, allowed)
    answered = np.array([example.answered for example in examples], dtype=bool)
    if not answered.any() or answered.all():
        return Answerability(bundled_weights()), None
    rows = np.vstack([example.signals for example in examples])
    if answered.sum() < ENOUGH:
        weights = bundled_weights()
        return Answerability(weights), report_of(examples, weights)
    logits = _held_out_logits(rows, answered, [example.group for example in examples])
    slope, shift = _platt(logits, answered)
    fitted = slope * _fit(rows, answered)
    fitted[0] += shift
    own = Weights(*(round(float(weight), 4) for weight in fitted))
    return Answerability(own), _report(rows, answered, slope * logits + shift, own=True)


def report_of(examples: Sequence[Example], weights: Weights) -> Report:
    """Return how well weights that were learnt elsewhere tell examples apart; there must be some of either kind."""
    rows = np.vstack([example.signals for example in examples])
    answered = np.array([example.answered for example in examples], dtype=bool)
    return _report(rows, answered, _logits(weights, rows), own=False)


def _fit(rows: Floats, answered: NDArray[np.bool_]) -> Floats:
    """Return constant and weights of a logistic regression, penalised in standard deviations of the signals."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    fitted = LogisticRegression(C=STRENGTH).fit((rows - mean) / spread, answered)
    weights = fitted.coef_[0] / spread
    return np.concatenate([[float(fitted.intercept_[0]) - float(weights @ mean)], weights])


def _held_out_logits(rows: Floats, answered: NDArray[np.bool_], groups: Sequence[str]) -> Floats:
    numbers = {group: number % FOLDS for number, group in enumerate(dict.fromkeys(groups))}
    folds = np.array([numbers[group] for group in groups])
    logits = np.zeros(len(rows), dtype=np.float64)
    for fold in range(FOLDS):
        held_out = folds == fold
        fitted = _fit(rows[~held_out], answered[~held_out])
        logits[held_out] = fitted[0] + rows[held_out] @ fitted[1:]
    return logits


def _platt(logits: Floats, answered: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the slope and shift that make held-out logits calibrated; a slope that is no sense keeps them."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e3).fit(logits[:, np.newaxis], answered)
    slope = float(fitted.coef_[0, 0])
    return (slope, float(fitted.intercept_[0])) if slope > 0 else (1.0, 0.0)


def _logits(weights: Weights, rows: Floats) -> Floats:
    constant, *others = asdict(weights).values()
    return np.asarray(constant + rows @ np.array(others), dtype=np.float64)


def _report(rows: Floats, answered: NDArray[np.bool_], logits: Floats, own: bool) -> Report:
    from sklearn.metrics import roc_auc_score

    chances = 1 / (1 + np.exp(-np.clip(logits, -MAX_LOGIT, MAX_LOGIT)))
    return Report(
        auroc=float(roc_auc_score(answered, chances)),
        by_nearness=float(roc_auc_score(answered, rows[:, 0])),
        calibration_error=expected_calibration_error(chances, answered, bins=10),
        n=(int(answered.sum()), int((~answered).sum())),
        own=own,
    )
