"""What was changed in a text, word by word."""

import re
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

#: Words that are compared; of longer texts the beginning is shown.
MAX_WORDS = 3_000
PIECES = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True)
class Change:
    """Some words that stayed, went or came."""

    kind: Literal["same", "gone", "new"]
    text: str


def differences(before: str, after: str) -> list[Change]:
    """Return the words of both texts in order: `same` and `gone` give the first, `same` and `new` the second."""
    mine, theirs = (PIECES.findall(text)[: 2 * MAX_WORDS] for text in (before, after))
    found: list[Change] = []
    for code in Levenshtein.opcodes(mine, theirs):
        gone, new = "".join(mine[code.src_start : code.src_end]), "".join(theirs[code.dest_start : code.dest_end])
        if code.tag == "equal":
            found.append(Change("same", gone))
            continue
        found += [Change("gone", gone)] if gone else []
        found += [Change("new", new)] if new else []
    return found
