"""How an agent changed a draft: how much of it stands, and what sort of change it was."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field
from rapidfuzz import fuzz, process
from rapidfuzz.distance import Levenshtein

from triage.drafting.literals import find_literals
from triage.suggestions import Draft
from triage.tickets import WireModel

EditKind = Literal["fact", "tone", "added_step", "removed_claim", "identity"]
KINDS: tuple[EditKind, ...] = ("fact", "tone", "added_step", "removed_claim", "identity")

#: Characters and sentences that are compared; of longer texts the beginning is judged.
MAX_TEXT, MAX_SENTENCES = 20_000, 300
#: Sentences that are less alike than this (`rapidfuzz.fuzz.ratio`, 0 to 100) are not one another's.
COUNTERPART = 58.0
#: A line of more words does more than greet.
GREETING_WORDS = 8

SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)]*\s+(?=\S)")
LIST_MARK = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SALUTATION = re.compile(
    r"(?:hello|hi|hey|dear|good (?:morning|afternoon|evening)|hallo|guten|lieber?|sehr geehrte)\b", re.I
)
SIGN_OFF = re.compile(
    r"(?:kind|best|warm|many)?\s*(?:regards|wishes)\b|(?:yours|sincerely|cheers|best|all the best)\b[^.?]*$|"
    r"(?:mit freundlichen|viele|beste|liebe|herzliche)\s+gr[üu](?:ß|ss)",
    re.I,
)
POSTSCRIPT = re.compile(r"p\.? ?s\b", re.I)
#: A sentence that begins so and states nothing that could be looked up is courtesy.
COURTESY = re.compile(
    r"(?:(?:we(?:'re|’re| are)|i(?:'m|’m| am))\s+(?:(?:so|very|really)\s+)?sorry|sorry|apologies|please accept|"
    r"thank|thanks|"
    r"i understand|we understand|i know|hope|i hope|we hope|have a|glad|happy to|no worries|no problem|"
    r"es tut|entschuldig|tut mir|danke|vielen dank|ich verstehe|wir verstehen|gern|schönen|ich hoffe|wir hoffen)\b",
    re.I,
)
#: Words that turn what a sentence says, or whom it speaks of.
TURNING = frozenset(
    [
        "not",
        "no",
        "never",
        "without",
        "cannot",
        "don't",
        "doesn't",
        "won't",
        "can't",
        "isn't",
        "aren't",
        "nicht",
        "kein",
        "keine",
        "nie",
        "ohne",
        "i",
        "you",
        "we",
        "they",
        "he",
        "she",
        "your",
        "our",
        "their",
        "only",
        "always",
        "must",
        "may",
        "ich",
        "du",
        "sie",
        "wir",
        "ihr",
        "nur",
        "immer",
        "muss",
        "darf",
    ]
)


class Edit(WireModel):
    """How a draft was changed.

    distance: Levenshtein, in characters, of the first 20,000; similarity: the same as a share, 1 for no change;
    kept_sentences: sentences of the draft, of `sentences`, that stand in the final text but for case, space and the
    last sign; kinds: in the order of `KINDS`, none where only space changed.
    """

    distance: int = Field(ge=0)
    similarity: float = Field(ge=0, le=1)
    kept_sentences: int = Field(ge=0)
    sentences: int = Field(ge=0)
    kinds: tuple[EditKind, ...] = ()


@dataclass(frozen=True)
class _Sentence:
    """A sentence. plain: folded for comparison; frame: it greets, or says goodbye; is_fact: of a draft's facts."""

    text: str
    plain: str
    frame: bool
    is_fact: bool = False


def edit_of(draft: Draft, final: str) -> Edit:
    """Return how a text differs from the draft that it was made from.

    A name that was corrected within a sentence counts as a fact, in greeting or signature as identity. Sentences are
    paired by likeness, so that one that was rewritten from the ground up counts as removed, and another as added.
    """
    before, after = _tidy(draft.text), _tidy(final)
    own, theirs = _of_draft(draft), _of_text(after)
    plain = {one.plain for one in theirs}
    kept = sum(one.plain in plain for one in own)
    return Edit(
        distance=Levenshtein.distance(before, after),
        similarity=round(Levenshtein.normalized_similarity(before, after), 4),
        kept_sentences=kept,
        sentences=len(own),
        kinds=() if " ".join(before.split()) == " ".join(after.split()) else _kinds(own, theirs),
    )


