"""Two articles that say the same with another number: no draft may pick one of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from retrieval.documents import Hit
from triage.drafting.answers import Vectors
from triage.drafting.compose import sentences_of
from triage.drafting.literals import find_literals
from triage.suggestions import DraftSentence

#: Passages of other articles that are held against a draft.
MOST_PASSAGES = 4
COMPARED = frozenset({"number", "price"})
#: Sentences whose measures are kept: those of a desk's articles come up ticket after ticket.
KEPT = 4_096


@dataclass(frozen=True)
class Conflict:
    """A sentence of a draft, and one of another article that gives another number for the same."""

    sentence: str
    other: str
    title: str


def find_conflict(
    sentences: Sequence[DraftSentence], hits: Sequence[Hit], vectors: Vectors, similarity: float
) -> Conflict | None:
    """Return the first conflict of a draft's facts with passages of articles that it does not cite, or None.

    hits: what was found for the ticket, best first; similarity: sentences at least so alike (a cosine) are compared.
    """
    facts = [one.text for one in sentences if one.role == "fact" and _measures(one.text)]
    cited = {support.article_id for one in sentences for support in one.support}
    told = list(_told([hit for hit in hits if hit.document.id not in cited][:MOST_PASSAGES]))
    if not facts or not told:
        return None
    alike = vectors(facts) @ vectors([text for text, _ in told]).T
    for row, fact in enumerate(facts):
        for column, (text, title) in enumerate(told):
            if alike[row, column] >= similarity and _differ(_measures(fact), _measures_of_article(text)):
                return Conflict(fact, text, title)
    return None


def _told(hits: Sequence[Hit]) -> Iterator[tuple[str, str]]:
    """Yield the sentences of passages that hold a number, each with its article's title."""
    for hit in hits:
        for block in hit.document.blocks:
            if hit.passage.start <= block.start < hit.passage.end:
                for text in sentences_of(hit.document.text[block.start : block.end]):
                    if _measures_of_article(text):
                        yield text, hit.document.title


def _measures(text: str) -> dict[str, set[str]]:
    """Return the values of a text by what they measure, such as minutes or pounds; bare numbers measure nothing."""
    found: dict[str, set[str]] = defaultdict(set)
    for literal in find_literals(text):
        value, _, measure = literal.value.partition(" ")
        if literal.kind in COMPARED and measure:
            found[measure].add(value)
    return found


#: Of articles alone: what a ticket or a draft says is not kept.
_measures_of_article = lru_cache(maxsize=KEPT)(_measures)


def _differ(left: dict[str, set[str]], right: dict[str, set[str]]) -> bool:
    return any(left[measure].isdisjoint(right[measure]) for measure in left.keys() & right.keys())
