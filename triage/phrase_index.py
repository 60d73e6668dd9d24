"""Which of many expressions can match in a text at all: told by strings of which each match holds one.

Most of a ticket's wording is nobody's phrase. One look at its trigrams leaves a few expressions to be searched for,
instead of hundreds; the rest cannot match (Cox, Regular expression matching with a trigram index, 2012).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import product
from typing import Any

#: Longer lists of strings are not multiplied out, but needed one beside the other.
MAX_STRINGS = 24
#: A string of fewer characters stands nearly everywhere: it settles nothing by itself.
GRAM = 3
#: Letters that match i and s without regard to case, and that `lower` leaves as they are or makes two of.
FOLDED = str.maketrans({"İ": "i", "ı": "i", "ſ": "s"})
#: The rarer a letter is in the languages at hand, the better it tells texts apart.
COMMON = " etaoinsrhdlucmgfpwybvkj'xqz"
RARITY = {letter: place for place, letter in enumerate(COMMON)}

Strings = frozenset[str]
Patterns = tuple[re.Pattern[str], ...]


def fold(text: str) -> str:
    """Return a text in which a string that matches without regard to case stands as the same letters."""
    return text.lower() if text.isascii() else text.translate(FOLDED).lower()


def first_match(patterns: Iterable[re.Pattern[str]], text: str) -> re.Match[str] | None:
    """Return the leftmost match, of several there the first pattern's: what the patterns joined by ``|`` would find."""
    best: re.Match[str] | None = None
    for pattern in patterns:
        found = pattern.search(text)
        if found is not None and (best is None or found.start() < best.start()):
            if not found.start():
                return found
            best = found
    return best


class PhraseIndex:
    """Expressions under headings. Safe from many threads.

    An expression is compiled when a text may hold a match for the first time: most never are, and all at once take
    a second. Whether each one can be compiled is for a test to tell.
    """

    def __init__(self, headings: Mapping[str, Sequence[str]], flags: re.RegexFlag = re.NOFLAG) -> None:
        self._flags = flags
        self._expressions: list[tuple[str, str]] = []
        self._compiled: dict[int, re.Pattern[str]] = {}
        self._needs: list[list[tuple[str, ...]]] = []
        self._always: list[int] = []
        self._by_gram: dict[str, list[tuple[str, list[int]]]] = {}
        users: dict[str, list[int]] = {}
        for heading, expressions in headings.items():
            for expression in expressions:
                number = len(self._expressions)
                self._expressions.append((heading, expression))
                needs = needed_strings(expression, flags)
                best = max(needs, key=_worth, default=frozenset())
                if best and min(map(len, best)) >= GRAM:
                    needs.remove(best)
                    for string in _shortest(best):
                        users.setdefault(string, []).append(number)
                else:
                    self._always.append(number)
                self._needs.append([_shortest(strings) for strings in needs])
        for string, numbers in users.items():
            self._by_gram.setdefault(_rarest_gram(string), []).append((string, numbers))
        self._grams = frozenset(self._by_gram)

    def possible(self, text: str) -> dict[str, Patterns]:
        """Return the patterns that may match somewhere in a text, by heading, in their order; no others match.

        A text of several pieces must keep them apart by a character that no expression matches.
        """
        folded = fold(text)
        numbers = set(self._always)
        for gram in self._grams.intersection(map("".join, zip(folded, folded[1:], folded[2:], strict=False))):
            for string, users in self._by_gram[gram]:
                if string in folded:
                    numbers.update(users)
        found: dict[str, list[re.Pattern[str]]] = {}
        for number in sorted(numbers):
            for strings in self._needs[number]:
                for string in strings:
                    if string in folded:
                        break
                else:
                    break
            else:
                found.setdefault(self._expressions[number][0], []).append(self._pattern(number))
        return {heading: tuple(patterns) for heading, patterns in found.items()}

    def _pattern(self, number: int) -> re.Pattern[str]:
        pattern = self._compiled.get(number)
        if pattern is None:
            # Two threads may both do this: either result is as good.
            pattern = self._compiled[number] = re.compile(self._expressions[number][1], self._flags)
        return pattern


