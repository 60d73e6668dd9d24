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
#: What others said, and a question how, reach further: so much of a sentence may follow "my boss says that …".
OTHERS_REACH = 8
ANEW = re.compile(r"\b(?:i|we|my|our|please|let)\b", re.I)
#: The same for wording in several languages, with the turning words at which no English clause ends.
ANEW_ANYWHERE = re.compile(
    rf"{ANEW.pattern}|\b(?:ich|wir|meine?|unsere?|bitte|aber|je|j'|nous|mon|ma|notre|mais|yo|mi|nuestr[oa]|pero)\b",
    re.I,
)
#: Several rules read the same text one after the other: the last few texts are split once.
SPLIT_TEXTS = 16
#: The languages that phrases are written in.
LANGUAGES = ("en", "de", "fr", "es")
#: No negation makes these harmless enough to go unseen: people in danger, and words for the machine.
NEVER_TAKEN_BACK = frozenset(
    {"self_harm", "safety", "security_incident"}
    | {"override", "role", "prompt", "dictated", "decision", "addressed", "markup"}
)
#: Headings of the phrase file that are no rule of their own.
NO_RULES = frozenset({"cancel", "unless"})


@dataclass(frozen=True, slots=True)
class Match:
    """Wording that was found: the topic it stands for, the words, and the clause around them."""

    topic: str
    words: str
    clause: str


def find_wording(text: str, rule: str, languages: Sequence[str] = ("en",)) -> Iterator[Match]:
    """Yield every match of a rule's phrases that its own clause does not take back, in reading order."""
    said, possible = _read(text)
    topics = []
    for topic, name in _topics(rule).items():
        patterns = tuple(one for language in languages for one in possible.get(f"{name}/{language}", ()))
        if patterns:
            topics.append((topic, patterns))
    if not topics:
        return
    cancel, unless = _cancel(tuple(languages)), _unless(rule, tuple(languages))
    anew = ANEW if set(languages) <= {"en"} else ANEW_ANYWHERE
    for clause in said:
        for topic, patterns in topics:
            match = first_match(patterns, clause)
            if match is None:
                continue
            before = clause[: match.start()]
            # Where the words found are a sentence of the writer's own, what others said or asked ended before them.
            others = None if anew.match(match.group()) else unless
            if topic in NEVER_TAKEN_BACK or not (
                _taken_back(before, cancel, anew) or (others and _taken_back(before, others, anew, OTHERS_REACH))
            ):
                yield Match(topic, match.group(), clause)


@lru_cache(maxsize=SPLIT_TEXTS)
def _read(text: str) -> tuple[tuple[str, ...], Mapping[str, Patterns]]:
    """Return the clauses of a text, and the patterns of every rule, topic and language that may match in one of them.

    One look for all languages: most of what it costs is to read the text.
    """
    said = tuple(clauses(text))
    return said, _index().possible("\n".join(said))


def _taken_back(before: str, cancel: re.Pattern[str], anew: re.Pattern[str], reach: int = NEGATION_REACH) -> bool:
    """Tell whether a negation stands close enough in front, with no new beginning in between."""
    last = None
    for found in cancel.finditer(before):
        last = found
    between = before[last.end() :] if last else ""
    return last is not None and len(between.split()) <= reach and not anew.search(between)


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
def _index() -> PhraseIndex:
    """Return all phrases under RULE/LANGUAGE or RULE.TOPIC/LANGUAGE."""
    table = phrase_table()
    return PhraseIndex(
        {
            f"{name}/{language}": expressions
            for rule in table
            if rule not in NO_RULES
            for topic, name in _topics(rule).items()
            for language, expressions in (table[rule][topic] if topic else table[rule]).items()
        },
        re.I,
    )


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
def _unless(rule: str, languages: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return what takes back a match of this rule alone, None where nothing does."""
    expressions = _expressions(phrase_table()["unless"].get(rule, {}), languages)
    return re.compile("|".join(f"(?:{expression})" for expression in expressions), re.I) if expressions else None


@cache
def phrase_table() -> dict[str, Any]:
    """Return the phrase file that ships with the package."""
    return tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))


def _expressions(by_language: Mapping[str, list[str]], languages: tuple[str, ...]) -> list[str]:
    return [expression for language in languages for expression in by_language.get(language, [])]
