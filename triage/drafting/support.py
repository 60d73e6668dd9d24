"""Which passage supports which sentence. A fact that stands in no cited passage does not stay in a draft.

A sentence that stands there word for word is supported. One in other words is laid beside the passages, and what
speaks for and against it goes through a small logistic regression, fitted on sentences of our own demo desk: careful
rewordings, and the same with one fault. It reads English; in other languages only literal quotation counts.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from models.protocols import FloatArray
from retrieval.documents import Hit, Passage
from triage.drafting.alignment import Aligned, Sources, Vectors, units_of
from triage.drafting.commitments import ungranted
from triage.drafting.compose import lay_out
from triage.drafting.support_signals import SIGNALS, signals
from triage.suggestions import Draft, DraftSentence, Support

#: A draft that loses more than this share of its facts is not shown at all.
MAX_LOST = 0.34
#: The language whose sentences can be checked in other words than the article's.
LANGUAGE = "en"
#: The last letter of Latin Extended-B: what comes after is of another script.
LAST_LATIN = "\u024f"
#: Literals that no passage and not the ticket hold, and promises that the window does not make, are never supported.
NEVER = tuple(SIGNALS.index(name) for name in ("literals not in passages", "quotes not in passages"))
#: Where a sentence may begin: a line, a step or bullet, or behind the end of another; and where it may end.
BEGINS = r"(?<![\s\S])|(?<=\n)|(?<=\n- )|(?<=\d\. )|(?<=[.!?:;]\s)|(?<=[.!?:;][\"”’)]\s)"
ENDS = r"(?![\s\S])|(?=[.!?;:]?\s*\n)|(?=[.!?;:](?:\s|$))|(?<=[.!?;:])(?=\s|$)|(?<=[.!?;:][\"”’)])(?=\s|$)"
_BEGINS, _ENDS = re.compile(BEGINS), re.compile(ENDS)
WEIGHTS = Path(__file__).with_name("support_weights.json")


@dataclass(frozen=True)
class SupportHead:
    """A logistic regression over `SIGNALS`, and the chance from which on a sentence counts as supported.

    means, scales, weights: float32 of shape (signals,).
    """

    means: FloatArray
    scales: FloatArray
    weights: FloatArray
    bias: float
    threshold: float

    def chance(self, found: FloatArray) -> float:
        """Return the chance that a sentence with these signals is supported."""
        logit = float(((found - self.means) / self.scales) @ self.weights) + self.bias
        return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


@cache
def bundled_head() -> SupportHead:
    """Return the head that comes with Firstline."""
    card = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    means, scales, weights = (
        np.array([card[part][name] for name in SIGNALS], dtype=np.float32) for part in ("means", "scales", "weights")
    )
    return SupportHead(means, scales, weights, card["bias"], card["threshold"])


class SupportCheck:
    """Holds sentences against the passages that are cited for them.

    known, encode: see `Sources`; ticket: the customer's words, whose numbers and names may be repeated.
    """

    def __init__(
        self,
        cited: Sequence[Hit],
        known: Vectors,
        encode: Vectors,
        ticket: str = "",
        head: SupportHead | None = None,
    ) -> None:
        self._cited, self._known, self._encode = cited, known, encode
        self._ticket, self._head = ticket, head or bundled_head()
        self._passages = [hit.passage for hit in cited]
        self._readable = all(hit.document.locale.startswith(LANGUAGE) for hit in cited)

    @cached_property
    def _sources(self) -> Sources:
        units = [unit for hit in self._cited for unit in units_of(hit.document, [hit.passage])]
        return Sources(units, self._known, self._encode)

    def __call__(self, sentence: str) -> Support | None:
        """Return where a sentence stands, with the chance that it does; None where it does not."""
        literal = find_support(sentence, self._passages)
        if literal is not None or not self._readable or self._has_foreign_letters(sentence):
            return literal
        aligned = self._sources.align(sentence)
        if aligned is None:
            return None
        chance = self.chance(aligned)
        if chance == 0 or chance < self._head.threshold:
            return None
        window = aligned.window
        article = window[0].document_id
        return Support(article_id=article, start=window[0].start, end=window[-1].end, score=round(chance, 4))

    def _has_foreign_letters(self, sentence: str) -> bool:
        """Tell whether a sentence has letters, other than Latin ones, that its passages lack: nobody checked those."""
        known = {character for passage in self._passages for character in passage.text}
        return any(letter.isalpha() and letter > LAST_LATIN and letter not in known for letter in sentence)

    def chance(self, aligned: Aligned) -> float:
        """Return the chance that a sentence is supported by its window; 0 for what never is."""
        passages = "\n".join(passage.text for passage in self._passages)
        found = signals(aligned, passages, self._ticket)
        if found[list(NEVER)].any() or ungranted(aligned.sentence, aligned.text):
            return 0.0
        return self._head.chance(found)


def find_support(sentence: str, passages: Sequence[Passage]) -> Support | None:
    """Return where a sentence stands, whole and word for word with white space folded, or None.

    The span counts characters of the article's plain text. A verbatim sentence scores 1. Half a sentence does not
    stand there: what follows may be its condition.
    """
    words = sentence.split()
    if not words:
        return None
    for passage in passages:
        if found := _span(words, passage.text):
            start, end = (passage.start + place for place in found)
            return Support(article_id=passage.document_id, start=start, end=end, score=1.0)
    return None


def _span(words: Sequence[str], text: str) -> tuple[int, int] | None:
    """Return where words stand in a text as a whole sentence, with any white space in between."""
    plain = " ".join(words)
    at = text.find(plain)
    while at >= 0:
        end = at + len(plain)
        if _BEGINS.match(text, at) and _ENDS.match(text, end):
            return at, end
        at = text.find(plain, at + 1)
    # An expression of its own for each sentence costs more than all the rest, so only where it can find something.
    if plain not in " ".join(text.split()):
        return None
    match = re.search(f"(?:{BEGINS})" + r"\s+".join(map(re.escape, words)) + f"(?:{ENDS})", text)
    return match.span() if match else None


def check_draft(draft: Draft, support: Callable[[str], Support | None]) -> tuple[Draft | None, str | None]:
    """Return (the draft with only supported facts, None), or (None, why) where too little of it stands.

    Every fact's support is looked up again in the passages: what the writer claims counts for nothing.
    """
    facts = [sentence for sentence in draft.sentences if sentence.role == "fact"]
    kept = [_checked(sentence, support) for sentence in draft.sentences]
    standing = [sentence for sentence in kept if sentence is not None]
    lost = len(draft.sentences) - len(standing)
    if not facts:
        return None, "the draft stated no fact"
    if lost == len(facts) or lost / len(facts) > MAX_LOST:
        return None, f"{lost} of {len(facts)} sentences stood in no cited passage"
    warnings = draft.warnings + (("unsupported_sentences_dropped",) if lost else ())
    update = {"text": lay_out(standing), "sentences": tuple(standing), "warnings": warnings}
    return draft.model_copy(update=update), None


def _checked(sentence: DraftSentence, support: Callable[[str], Support | None]) -> DraftSentence | None:
    if sentence.role != "fact":
        return sentence
    found = support(sentence.text)
    return sentence.model_copy(update={"support": (found,)}) if found else None
