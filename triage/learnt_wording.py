"""What a message reads like as a whole: a reason for a person to take over, told in words that no list foresaw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.linear_head import LinearHead, softmax
from models.protocols import FloatArray
from models.text_features import NgramWeights
from triage.factors import TextWords, telling_words

#: The label of messages that need nobody.
NOTHING = "nothing"
#: Beside the likeliest reason, those are named that have so much of the chance of any.
ALSO = 0.25
#: Chances are kept to this many digits, so that a replay compares equal.
DIGITS = 4


@dataclass(frozen=True)
class ReadsLike:
    """What a message reads like. chance: in [0, 1], that a person must take over; needed: the chance from which on one
    does; reasons: what for, the likeliest first; words: of the message, that told most."""

    chance: float
    needed: float
    reasons: tuple[str, ...]
    words: str = ""

    def among(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return those of the reasons that are wanted, where the chance suffices."""
        if self.chance < self.needed:
            return ()
        return tuple(reason for reason in self.reasons if reason in wanted)

    @property
    def evidence(self) -> str:
        """Say it in words."""
        told = f", above all “{self.words}”" if self.words else ""
        return f"the message as a whole reads like it ({self.chance:.0%}){told}"


@dataclass(frozen=True)
class LearntWording:
    """A head over a message's vector and n-grams: reasons and `NOTHING`. Immutable; safe from many threads."""

    head: LinearHead
    ngrams: NgramWeights
    threshold: float

    def read(self, words: TextWords, vector: FloatArray) -> ReadsLike:
        """Read one message by its words and its unit vector, shape (dimension,)."""
        row = self.ngrams.row(words.ngrams)
        chances = softmax(self.head.logits_of_one(vector, row) / self.head.temperature)[0]
        nothing = self.head.labels.index(NOTHING)
        chance = round(1 - float(chances[nothing]), DIGITS)
        if chance < self.threshold:
            return ReadsLike(chance, self.threshold, ())
        chances[nothing] = 0
        order = np.argsort(-chances, kind="stable")
        least = min(ALSO * chances.sum(), chances.max())
        reasons = tuple(self.head.labels[place] for place in order if chances[place] >= least)
        told = telling_words(words, self.ngrams, row, self.head, (reasons[0], NOTHING))
        return ReadsLike(chance, self.threshold, reasons, told[0].evidence if told else "")
