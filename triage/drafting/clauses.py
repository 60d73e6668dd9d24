"""Finds wording in text clause by clause, each clause with its own negation."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from triage.cleaning import normalise

#: A clause ends at a stop, a line, a comma, a dash or a turning word. What follows cannot take back what came before.
BOUNDARY = re.compile(r"[.!?;:\n,()]+|\s[-–—]+\s|\s(?=(?:but|however|though|although|yet|so|and then|still)\s)")
#: A run without any boundary is looked at in pieces of this size, with an overlap, so that cost stays linear.
MAX_CLAUSE = 400
OVERLAP = 100


@dataclass(frozen=True, slots=True)
class Match:
    """Wording that was found: the topic it stands for, the words, and the clause around them."""

    topic: str
    words: str
    clause: str


def find_wording(text: str, rule: str, languages: Sequence[str] = ("en",)) -> Iterator[Match]:
    """Yield every match of a rule's phrases that its own clause does not take back, in reading order."""
    phrases, cancel = _compiled(rule, tuple(languages))
    for clause in clauses(text):
        for topic, pattern in phrases.items():
            match = pattern.search(clause)
            if match and not cancel.search(clause, 0, match.start()):
                yield Match(topic, match.group(), clause)


def clauses(text: str) -> Iterator[str]:
    """Yield the clauses of a text, normalised, single-spaced, straight quotes."""
    plain = normalise(text).replace("’", "'").replace("‘", "'")
    for piece in BOUNDARY.split(plain):
        clause = " ".join(piece.split())
        while clause:
            yield clause[:MAX_CLAUSE]
            clause = clause[MAX_CLAUSE - OVERLAP :] if len(clause) > MAX_CLAUSE else ""


@cache
def _compiled(rule: str, languages: tuple[str, ...]) -> tuple[Mapping[str, re.Pattern[str]], re.Pattern[str]]:
    table = phrase_table()
    entry = table[rule]
    by_topic = {"": entry} if all(isinstance(value, list) for value in entry.values()) else entry
    phrases = {topic: _join(by_language, languages) for topic, by_language in by_topic.items()}
    return phrases, _join(table["cancel"], languages)


@cache
def phrase_table() -> dict[str, Any]:
    """Return the phrase file that ships with the package."""
    return tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))


def _join(by_language: Mapping[str, list[str]], languages: tuple[str, ...]) -> re.Pattern[str]:
    expressions = [expression for language in languages for expression in by_language.get(language, [])]
    return re.compile("|".join(f"(?:{expression})" for expression in expressions) or r"(?!)", re.I)
