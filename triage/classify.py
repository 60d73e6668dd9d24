"""From one text and its vector to a calibrated prediction per field."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as data_field

import numpy as np

from models.linear_head import FloatMatrix, LinearHead, softmax
from models.protocols import FloatArray
from models.text_features import NgramRow, NgramWeights
from triage.factors import TextWords, similar_tickets, telling_words
from triage.language import UNKNOWN, is_closed
from triage.learnt_wording import LearntWording, ReadsLike
from triage.novelty import Judgement, Novelty
from triage.priority_fusion import fuse
from triage.priority_opinion import Opinion
from triage.suggestions import Alternative, Factor, Prediction

PRIORITY = "priority"
#: Labels that a prediction names, the best guess among them.
MAX_NAMED = 5
#: Confidences are shown and stored to this many digits, so that a replay compares equal.
DIGITS = 4


@dataclass(frozen=True)
class FieldHead:
    """A field's head and the confidence from which on it decides; None where no threshold keeps the stated error.

    matrix_weight: what the desk's priority matrix weighs beside the head; 0 where it has no say. languages: those in
    which the field may decide; None where that was not measured, since it decides nothing. label_thresholds: of
    labels with a stated error of their own.
    """

    head: LinearHead
    ngrams: NgramWeights
    threshold: float | None
    matrix_weight: float = 0.0
    languages: tuple[str, ...] | None = None
    label_thresholds: Mapping[str, float | None] = data_field(default_factory=dict)

    def decides(self, label: str, confidence: float) -> bool:
        """Tell whether a best guess of such confidence is a decision."""
        threshold = self.label_thresholds.get(label, self.threshold)
        return threshold is not None and confidence >= threshold

    def logits(self, row: NgramRow, vector: FloatArray) -> FloatMatrix:
        """Return raw scores of shape (1, labels) for one text's n-gram features and vector."""
        return self.head.logits_of_one(vector, row)

    def predict(self, logits: FloatMatrix, opinion: Opinion | None = None) -> Prediction:
        """Return the calibrated prediction of logits of shape (1, labels), with what the matrix says of them."""
        heard = opinion is not None and self.matrix_weight > 0
        if opinion is not None and heard:
            logits = fuse(logits, opinion.agreement, self.matrix_weight)
        chances = softmax(logits / self.head.temperature)[0]
        order = np.argsort(-chances, kind="stable")
        ranked = [
            Alternative(value=self.head.labels[row], confidence=round(float(chances[row]), DIGITS))
            for row in order[:MAX_NAMED]
        ]
        decided = self.decides(ranked[0].value, float(chances[order[0]]))
        return Prediction(
            value=ranked[0].value if decided else None,
            confidence=ranked[0].confidence,
            decided=decided,
            alternatives=tuple(ranked[1:] if decided else ranked),
            factors=opinion.factors if opinion is not None and heard else (),
        )


@dataclass(frozen=True)
class Classification:
    """A prediction per field, whether the ticket is one of ours, and what reason for a person to take over it reads
    like; None where that cannot be told."""

    fields: Mapping[str, Prediction]
    novelty: Judgement | None = None
    reads_like: ReadsLike | None = None


@dataclass(frozen=True)
class TicketClassifier:
    """One head per field over the same vector. Immutable; safe from many threads."""

    heads: Mapping[str, FieldHead]
    novelty: Novelty | None = None
    wording: LearntWording | None = None

    def classify(
        self,
        text: str,
        vector: FloatArray,
        decided: Mapping[str, tuple[str, str, str]] | None = None,
        priority: Opinion | None = None,
        language: str = UNKNOWN,
    ) -> Classification:
        """Return what a text and its unit vector of shape (dimension,) say.

        decided: (label, rule, evidence) of the fields that a routing rule has settled; priority: what the desk's
        matrix says; language: of the text. Of a ticket that is none of
        ours nothing else is decided; where a rule settled the field that scope is judged by, it is one of ours.
        """
        settled = decided or {}
        text_words = TextWords.of(text)
        fields: dict[str, Prediction] = {}
        judgement = None
        for field, field_head in self.heads.items():
            if field in settled:
                fields[field] = by_rule(*settled[field])
                continue
            row = field_head.ngrams.row(text_words.ngrams)
            logits = field_head.logits(row, vector)
            found = field_head.predict(logits, priority if field == PRIORITY else None)
            told = telling_words(text_words, field_head.ngrams, row, field_head.head, leading(found))
            if self.novelty and field == self.novelty.field:
                judgement = self.novelty.judge(vector, logits)
                told += similar_tickets(judgement.alike, found.best)
            fields[field] = with_factors(found, told)
            if is_closed(field_head.languages, language):
                evidence = f"too few past tickets in {language!r} to know how often it would be wrong"
                because = Factor(name="language", effect="undecided", evidence=evidence)
                fields[field] = left_open(fields[field], because)
        if judgement and judgement.out_of_scope:
            because = Factor(name="out_of_scope", effect="undecided", evidence=judgement.evidence)
            fields = {name: found if name in settled else left_open(found, because) for name, found in fields.items()}
        return Classification(fields, judgement, self.wording.read(text_words, vector) if self.wording else None)


def leading(prediction: Prediction) -> tuple[str, ...]:
    """Return the best guess and the runner-up; one label where a field has no more."""
    others = tuple(other.value for other in prediction.alternatives[:2])
    return others if prediction.value is None else (prediction.value, *others[:1])


def with_factors(prediction: Prediction, factors: tuple[Factor, ...]) -> Prediction:
    """Return a prediction with further factors."""
    return prediction.model_copy(update={"factors": (*prediction.factors, *factors)}) if factors else prediction


def left_open(prediction: Prediction, because: Factor) -> Prediction:
    """Return a prediction without its decision: the value leads the alternatives."""
    prediction = with_factors(prediction, (because,))
    if prediction.value is None:
        return prediction
    best = Alternative(value=prediction.value, confidence=prediction.confidence)
    named = (best, *prediction.alternatives)
    return prediction.model_copy(update={"value": None, "decided": False, "alternatives": named})


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
        alternatives=tuple(Alternative(value=label, confidence=share) for label in list(labels)[:MAX_NAMED]),
    )
