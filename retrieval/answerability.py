"""The calibrated chance that what was found answers the question.

A logistic regression over six signals: how near the best passage is, how far the best article is ahead of the others,
how much wording it shares, whether meaning and words agree. What it weighs is learnt
(`retrieval.fit_answerability`) so that the chance holds where half of the questions have an answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from math import exp, log1p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact_files import read_json
from retrieval.documents import Hit
from retrieval.errors import DamagedIndexError
from retrieval.fusion import DEFAULT, Candidates
from retrieval.lexical_index import tokenize

Floats = NDArray[np.float64]
#: How telling a word is, above 0.
Weigh = Callable[[str], float]

#: Passages that a chance is told from.
DEPTH = 30
#: The article that the best one's lead is measured to.
RIVAL = 5
#: So that a certain question is not said to be so: no chance is nearer to 0 or 1 than about 1e-13.
MAX_LOGIT = 30.0
BUNDLED = Path(__file__).with_name("answerability.json")


@dataclass(frozen=True)
class Weights:
    """Logits per unit of each signal; `constant` at zero of all.

    nearness: best cosine; lead: fused score of the best article over that of the fifth; shared: log of 1 + the best
    BM25; coverage: share of the question's words that the best article holds, rare ones counting more; agreement: 1
    where the article that is nearest in meaning is also first by words; length: log of 1 + the question's words.
    """

    constant: float
    nearness: float
    lead: float
    shared: float
    coverage: float
    agreement: float
    length: float


@dataclass(frozen=True)
class Answerability:
    """Tells the chance that hits answer a question. Immutable, safe from many threads."""

    weights: Weights

    def chance(self, query: str, hits: Sequence[Hit], weigh: Weigh) -> float:
        """Return the chance in [0, 1] for what `PassageSearch.find` gave for a query, at least `DEPTH` passages of it.

        Give it the passages that the answer may be written from, and no others, and `LexicalIndex.weight_of` of the
        index that they come from. No passage at all has no chance.
        """
        found = signals(query, hits, weigh)
        if found is None:
            return 0.0
        logit = float(np.array(list(asdict(self.weights).values())) @ np.concatenate([[1.0], found]))
        return 1 / (1 + exp(-min(max(logit, -MAX_LOGIT), MAX_LOGIT)))

    def as_card(self) -> dict[str, float]:
        """Return what `from_card` reads, as JSON."""
        return asdict(self.weights)

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> "Answerability":
        """Read what `as_card` gave. Raises `DamagedIndexError`."""
        try:
            return cls(Weights(**{name: float(value) for name, value in card.items()}))
        except (TypeError, ValueError, AttributeError) as error:
            raise DamagedIndexError("the answerability card cannot be read; build the desk again") from error


@cache
def bundled_weights() -> Weights:
    """Return the weights that come with Firstline, learnt on the desk in ``desks/demo``."""
    return Weights(**read_json(BUNDLED)["weights"])


def signals(query: str, hits: Sequence[Hit], weigh: Weigh) -> Floats | None:
    """Return the signals in the order of `Weights`, without the constant; None where there is nothing to tell from."""
    asked = dict.fromkeys(tokenize(query))
    if not hits or not asked:
        return None
    hits = hits[:DEPTH]
    dense = np.array([hit.dense for hit in hits], dtype=np.float32)
    lexical = np.array([hit.lexical for hit in hits], dtype=np.float32)
    # Always the same yardstick, so that a desk's own fusion does not move the chances.
    scores = DEFAULT.scores(Candidates(np.arange(len(hits)), dense, lexical, len(asked)))
    by_article: dict[str, float] = {}
    for hit, score in zip(hits, scores.tolist(), strict=True):
        by_article[hit.document.id] = max(by_article.get(hit.document.id, score), score)
    ranked = sorted(by_article.values(), reverse=True)
    best = max(by_article, key=lambda article: by_article[article])
    held = {term for hit in hits if hit.document.id == best for term in hit.terms}
    weights = {word: weigh(word) for word in asked}
    agree = hits[int(dense.argmax())].document.id == hits[int(lexical.argmax())].document.id
    return np.array(
        [
            dense.max(),
            ranked[0] - ranked[:RIVAL][-1],
            log1p(float(lexical.max())),
            sum(weight for word, weight in weights.items() if word in held) / sum(weights.values()),
            float(agree),
            log1p(len(asked)),
        ],
        dtype=np.float64,
    )
