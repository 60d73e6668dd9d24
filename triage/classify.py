"""From one text and its vector to a calibrated prediction per field."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.linear_head import LinearHead
from models.protocols import FloatArray
from models.text_features import NgramWeights, count_ngrams, join_features
from triage.suggestions import Alternative, Factor, Prediction

MAX_ALTERNATIVES = 4
#: Confidences are shown and stored to this many digits, so that a replay compares equal.
DIGITS = 4


@dataclass(frozen=True)
class FieldHead:
    """A field's head and the confidence from which on it decides; None where no threshold keeps the stated error."""

    head: LinearHead
    ngrams: NgramWeights
    threshold: float | None


@dataclass(frozen=True)
class TicketClassifier:
    """One head per field over the same vector. Immutable; safe from many threads."""

    heads: Mapping[str, FieldHead]

    def classify(
        self, text: str, vector: FloatArray, decided: Mapping[str, tuple[str, str, str]] | None = None
    ) -> dict[str, Prediction]:
        """Return a prediction per field for a text and its unit vector of shape (dimension,).

        decided: (label, rule, evidence) of the fields that a routing rule has settled.
        """
        settled = decided or {}
        counts = count_ngrams([text])
        return {
            field: by_rule(*settled[field]) if field in settled else self._predict(field_head, counts, vector)
            for field, field_head in self.heads.items()
        }

    @staticmethod
    def _predict(field_head: FieldHead, counts: sparse.csr_matrix, vector: FloatArray) -> Prediction:
        features = join_features(vector[np.newaxis, :], field_head.ngrams.transform(counts))
        chances = field_head.head.probabilities(features)[0]
        order = np.argsort(-chances, kind="stable")
        ranked = [
            Alternative(value=field_head.head.labels[row], confidence=round(float(chances[row]), DIGITS))
            for row in order[: MAX_ALTERNATIVES + 1]
        ]
        confidence = float(chances[order[0]])
        decided = field_head.threshold is not None and confidence >= field_head.threshold
        return Prediction(
            value=ranked[0].value if decided else None,
            confidence=ranked[0].confidence,
            decided=decided,
            alternatives=tuple(ranked[1:] if decided else ranked[:MAX_ALTERNATIVES]),
        )


def by_rule(label: str, rule: str, evidence: str) -> Prediction:
    """Return the prediction of a routing rule."""
    factor = Factor(name=rule, effect=f"= {label}", evidence=evidence)
    return Prediction(value=label, confidence=1.0, decided=True, factors=(factor,))


def undecided(labels: Mapping[str, object]) -> Prediction:
    """Return the prediction for a ticket that cannot be read: no guess is better than another."""
    share = round(1 / len(labels), DIGITS)
    return Prediction(
        value=None,
        confidence=share,
        decided=False,
        alternatives=tuple(Alternative(value=label, confidence=share) for label in labels),
    )
