"""Finds wording in text clause by clause, each clause with its own negation."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from triage.cleaning import normalise
from triage.phrase_index import Patterns, PhraseIndex, first_match

#: A clause ends at a stop, a line, a comma, a dash or a turning word. What follows cannot take back what came before.
BOUNDARY = re.compile(r"[.!?;:\n,()]+|\s[-–—]+\s|\s(?=(?:but|however|though|although|yet|so|and then|still)\s)", re.I)
BULLET = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s")
#: A run without any boundary is looked at in pieces of this size, with an overlap, so that cost stays linear.
MAX_CLAUSE = 400
OVERLAP = 100
#: A negation takes back what follows within this many words, unless the speaker begins anew ("… I want …").
NEGATION_REACH = 4
ANEW = re.compile(r"\b(?:i|we|my|our|please|let)\b", re.I)
#: Several rules read the same text one after the other: the last few texts are split once.
SPLIT_TEXTS = 16
#: No negation makes these harmless enough to go unseen.
NEVER_TAKEN_BACK = frozenset({"self_harm", "safety", "security_incident"})


@dataclass(frozen=True, slots=True)
class Match:
    """Wording that was found: the topic it stands for, the words, and the clause around them."""

    topic: str
    words: str
    clause: str


def find_wording(text: str, rule: str, languages: Sequence[str] = ("en",)) -> Iterator[Match]:
    """Yield every match of a rule's phrases that its own clause does not take back, in reading order."""
    said, possible = _read(text, tuple(languages))
    topics = [(topic, possible[name]) for topic, name in _topics(rule).items() if name in possible]
    if not topics:
        return
    cancel = _cancel(tuple(languages))
    for clause in said:
        for topic, patterns in topics:
            match = first_match(patterns, clause)
            if match and (topic in NEVER_TAKEN_BACK or not _taken_back(clause[: match.start()], cancel)):
                yield Match(topic, match.group(), clause)


@lru_cache(maxsize=SPLIT_TEXTS)
def _read(text: str, languages: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, Patterns]]:
    """Return the clauses of a text, and the patterns of every rule and topic that may match in one of them."""
    said = tuple(clauses(text))
    return said, _index(languages).possible("\n".join(said))


def _taken_back(before: str, cancel: re.Pattern[str]) -> bool:
    """Tell whether a negation stands close enough in front, with no new beginning in between."""
    last = None
    for found in cancel.finditer(before):
        last = found
    between = before[last.end() :] if last else ""
    return last is not None and len(between.split()) <= NEGATION_REACH and not ANEW.search(between)


def clauses(text: str) -> Iterator[str]:
    """Yield the clauses of a text, normalised, single-spaced, straight quotes.

    A line can end a clause or only be full: each paragraph of several lines is read both ways.
    """
    plain = normalise(text).replace("’", "'").replace("‘", "'").replace("_", " ")
    yield from _pieces(plain)
    for paragraph in _paragraphs(plain):
        if len(paragraph) > 1:
            yield from _pieces(" ".join(paragraph))


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Yield runs of lines that may be one wrapped paragraph: no blank line or bullet between them."""
    run: list[str] = []
    for line in text.split("\n"):
        if run and (not line.strip() or BULLET.match(line)):
            yield run
            run = []
        if line.strip():
            run.append(line.strip())
    yield run


def _pieces(text: str) -> Iterator[str]:
    for piece in BOUNDARY.split(text):
        clause = " ".join(piece.split())
        while clause:
            yield clause[:MAX_CLAUSE]
            clause = clause[MAX_CLAUSE - OVERLAP :] if len(clause) > MAX_CLAUSE else ""


@cache
def _index(languages: tuple[str, ...]) -> PhraseIndex:
    table = phrase_table()
    entries = {
        name: table[rule] if not topic else table[rule][topic]
        for rule in table
        if rule != "cancel"
        for topic, name in _topics(rule).items()
    }
    return PhraseIndex({name: _expressions(entry, languages) for name, entry in entries.items()}, re.I)


@cache
def _topics(rule: str) -> Mapping[str, str]:
    """Return a rule's topics and their headings in the index; one topic without a name where the file has none."""
    entry = phrase_table()[rule]
    has_none = all(isinstance(value, list) for value in entry.values())
    return {"": rule} if has_none else {topic: f"{rule}.{topic}" for topic in entry}


@cache
def _cancel(languages: tuple[str, ...]) -> re.Pattern[str]:
    expressions = _expressions(phrase_table()["cancel"], languages)
    return re.compile("|".join(f"(?:{expression})" for expression in expressions) or r"(?!)", re.I)


@cache
def phrase_table() -> dict[str, Any]:
    """Return the phrase file that ships with the package."""
    return tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))


def _expressions(by_language: Mapping[str, list[str]], languages: tuple[str, ...]) -> list[str]:
    return [expression for language in languages for expression in by_language.get(language, [])]
