"""Lays a sentence beside its sources: the neighbouring units that say most of it, and which of its words stand there.

A word alone goes through the encoder once and is kept: "purchase" is near to "buy", whatever the sentence around it.
"""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from models.protocols import FloatArray
from retrieval.documents import Document, Passage
from triage.drafting.compose import sentences_of
from triage.drafting.literals import find_literals

#: Two words less alike than this have nothing to do with each other.
UNRELATED = 0.35
#: A window is at most so many neighbouring units; a further one must explain so much more of the sentence.
WIDEST, WORTH = 3, 0.05
#: What the likeness of the whole sentence counts beside its words, and what literals that both have do.
BY_SENTENCE, BY_LITERALS = 0.5, 0.5
WORD = re.compile(r"[^\W_]+(?:[.,'’:/@_-][^\W_]+)*|[%£€$]")
_CONTRACTED = (
    (re.compile(r"\b(?:cannot|can['’]t)\b"), "can not"),
    (re.compile(r"\bwon['’]t\b"), "will not"),
    (re.compile(r"\bshan['’]t\b"), "shall not"),
    (re.compile(r"n['’]t\b"), " not"),
    (re.compile(r"['’]ll\b"), " will"),
    (re.compile(r"['’]re\b"), " are"),
    (re.compile(r"['’]ve\b"), " have"),
    (re.compile(r"\b(it|that|there|here|what|who|he|she)['’]s\b"), r"\1 is"),
    (re.compile(r"['’]s\b"), ""),
)
_FUNCTION = (
    "a an the and or but so also then there here this that these those it its is are was were be been being am do does "
    "did done have has had having will would shall should can could may might must to of in on at by for from with as "
    "into onto than too very just please you your yours yourself we our ours us i my me they them their he she his her "
    "who which what when where while how if unless until once before after not no never without only all any every "
    "each some most many much more less up out off over under again such same own both either neither nor per via "
    "let make sure get gets got go goes going use using used way thing things one ones s t"
)
#: Words that carry no matter of their own. What negates, limits or conditions is looked at by itself.
FUNCTION = frozenset(_FUNCTION.split())

Vectors = Callable[[Sequence[str]], FloatArray]
Literals = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, step, bullet or row of an article: `document.text[start:end]`, and the title and headings above."""

    document_id: str
    start: int
    end: int
    text: str
    above: tuple[str, ...]


@dataclass(frozen=True)
class Aligned:
    """A sentence and the window of neighbouring units that says most of it.

    words: its content words; near: the similarity of the nearest word of the window to each, in [0, 1]; weights: how
    telling each is, summing to 1; alike: the cosine of the sentence with the window's first chosen unit; left: the
    share of the window's content words that nothing in the sentence is near to.
    """

    sentence: str
    window: tuple[Unit, ...]
    words: tuple[str, ...]
    near: FloatArray
    weights: FloatArray
    alike: float
    left: float

    @property
    def text(self) -> str:
        """The window's words."""
        return " ".join(unit.text for unit in self.window)

    @property
    def above(self) -> str:
        """Title and headings of the window."""
        return " ".join(self.window[0].above)


