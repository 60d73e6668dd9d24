"""Learns what tells tickets that are like none of the desk's past ones, without a single example of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.linear_head import FloatMatrix
from retrieval.dense_index import DenseIndex
from triage.folds import FOLDS, FoldPlan, folds_that_hold
from triage.novelty import Novelty, chances_of, signals
from triage.penalties import FEW_ROWS, Fold, LabelledTexts, Penalty

Kind = TypeVar("Kind", bound=np.generic)

#: Past tickets that are kept to measure nearness by; more take memory and time and are hardly nearer.
MAX_KNOWN = 10_000
#: With fewer labels, leaving some out leaves nothing to compare with.
FEW_LABELS = 5
#: A ticket that is more likely known than new is never flagged, however few known ones look like it.
EVEN = 0.5


@dataclass(frozen=True)
class NoveltyReport:
    """How well tickets were told whose label the head had not seen. auroc: their chances against known tickets';
    recognised: the share of them that is flagged while `flagged` of known ones are; n: (known, unseen) tickets."""

    auroc: float
    recognised: float
    flagged: float
    n: tuple[int, int]

    def sentence(self) -> str:
        """Say it in one line."""
        return (
            f"Out of scope: of {self.n[1]} tickets whose label was left out {self.recognised:.0%} are recognised, "
            f"at {self.flagged:.0%} of {self.n[0]} others (AUROC {self.auroc:.2f})"
        )


def fit_novelty(
    field: str,
    labels: Sequence[str],
    rows: tuple[LabelledTexts, LabelledTexts],
    penalty: Penalty,
    flag_at_most: float,
    plan: FoldPlan,
) -> tuple[Novelty, NoveltyReport] | None:
    """Learn what is new by leaving labels out; None where history or labels are too few.

    rows: the history and the label descriptions. In each fold a fifth of the labels is unseen as well, so that the
    rows judged are tickets that nobody has learnt from, some of them of labels that nobody has learnt. The head's
    energy and nearness to past tickets, each in standard deviations of known tickets, are added up: weights learnt on
    labels left out would underrate distance, which is what strange tickets have most of. The chance is a logistic
    regression on the sum, at even odds; at most `flag_at_most` of the known tickets lie above the threshold, and it is
    no lower than one half.
    """
    history, descriptions = rows
    targets = np.array([list(labels).index(label) for label in history.labels], dtype=np.int64)
    folds = plan.folds(targets)
    present = np.unique(targets)
    if (folds >= 0).sum() < FEW_ROWS or len(present) < FEW_LABELS:
        return None
    groups = np.full(len(labels), -1)
    groups[np.random.default_rng(plan.seed).permutation(present)] = np.arange(len(present)) % FOLDS
    described = np.array([list(labels).index(label) for label in descriptions.labels], dtype=np.int64)
    found, unseen = [], []
    for number in range(folds_that_hold(int((folds >= 0).sum()))):
        seen = history.take(np.flatnonzero((folds != number) & (groups[targets] != number)))
        told = descriptions.take(np.flatnonzero(groups[described] != number))
        judged = np.flatnonzero(folds == number)
        fold = Fold(labels, seen + told, history.take(judged))
        logits = fold.logits_at(penalty)
        found.append(signals(DenseIndex.build(_spread(seen.vectors)), history.vectors[judged], logits))
        unseen.append(groups[targets[judged]] == number)
    weighed = _weigh(np.vstack(found), np.concatenate(unseen), flag_at_most)
    if weighed is None:
        return None
    weights, threshold, report = weighed
    known = DenseIndex.build(_spread(history.vectors))
    return Novelty(field, known, weights, threshold, tuple(labels), _spread(targets)), report


def _weigh(
    found: FloatMatrix, unseen: NDArray[np.bool_], flag_at_most: float
) -> tuple[tuple[float, float, float], float, NoveltyReport] | None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    known = found[~unseen]
    mean, spread = known.mean(axis=0), known.std(axis=0) + 1e-9
    doubt = -((found - mean) / spread).sum(axis=1)
    fitted = LogisticRegression(class_weight="balanced").fit(doubt[:, np.newaxis], unseen)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:
        return None
    per_unit = -slope / spread
    weights = (float(fitted.intercept_[0] - per_unit @ mean), float(per_unit[0]), float(per_unit[1]))
    chances = chances_of(found, weights)
    ranked = np.sort(chances[~unseen])[::-1]
    # Strictly above so many: a desk with few tickets flags none rather than too many.
    threshold = max(EVEN, float(np.nextafter(ranked[int(flag_at_most * len(ranked))], 2.0)))
    report = NoveltyReport(
        auroc=float(roc_auc_score(unseen, chances)),
        recognised=float((chances[unseen] >= threshold).mean()),
        flagged=float((ranked >= threshold).mean()),
        n=(len(ranked), int(unseen.sum())),
    )
    return weights, threshold, report


def _spread(rows: NDArray[Kind]) -> NDArray[Kind]:
    """Return at most `MAX_KNOWN` of the rows, spread over all."""
    return np.ascontiguousarray(rows[:: -(-len(rows) // MAX_KNOWN)] if len(rows) else rows)
