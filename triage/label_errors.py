"""Labels that may be wrong less often, or more often, than the rest of their field: a threshold of their own."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from triage.fit import FittedField
from triage.risk import find_threshold


def with_label_errors(fitted: FittedField, stated: Mapping[str, float], max_error: float) -> FittedField:
    """Return a field whose labels in `stated` are decided by an error of their own.

    Each such label's threshold comes from the held-out rows for which it was the best guess, the threshold of all
    others from the rest. A label that is guessed too rarely to keep its error is never decided.
    """
    held_out = fitted.held_out
    if not stated or not len(held_out.rows):
        return fitted
    chances = held_out.chances()
    confidence, guessed = chances.max(axis=1), chances.argmax(axis=1)
    correct = guessed == held_out.targets
    risks = {}
    rest = np.ones(len(guessed), dtype=bool)
    for label, error in stated.items():
        rows = guessed == held_out.labels.index(label)
        rest &= ~rows
        risks[label] = find_threshold(confidence[rows], correct[rows], error)
    risk = find_threshold(confidence[rest], correct[rest], max_error)
    thresholds = {label: found.threshold for label, found in risks.items()}
    return replace(
        fitted,
        head=replace(fitted.head, threshold=risk.threshold, label_thresholds=thresholds),
        report=replace(fitted.report, risk=risk, label_risks=risks),
    )
