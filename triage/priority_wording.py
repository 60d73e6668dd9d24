"""The wording of priority factors, read from ``priority_phrases.toml``, and the negations that take it back."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from triage.drafting.clauses import ANEW, NEGATION_REACH, clauses, phrase_table
from triage.phrase_index import Patterns, PhraseIndex, first_match

Axis = Literal["impact", "urgency"]
#: Topics of the handoff rules' wording that are factors too.
SHARED_TOPICS = {"security": "security_incident"}
#: No negation is longer.
NEAR = 120

#: Marks between digits end no clause: they are carried through as private characters.
NUMBER_MARK = re.compile(
    r"(?<=\d)[.,:](?=\d)|(?<=\d)\.(?= ?(?:jan|feb|m[aä]r|apr|mai|jun|jul|aug|sep|okt|nov|dez))", re.I
)
CARRIED = {".": "\ue000", ",": "\ue001", ":": "\ue002"}
RESTORED = {ord(carried): mark for mark, carried in CARRIED.items()}
HALF_OF_DAY = re.compile(r"\b([ap])\.m\b\.?", re.I)
DIGIT = re.compile(r"\d")


class Folded(str):
    """A clause in lower case, and which factors' wording can stand in it: looked up once, for all factors."""

    @cached_property
    def possible(self) -> Mapping[str, Patterns]:
        """The patterns that may match, by factor; those of other factors do not."""
        return _index().possible(self)


@dataclass(frozen=True, slots=True)
class Phrases:
    """The expressions of one factor, to be searched for like one pattern."""

    factor: str

    def search(self, lower: str) -> re.Match[str] | None:
        """Return the leftmost match in `folded` text."""
        possible = lower.possible if isinstance(lower, Folded) else Folded(lower).possible
        return first_match(possible[self.factor], lower) if self.factor in possible else None


@dataclass(frozen=True, slots=True)
class Wording:
    """The expressions of one factor."""

    name: str
    axis: Axis
    points: int
    pattern: Phrases


def number_clauses(text: str) -> Iterator[str]:
    """Yield each clause of a text once; dates, times and amounts stay whole."""
    whole = HALF_OF_DAY.sub(r"\1m", text) if ".m" in text or ".M" in text else text
    if DIGIT.search(whole):
        whole = NUMBER_MARK.sub(lambda mark: CARRIED[mark.group()], whole)
    for clause in dict.fromkeys(clauses(whole)):
        yield clause.translate(RESTORED)


def folded(clause: str) -> Folded:
    """Return a clause in lower case, place for place: three times as quick to search as without regard to case."""
    lower = clause.lower()
    return Folded(lower if len(lower) == len(clause) else clause)


def taken_back(before: str) -> bool:
    """Tell whether folded text ends in a negation, or in one within reach and with no new beginning since."""
    return _negation().search(before[-NEAR:]) is not None


@cache
def priority_phrases() -> dict[str, Any]:
    """Return the phrase file of this module."""
    return tomllib.loads(Path(__file__).with_name("priority_phrases.toml").read_text(encoding="utf-8"))


@cache
def wordings() -> tuple[Wording, ...]:
    """Return the expressions of every factor, in the order of the file."""
    entries = priority_phrases()["factors"]
    return tuple(Wording(name, entry["axis"], entry["points"], Phrases(name)) for name, entry in entries.items())


@cache
def _index() -> PhraseIndex:
    shared = phrase_table()["sensitive_topic"]
    found = {}
    for name, entry in priority_phrases()["factors"].items():
        found[name] = [*entry.get("en", []), *entry.get("de", [])]
        if name in SHARED_TOPICS:
            found[name] += shared[SHARED_TOPICS[name]]["en"]
    return PhraseIndex(found)


@cache
def _negation() -> re.Pattern[str]:
    near = [expression for language in priority_phrases()["negation"].values() for expression in language]
    reaching = [expression for language in phrase_table()["cancel"].values() for expression in language]
    words = rf"(?: (?!{ANEW.pattern})\S+){{0,{NEGATION_REACH}}}"
    return re.compile(rf"(?:(?:{'|'.join(near)})|(?:{'|'.join(reaching)}){words})\s*$")


def any_of(expressions: Collection[str]) -> re.Pattern[str]:
    """Return one pattern for any of the expressions, to be matched on `folded` text."""
    return re.compile("|".join(f"(?:{expression})" for expression in expressions))
