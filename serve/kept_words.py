"""How much of a draft a person kept."""

import re
from collections.abc import Sequence

#: Words of each text that are compared; longer texts are judged by their beginning.
MAX_WORDS = 5_000
WORD = re.compile(r"\w+")


def kept_ratio(draft: str, final: str) -> float | None:
    """Return the share of a draft's words that stand in the final text in the same order, 0 to 1.

    Case and punctuation do not count; None for a draft without a word. This is the precision of ROUGE-L (Lin 2004), as
    ``draft.kept_ratio`` of an evaluation. Texts of 200,000 characters take some milliseconds.
    """
    words, kept = _words(draft), _words(final)
    return round(longest_common(words, kept) / len(words), 4) if words else None


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, a row of bits at a time (Allison and Dix 1986)."""
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    row = 0
    for word in second:
        both = row | places.get(word, 0)
        row = both & ~(both - (row << 1 | 1))
    return row.bit_count()


def _words(text: str) -> list[str]:
    return [found.group() for found, _ in zip(WORD.finditer(text.casefold()), range(MAX_WORDS), strict=False)]
