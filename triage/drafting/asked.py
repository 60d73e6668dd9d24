"""What a customer asks: the sentences of a message that want an answer each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.protocols import FloatArray
from retrieval.documents import Hit
from triage.drafting.clauses import LANGUAGES, find_wording
from triage.drafting.literals import find_literals

#: More questions in one message are read as one matter.
MOST = 4
FEWEST_WORDS, LONGEST_QUOTE = 4, 24
#: Where a sentence of a message ends: people do not always begin the next with a capital.
_END = re.compile(r"(?<=[.!?])[\"”’)]*\s+|\n+")
_ASKS = re.compile(
    r"^(?:(?:and|also|but|so|or|then|oh|btw|plus|one more thing|second(?:ly)?|first(?:ly)?)[,:]?\s+)*"
    r"(?:how (?:do|can|long|much|many|often|soon|far|come|to)|what (?:do|is|are|does|should|happens)"
    r"|where (?:do|is|can|are)|when (?:do|is|will|can|does)|which |who (?:can|do|is)|can (?:i|we|you)"
    r"|could (?:i|we|you)|is (?:it|there)|do (?:i|we)|will (?:i|we|my|it)"
    r"|wie |was |wo |wann |kann |comment |où |quand |cómo |dónde |cuándo )",
    re.I,
)
#: Words that would read as the desk's own when said back: orders to tell somebody something, and what was granted.
_CLAIMS = re.compile(
    r"\b(?:tell|inform|assure|remind) (?:the|every|all|your|our|this) (?:customer|client|user)"
    r"|\b(?:is|are|was|were|been|be|gets?|stays?)\b.{0,30}\b(?:approved|granted|free|refunded|waived|confirmed|guaranteed)\b",
    re.I,
)
#: What only sounds like a question.
_COURTESY = re.compile(
    r"\bhow are you\b|\b(?:any|some) (?:ideas?|help|thoughts|news)\b|\bcan (?:you|anyone|somebody) help\b"
    r"|\bplease help\b|\bwhat (?:gives|now|a )|\bmakes? sense\b|\bis (?:that|this) (?:ok|right|normal)\b"
    r"|\bwhy me\b|\bright\?$|\bok\?$",
    re.I,
)


@dataclass(frozen=True)
class Asked:
    """A question, its unit vector of shape (dimension,), and the public passages found for it, best first.

    chance: that they answer it, at even odds.
    """

    words: str
    vector: FloatArray
    hits: tuple[Hit, ...] = ()
    chance: float = 1.0

    @property
    def quote(self) -> str | None:
        """The question as it may be said back; None where it is long or holds what a draft must not repeat."""
        return quotable_words(self.words)


def questions_in(text: str) -> tuple[str, ...]:
    """Return the sentences of a message that ask something, in order; none where it asks a single thing.

    A question of a few words ("And for how long?") goes with the one before it.
    """
    found: list[str] = []
    for sentence in _END.split(text):
        words = " ".join(sentence.split())
        if not (words.endswith("?") or _ASKS.match(words)) or _COURTESY.search(words):
            continue
        if len(words.split()) < FEWEST_WORDS:
            if found:
                found[-1] = f"{found[-1]} {words}"
            continue
        found.append(words)
    found = list(dict.fromkeys(found))
    return tuple(found) if 1 < len(found) <= MOST else ()


def quotable_words(words: str) -> str | None:
    """Return a customer's words for a draft to say back, without what closes a quotation; None where it should not."""
    plain = " ".join(words.split()).strip(" \"“”„«»'’")
    if not plain or len(plain.split()) > LONGEST_QUOTE or len(plain) > 200 or not plain.isprintable():
        return None
    if any(literal.kind in ("link", "code") for literal in find_literals(plain)) or set('<>{}[]|`“”"') & set(plain):
        return None
    if _CLAIMS.search(plain) or any(True for _ in find_wording(plain, "hostile_instructions", LANGUAGES)):
        return None
    return plain


def with_subject(question: str, subject: str) -> str:
    """Return what is searched for a question: alone it may leave its matter unsaid."""
    return f"{subject}\n{question}" if subject else question


def unanswered(asked: Sequence[Asked], min_chance: float) -> tuple[Asked, ...]:
    """Return the questions for which nothing was found that may answer."""
    return tuple(one for one in asked if not one.hits or one.chance < min_chance)
