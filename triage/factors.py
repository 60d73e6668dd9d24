"""Why a learnt field's best guess leads: the ticket's own words, and past tickets like it. Nothing here decides."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.linear_head import FloatMatrix, LinearHead
from models.protocols import IntArray
from models.text_features import WORD, NgramRow, NgramWeights, TextNgrams, read_ngrams
from triage.suggestions import Factor

#: Words that are named, and those that are looked at to find them.
MAX_WORDS, LOOKED_AT = 3, 12
#: A word that lifts the best guess over the runner-up by less (in log odds) is not worth a reader's time.
NEGLIGIBLE = 0.1
#: Nor is one that has less than this share of the strongest one's part.
LEAST_SHARE = 0.25
#: What says little by itself: a word of more past tickets than this inverse document frequency allows (one in six),
#: one or two letters, and words that only join others.
COMMON, SHORT = 2.8, 2
_JOINING = (
    "about after again all also and another any anyone are because been before being but can cannot could did does "
    "doing done each ever every everything few for from get gets getting going got had has have her here him his how "
    "into its itself just let like many may more most much myself need nor not now off once one only other our ours "
    "out over own really said same say says she should since some something still such than that the their them then "
    "there these they thing things this those through too under until upon use used very want was way well were what "
    "when where which while who why will with without would yet you your "
    "aber alle alles als also auch auf aus bei bin bis bitte dann das dass dem den der des die dies diese dieser dort "
    "durch ein eine einem einen einer eines etwas für haben hat hier ich ihr ihre ist kann kein keine können man mein "
    "meine mich mir mit nach nicht noch nun nur oder ohne schon sehr seit sich sie sind über und uns unser unsere vom "
    "von vor war was weil wenn werden wie wir wird wurde zum zur"
)
JOINING = frozenset(_JOINING.split())
MAX_WORD, MAX_EVIDENCE = 38, 120


@dataclass(frozen=True)
class TextWords:
    """A ticket's n-grams and its words as they stand there."""

    ngrams: TextNgrams
    as_written: Sequence[str]

    @classmethod
    def of(cls, text: str) -> "TextWords":
        """Read a text. Where a letter falls apart in lower case, words stay as they were read: in lower case."""
        ngrams = read_ngrams(text)
        written = WORD.findall(text)
        return cls(ngrams, written if len(written) == len(ngrams.words) else ngrams.words)


def telling_words(
    words: TextWords, weights: NgramWeights, row: NgramRow, head: LinearHead, leading: Sequence[str]
) -> tuple[Factor, ...]:
    """Return the words that speak most for the best guess against the runner-up, strongest first, as one factor.

    A word's part is that of its n-gram in the head's logits, of the character n-grams within it, and half of each pair
    it stands in. Words that say little by themselves are left out; without any other there is no factor.
    """
    if len(leading) < 2 or not len(row.places):
        return ()
    dimension = head.weights.shape[1] - len(weights.columns)  # the vector's features stand in front
    parts = word_parts(words.ngrams, row, head, dimension, (leading[0], leading[1]))
    strongest = np.argsort(-parts, kind="stable")[:LOOKED_AT]
    needed = max(NEGLIGIBLE, LEAST_SHARE * float(parts[strongest[0]]))
    strongest = strongest[parts[strongest] >= needed]
    telling = [
        at
        for at, says in zip(strongest.tolist(), _say_something(words.ngrams, weights, strongest), strict=True)
        if says
    ]
    shown = [word for at in telling if len(word := words.as_written[at]) <= MAX_WORD][:MAX_WORDS]
    if not shown:
        return ()
    return (Factor(name="words", effect=f"+{leading[0]}", evidence=", ".join(shown)),)


def _say_something(ngrams: TextNgrams, weights: NgramWeights, places: IntArray) -> list[bool]:
    """Tell of the words at places of a text whether they tell a reader anything by themselves."""
    rare = weights.idf_of_words(ngrams, places) >= COMMON
    words = [ngrams.words[at] for at in places]
    return [
        bool(is_rare) and len(word) > SHORT and word not in JOINING for word, is_rare in zip(words, rare, strict=True)
    ]


def word_parts(
    ngrams: TextNgrams, row: NgramRow, head: LinearHead, dimension: int, pair: tuple[str, str]
) -> FloatMatrix:
    """Return how far each word lifts the first label of a pair over the second, in log odds, shape (words,)."""
    best, other = (head.labels.index(label) for label in pair)
    columns = row.indices + dimension
    shares = np.zeros(len(ngrams.buckets))
    shares[row.places] = row.data * (head.weights[best, columns] - head.weights[other, columns]) / head.temperature
    return ngrams.by_word(shares)


def similar_tickets(alike: Sequence[str], best: str) -> tuple[Factor, ...]:
    """Return what the labels of the nearest past tickets say of the best guess: nothing where they are divided."""
    if not alike:
        return ()
    label, count = Counter(alike).most_common(1)[0]
    of = f"of the {len(alike)} most similar past tickets"
    if alike.count(best) == count and count > 1:
        return (Factor(name="similar_tickets", effect=f"+{best}", evidence=f"{count} {of}"),)
    if 2 * count > len(alike):
        evidence = f"{count} {of} were {label}"[:MAX_EVIDENCE]
        return (Factor(name="similar_tickets", effect=f"-{best}", evidence=evidence),)
    return ()