def _kinds(own: Sequence[_Sentence], theirs: Sequence[_Sentence]) -> tuple[EditKind, ...]:
    found: set[EditKind] = set()
    if [one.plain for one in own if one.frame] != [one.plain for one in theirs if one.frame]:
        found.add("identity")
    mine, others = ([one for one in side if not one.frame] for side in (own, theirs))
    pairs = _pairs(mine, others)
    for at, other in pairs.items():
        if mine[at].text != others[other].text:
            found.add("fact" if _turns(mine[at].text, others[other].text) else "tone")
    paired = set(pairs.values())
    for one in (one for at, one in enumerate(others) if at not in paired):
        found.add("tone" if COURTESY.match(one.text) and not find_literals(one.text) else "added_step")
    for one in (one for at, one in enumerate(mine) if at not in pairs):
        found.add("removed_claim" if one.is_fact else "tone")
    # Only the order, or the lines, are others.
    return tuple(kind for kind in KINDS if kind in found) or ("tone",)


def _pairs(mine: Sequence[_Sentence], others: Sequence[_Sentence]) -> dict[int, int]:
    """Return which sentence of a final text is whose, one to one, the most alike first."""
    if not mine or not others:
        return {}
    scores = process.cdist([one.plain for one in mine], [one.plain for one in others], scorer=fuzz.ratio)
    ranked = sorted(
        (
            (score, -at, -other)
            for at, row in enumerate(scores)
            for other, score in enumerate(row)
            if score >= COUNTERPART
        ),
        reverse=True,
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, at, other in ranked:
        if -at not in pairs and -other not in taken:
            pairs[-at] = -other
            taken.add(-other)
    return pairs


def _turns(before: str, after: str) -> bool:
    """Tell whether two versions of a sentence differ in something that could be looked up."""
    return _facts(before) != _facts(after)


def _facts(text: str) -> tuple[object, ...]:
    words = WORD.findall(text)
    # A capital within a sentence is a name: of a person, a product, a button.
    names = sorted({word for word in words[1:] if word[0].isupper() and word.casefold() not in TURNING})
    literals = sorted((one.kind, one.value) for one in find_literals(text))
    numbers = sorted(word for word in words if any(sign.isdigit() for sign in word))
    turning = sorted(word.casefold().replace("’", "'") for word in words if word.casefold() in TURNING)
    return names, literals, numbers, turning


def _of_draft(draft: Draft) -> list[_Sentence]:
    """Return a draft's sentences, read as the final text is read: what frames one frames the other."""
    facts = {_plain(part) for one in draft.sentences if one.role == "fact" for part in _split(one.text)}
    return [replace(one, is_fact=one.plain in facts) for one in _of_text(_tidy(draft.text))]


def _of_text(text: str) -> list[_Sentence]:
    """Return the sentences of a text; what follows a sign-off, as a name does, belongs to it."""
    found: list[_Sentence] = []
    signed = False
    for part in _split(text)[:MAX_SENTENCES]:
        signed = (signed or SIGN_OFF.match(part) is not None) and POSTSCRIPT.match(part) is None
        greets = not found and SALUTATION.match(part) is not None and len(part.split()) <= GREETING_WORDS
        found.append(_Sentence(part, _plain(part), signed or greets))
    return found


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .!?…:;,")


def _split(text: str) -> list[str]:
    """Return sentences and list items without their marks."""
    lines = (LIST_MARK.sub("", line).strip() for line in text.split("\n"))
    return [part.strip() for line in lines if line for part in SENTENCE_END.split(line) if part.strip()]


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text[:MAX_TEXT].replace("\r\n", "\n").strip().split("\n"))