def needed_strings(expression: str, flags: re.RegexFlag) -> list[Strings]:
    """Return sets of folded strings: what an expression matches, folded, holds one string of each set."""
    found = _sequence(import_module("re._parser").parse(expression, flags))
    needs = found.needs if found.exact is None else [*found.needs, found.exact]
    return [strings for strings in dict.fromkeys(needs) if strings and all(strings)]


@dataclass(frozen=True)
class _Found:
    """exact: all that a part can match, folded, or None where that is too much to list; needs: as in the text."""

    exact: Strings | None
    needs: list[Strings]

    @property
    def best(self) -> Strings:
        """The most telling need, empty where there is none."""
        needs = self.needs if self.exact is None else [self.exact]
        return max((strings for strings in needs if all(strings)), key=_worth, default=frozenset())


NOTHING: Strings = frozenset([""])
ANYTHING = _Found(None, [])


def _sequence(parts: Iterable[Any]) -> _Found:
    """Read parts that follow each other."""
    run, needs = NOTHING, []
    is_exact = True
    for name, value in parts:
        found = _part(str(name), value)
        if found.exact is not None and len(run) * len(found.exact) <= MAX_STRINGS:
            run = frozenset(map("".join, product(run, found.exact)))
            continue
        needs += [run, *found.needs]
        run, is_exact = found.exact or NOTHING, False
    return _Found(run, needs) if is_exact else _Found(None, [*needs, run])


def _part(name: str, value: Any) -> _Found:
    """Read one part; what is not known here may match anything, so that nothing is ever ruled out wrongly."""
    if name == "LITERAL":
        return _Found(frozenset([fold(chr(value))]), [])
    if name in ("AT", "ASSERT", "ASSERT_NOT"):  # no width
        return _Found(NOTHING, [])
    if name == "SUBPATTERN":
        return _sequence(value[-1])
    if name == "BRANCH":
        return _branches([_sequence(branch) for branch in value[1]])
    if name == "IN" and all(str(kind) == "LITERAL" for kind, _ in value):
        return _Found(frozenset(fold(chr(code)) for _, code in value), [])
    if name in ("MAX_REPEAT", "MIN_REPEAT"):
        return _repeat(value[0], value[1], _sequence(value[2]))
    return ANYTHING


def _branches(found: list[_Found]) -> _Found:
    exact = [each.exact for each in found if each.exact is not None]
    if len(exact) == len(found) and sum(map(len, exact)) <= MAX_STRINGS:
        return _Found(frozenset().union(*exact), [])
    best = [each.best for each in found]
    return _Found(None, [frozenset().union(*best)] if all(best) else [])


def _repeat(least: int, most: int, found: _Found) -> _Found:
    if least == most == 1:
        return found
    if least:
        return _Found(None, [found.best] if found.best else [])
    return _Found(found.exact | NOTHING, []) if most == 1 and found.exact is not None else ANYTHING


def _worth(strings: Strings) -> tuple[int, int]:
    """Long strings tell more than short ones, and few more than many; the shortest is the weakest."""
    return min(map(len, strings), default=0), -len(strings)


def _shortest(strings: Strings) -> tuple[str, ...]:
    """Leave out strings that hold another one: where they stand, the other stands, too."""
    kept: list[str] = []
    for string in sorted(strings, key=lambda string: (len(string), string)):
        if not any(other in string for other in kept):
            kept.append(string)
    return tuple(kept)


def _rarest_gram(string: str) -> str:
    grams = [string[start : start + GRAM] for start in range(len(string) - GRAM + 1)]
    # A letter that is not in the list is the rarest of all.
    return max(grams, key=lambda gram: sum([RARITY.get(letter, 98) for letter in gram]))
