"""The words that tell the texts of one group from those of the others.

A TF-IDF over groups, in which large groups outvote no small one. A word's weight is the share of a group's texts that
hold it, times the logarithm of how many times larger that is than the mean share over all groups, times the logarithm
of that mean turned round: what everybody writes a little more often here is still no name.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from triage.cleaning import normalise

WORD = re.compile(r"[^\W\d_]+")
#: Texts of a group that are read: more would not change its words.
READ = 1_000
#: A word is shown only where it stands in so many of a group's texts: a name or an address does not.
MIN_TICKETS = 3
SHORTEST = 3
#: So many times as often as in the other groups is telling.
TELLING = 2.0
SHOWN = 5


def telling_words(texts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return up to five words or pairs of words for each group, the most telling first; [] where none is."""
    shares = {label: _shares(some) for label, some in texts.items()}
    mean: dict[str, float] = defaultdict(float)
    for found in shares.values():
        for term, share in found.items():
            mean[term] += share / len(shares)
    weights = {
        label: _weights(found, mean, len(texts), MIN_TICKETS / len(texts[label])) for label, found in shares.items()
    }
    return {label: _most_telling(weights[label], found) for label, found in shares.items()}


def _shares(texts: Sequence[str]) -> dict[str, float]:
    """Return the share of the texts that hold a term."""
    read = texts[:READ]
    counts: Counter[str] = Counter()
    for text in read:
        counts.update(_terms(text))
    return {term: count / len(read) for term, count in counts.items()}


def _terms(text: str) -> set[str]:
    """Return the words of a text, short ones left out, and its pairs of neighbouring words."""
    words = WORD.findall(normalise(text).lower())
    long = {word for word in words if len(word) >= SHORTEST}
    return long | {f"{one} {other}" for one, other in pairwise(words) if one in long and other in long}


def _weights(shares: Mapping[str, float], mean: Mapping[str, float], labels: int, least: float) -> dict[str, float]:
    """Return the weight of each term that stands in at least this share, and is telling."""
    found = {}
    for term, share in shares.items():
        elsewhere = (mean[term] * labels - share) / max(1, labels - 1)
        if share >= least and share > mean[term] and share >= TELLING * elsewhere:
            found[term] = share * math.log(share / mean[term]) * -math.log(mean[term])
    return found


def _most_telling(weights: Mapping[str, float], shares: Mapping[str, float]) -> list[str]:
    chosen: list[str] = []
    said: set[str] = set()
    for term in sorted(weights, key=lambda term: (-weights[term], term)):
        if " " not in term and term not in said and len(chosen) < SHOWN:
            chosen.append(_with_neighbour(term, weights, shares, said))
            said |= {*chosen[-1].split()}
    return chosen


def _with_neighbour(word: str, weights: Mapping[str, float], shares: Mapping[str, float], said: set[str]) -> str:
    """Return the pair in which a word mostly stands, where both words are telling and new, else the word."""
    pairs = [
        term
        for term in weights
        if " " in term and word in (parts := term.split()) and not said & {*parts} and all(map(weights.get, parts))
    ]
    best = max(pairs, key=lambda term: (weights[term], term), default=word)
    return best if shares[best] >= shares[word] / 2 else word
