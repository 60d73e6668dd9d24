"""How far shared words may lift a passage over its nearness in meaning: two weights, learnt from answered questions.

A passage scores ``cosine + weight(n) * bm25 / (bm25 + HALF)``, where n is the number of the question's distinct words.
A long ticket that shares rare words with a passage is strong evidence; a short question in other words is better served
by its meaning, and there the weight is small.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

from models.protocols import FloatArray, IntArray

Floats = NDArray[np.float64]

#: The BM25 at which shared words count half of what they can.
HALF = 5.0
#: A question of so many distinct words gets the full weight of length.
LONG = 50
#: Fewer questions than this do not teach a desk its own weights.
ENOUGH = 30
FOLDS = 5
#: How far, in logits, weights may lie from the bundled ones before it costs as much as half a question.
FREEDOM = 5.0
#: The best passages that hold a question's identifiers are ranked among the first so many.
TOP = 3
MAX_IDENTIFIERS = 5

WORD = re.compile(r"[^\W_]+(?:[-_.][^\W_]+)*")
#: 30th, 250ml, 9-inch, 4pm: a quantity.
QUANTITY = re.compile(r"\d+[-.]?[^\W\d_]+")
HUMP = re.compile(r"[a-z]{2}[A-Z]")
#: Pure numbers from this length on: an error or order number. Shorter ones are prices, years and counts.
LONG_NUMBER = 5


@dataclass(frozen=True)
class Candidates:
    """The passages among which a question's answer is looked for.

    rows: int64; dense: cosines; lexical: BM25, >= 0; all of shape (candidates,). words: the question's distinct words.
    """

    rows: IntArray
    dense: FloatArray
    lexical: FloatArray
    words: int


@dataclass(frozen=True)
class Judged:
    """Candidates and which of them lie in an article that answers: bool of shape (candidates,)."""

    candidates: Candidates
    relevant: NDArray[np.bool_]


@dataclass(frozen=True)
class Fusion:
    """The weights of shared words, in cosines.

    always: for any question; by_length: for one of `LONG` words, shorter ones by the logarithm of their length; both
    >= 0, so that words can lift a passage and never sink one. sharpness: how many logits a cosine is worth, which only
    learning needs.
    """

    always: float
    by_length: float
    sharpness: float = 20.8

    def weight(self, words: int) -> float:
        """Return what shared words may add at most."""
        return self.always + self.by_length * log1p(words) / log1p(LONG)

    def scores(self, found: Candidates) -> Floats:
        """Return the score of each candidate, float64 of shape (candidates,)."""
        dense, lexical = found.dense.astype(np.float64), found.lexical.astype(np.float64)
        return np.asarray(dense + self.weight(found.words) * lexical / (lexical + HALF))


#: Learnt on 115 past tickets of the desk in ``desks/demo`` whose reply leans on one article; no public data.
DEFAULT = Fusion(always=0.0, by_length=0.506, sharpness=20.8)


def fit_fusion(judged: Sequence[Judged], start: Fusion = DEFAULT) -> Fusion:
    """Return the weights under which right passages are likeliest to be first; `start` where too few are judged.

    Maximises the chance of the relevant candidates in a softmax over scores (a conditional logit), with a normal prior
    around `start`. Deterministic. Questions without a relevant candidate, or with no other, teach nothing.
    """
    telling = [one for one in judged if one.relevant.any() and not one.relevant.all()]
    if len(telling) < ENOUGH:
        return start
    from scipy.optimize import minimize

    features = [_features(one.candidates) for one in telling]
    prior = start.sharpness * np.array([1.0, start.always, start.by_length])

    def loss(weights: Floats) -> tuple[float, Floats]:
        off = (weights - prior) * (0.0, FREEDOM**-2, FREEDOM**-2)
        total, slope = float(off @ (weights - prior)) / 2, off
        for rows, one in zip(features, telling, strict=True):
            chances = np.exp((logits := rows @ weights) - logits.max())
            right = chances * one.relevant
            total += float(np.log(chances.sum() / right.sum()))
            slope = slope + (chances / chances.sum() - right / right.sum()) @ rows
        return total, slope

    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=[(1.0, 200.0), (0.0, None), (0.0, None)])
    sharpness, always, by_length = map(float, found.x)
    return Fusion(round(always / sharpness, 4), round(by_length / sharpness, 4), round(sharpness, 2))


def cross_fit(judged: Sequence[Judged], groups: Sequence[str], start: Fusion = DEFAULT) -> list[Fusion]:
    """Return for each question the weights learnt on the folds that it, and all of its group, is not in.

    groups: one name per question; those of one group share a fold. Folds follow the order in which groups come.
    """
    numbers = {group: number % FOLDS for number, group in enumerate(dict.fromkeys(groups))}
    folds = [numbers[group] for group in groups]
    fitted = {
        fold: fit_fusion([one for one, its in zip(judged, folds, strict=True) if its != fold], start)
        for fold in set(folds)
    }
    return [fitted[fold] for fold in folds]


def identifiers(query: str) -> list[str]:
    """Return the words that name one thing exactly, such as BR-77120, TAX_PERIOD_NOT_ENDED or GetMailbox.

    In lower case, as `retrieval.lexical_index.tokenize` gives them; the first few, each once.
    """
    found = dict.fromkeys(word.lower() for word in WORD.findall(query) if _is_identifier(word))
    return list(found)[:MAX_IDENTIFIERS]


def _is_identifier(word: str) -> bool:
    if word.islower() and word.isalpha():
        return False
    if word.isdigit():
        return len(word) >= LONG_NUMBER
    lettered = any(letter.isalpha() for letter in word)
    numbered = any(letter.isdigit() for letter in word)
    if "_" in word or (lettered and numbered):
        return len(word) > 3 and lettered and not QUANTITY.fullmatch(word)
    return bool(HUMP.search(word))


def lifted(order: list[int], held: Sequence[NDArray[np.bool_]]) -> list[int]:
    """Return an order of candidates in which every identifier has a holder among the first `TOP`, as far as they go.

    order: candidates, best first; held: for each identifier whether each candidate holds it. A holder that is too far
    down takes the lowest place there that no other identifier needs, and what stood there follows the first `TOP`.
    """
    for own in held:
        first, rest = order[:TOP], order[TOP:]
        best = next((one for one in rest if own[one]), None)
        if best is None or any(own[one] for one in first):
            continue
        free = [place for place, one in enumerate(first) if not _is_needed(one, first, held)]
        if free:
            first[free[-1]], displaced = best, first[free[-1]]
            order = [*first, displaced, *(one for one in rest if one != best)]
    return order


def _is_needed(candidate: int, among: Sequence[int], held: Sequence[NDArray[np.bool_]]) -> bool:
    """Tell whether a candidate is the only one of some to hold an identifier."""
    others = [one for one in among if one != candidate]
    return any(own[candidate] and not any(own[one] for one in others) for own in held)


def _features(found: Candidates) -> Floats:
    """Return cosine, saturated BM25, and the same by the question's length, shape (candidates, 3)."""
    lexical = found.lexical.astype(np.float64)
    shared = lexical / (lexical + HALF)
    return np.column_stack([found.dense, shared, shared * (log1p(found.words) / log1p(LONG))])