class Sources:
    """The units of some passages, beside which a sentence is laid.

    known: gives vectors of articles' words and sentences, and may keep them; encode: gives those of the sentence.
    """

    def __init__(self, units: Sequence[Unit], known: Vectors, encode: Vectors) -> None:
        self.units, self._known, self._encode = tuple(units), known, encode
        self._words = [list(dict.fromkeys(content_words(unit.text))) for unit in units]
        self._count = Counter(word for words in self._words for word in words)
        self._places = {word: place for place, word in enumerate(self._count)}
        self._literals = [literals_of(unit.text) for unit in units]

    def align(self, sentence: str) -> Aligned | None:
        """Return the best window for a sentence; None where there is nothing to lay it beside."""
        words = list(dict.fromkeys(content_words(sentence)))
        if not words or not self._places:
            return None
        alike = likeness(words, list(self._places), self._encode(words), self._known(list(self._places)))
        near = np.stack([_nearest(alike, [self._places[word] for word in own]) for own in self._words])
        weights = np.array([self._weight(word) for word in words], dtype=np.float32)
        weights /= weights.sum()
        cosines = self._known([unit.text for unit in self.units]) @ self._encode([sentence])[0]
        wanted = literals_of(sentence)
        shared = np.array([len(wanted & own) / max(1, len(wanted)) for own in self._literals], dtype=np.float32)
        first = int((near @ weights + BY_SENTENCE * cosines + BY_LITERALS * shared).argmax())
        chosen = self._widened(first, near, weights, wanted)
        inside = dict.fromkeys(word for number in chosen for word in self._words[number])
        left = [word for word in inside if alike[:, self._places[word]].max() < UNRELATED]
        return Aligned(
            sentence,
            tuple(self.units[number] for number in chosen),
            tuple(words),
            near[chosen].max(axis=0),
            weights,
            float(cosines[first]),
            len(left) / max(1, len(inside)),
        )

    def _weight(self, word: str) -> float:
        return math.log(1 + (len(self.units) + 0.5) / (self._count[word] + 0.5))

    def _widened(self, first: int, near: FloatArray, weights: FloatArray, wanted: Literals) -> list[int]:
        """Return the numbers of a window's units: neighbours join as long as they explain more of the sentence."""
        chosen = [first]
        while len(chosen) < WIDEST:
            best, told = (
                near[chosen].max(axis=0),
                frozenset[tuple[str, str]]().union(*(self._literals[n] for n in chosen)),
            )
            gains = {
                number: float((np.maximum(best, near[number]) - best) @ weights)
                + BY_LITERALS / 2 * len(wanted & self._literals[number] - told) / max(1, len(wanted))
                for number in (chosen[0] - 1, chosen[-1] + 1)
                if 0 <= number < len(self.units) and self.units[number].document_id == self.units[first].document_id
            }
            better = max(gains, key=lambda number: gains[number], default=None)
            if better is None or gains[better] < WORTH:
                break
            chosen = sorted([*chosen, better])
        return chosen


def likeness(words: Sequence[str], others: Sequence[str], vectors: FloatArray, their: FloatArray) -> FloatArray:
    """Return how alike words are, in [0, 1], shape (words, others): 0 for unrelated and for opposite ones."""
    alike: FloatArray = np.clip(vectors @ their.T, 0, 1)
    alike[alike < UNRELATED] = 0
    places = {other: place for place, other in enumerate(others)}
    for row, word in enumerate(words):
        for other in opposites_of(word):
            if other in places:
                alike[row, places[other]] = 0
        if word in places:
            alike[row, places[word]] = 1
    return alike


def _nearest(alike: FloatArray, columns: Sequence[int]) -> FloatArray:
    nearest: FloatArray = np.zeros(len(alike), dtype=np.float32)
    return np.asarray(alike[:, columns].max(axis=1), dtype=np.float32) if columns else nearest


def plain_words(text: str) -> list[str]:
    """Return lower-case words with contractions written out."""
    text = text.lower()
    for pattern, written in _CONTRACTED:
        text = pattern.sub(written, text)
    return WORD.findall(text)


def content_words(text: str) -> list[str]:
    """Return the words that carry matter, in order."""
    return [word for word in plain_words(text) if word not in FUNCTION]


def literals_of(text: str) -> Literals:
    """Return the literals of a text but quotes, in their normal form."""
    return frozenset((one.kind, one.value) for one in find_literals(text) if one.kind != "quote")


def opposites_of(word: str) -> frozenset[str]:
    """Return the words that stand for the opposite of a word, or for something else of its kind."""
    return _opposites().get(word, frozenset())


@cache
def _opposites() -> Mapping[str, frozenset[str]]:
    table = tomllib.loads(Path(__file__).with_name("opposites.toml").read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for pair in (pair for lines in table.values() for line in lines for pair in line.split()):
        left, right = pair.split("/")
        found.setdefault(left, set()).add(right)
        found.setdefault(right, set()).add(left)
    return {word: frozenset(others) for word, others in found.items()}


def units_of(document: Document, passages: Iterable[Passage]) -> list[Unit]:
    """Return the sentences, steps, bullets and rows of some passages of an article, in their order."""
    found = []
    for passage in passages:
        above = (document.title, *passage.headings)
        for block in document.blocks:
            if passage.start <= block.start < passage.end:
                found += _units(document, block.kind == "paragraph", block.start, block.end, above)
    return found


def _units(document: Document, paragraph: bool, start: int, end: int, above: tuple[str, ...]) -> list[Unit]:
    text, at, found = document.text[start:end], 0, []
    for part in sentences_of(text) if paragraph else [text]:
        at = text.index(part, at)
        found.append(Unit(document.id, start + at, start + at + len(part), part, above))
        at += len(part)
    return found
