"""Personal data becomes typed placeholders before text goes to a remote model or into a prompt, and comes back after.

`redact` is pure and loses nothing: `restore(*redact(text)).text == text` for every text. Placeholders that a customer
typed are themselves replaced, so that a placeholder in a redacted text is always ours. Kinds that have a check (cards,
IBANs, most national ids) are proven by it; the others go by their shape and the words in front of them. IP addresses,
UUIDs and hexadecimal hashes stay: here they name devices, orders and files, and the answer needs them.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from triage.cleaning import CONTROL, INVISIBLE, LINE_BREAK
from triage.drafting.personal_data import Span, find_personal_data

#: What `restore` takes for a placeholder. `LOOKALIKE` covers it and what a model may make of one.
PLACEHOLDER = re.compile(r"\{[A-Z]{2,8}_[1-9][0-9]{0,6}\}")
LOOKALIKE = re.compile(r"\{ ?[A-Za-z]{2,8} ?_ ?[0-9]{1,7} ?\}")
DASHES = "‐‑‒–—―−"
#: Longer ones are whole phrases in one character, and would only lengthen the text.
MAX_PARTS = 4
TOKEN = re.compile(r"\S+")
#: A value as short as this may be an ordinary word elsewhere.
MIN_RECURRING = 6
#: A name is a few words; more is not a name, and every part costs time.
MAX_NAME, MAX_NAME_WORDS = 120, 8
NO_NAME = frozenset(
    {"van", "von", "der", "den", "del", "della", "dos", "das", "bin", "ibn", "the", "and", "und", "mrs"}
)


@dataclass(frozen=True, slots=True)
class Redactions:
    """What stood where a placeholder stands now. Its `repr` holds no value, so that no log line can."""

    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The placeholders, in the order in which they were first used."""
        return tuple(self.values)


@dataclass(frozen=True, slots=True)
class Restored:
    """A text with its values back. `unknown`: what looks like a placeholder and is none of ours, left as it stood."""

    text: str
    unknown: tuple[str, ...]


NOTHING = Redactions()


def redact(text: str, known: Redactions = NOTHING, names: Iterable[str] = ()) -> tuple[str, Redactions]:
    """Return the text with typed placeholders, and `known` with what they stand for.

    Hand each text of a prompt the redactions of the one before: the same characters then get the same placeholder,
    and a password that was told in the first is found in the others. Another spelling of a value is another value,
    since what is put back is exact. `names`: people who must not be named, such as the requester.
    """
    folded, offsets = _fold(text)
    found = [Span(match.start(), match.end(), "TEXT") for match in LOOKALIKE.finditer(folded)]
    found += find_personal_data(folded)
    found += _find_names(folded, names)
    spans = list(_in_original(text, offsets, _joined(found)))
    told = {value: placeholder[1:].split("_")[0] for placeholder, value in known.values.items()}
    told |= {text[start:end]: kind for start, end, kind in spans}
    spans = list(_joined([*spans, *_recurring(text, told)]))
    placeholders = {value: placeholder for placeholder, value in known.values.items()}
    counts: dict[str, int] = {}
    for placeholder in known.values:
        kind = placeholder[1:].split("_")[0]
        counts[kind] = counts.get(kind, 0) + 1
    parts, last = [], 0
    for start, end, kind in spans:
        value = text[start:end]
        if value not in placeholders:
            counts[kind] = counts.get(kind, 0) + 1
            placeholders[value] = f"{{{kind}_{counts[kind]}}}"
        parts += [text[last:start], placeholders[value]]
        last = end
    values = {placeholder: value for value, placeholder in placeholders.items()}
    return "".join([*parts, text[last:]]), Redactions(MappingProxyType(values))


def restore(text: str, redactions: Redactions) -> Restored:
    """Put the values back in one pass, so that nothing inside a value is read as a placeholder."""
    unknown = [look for look in LOOKALIKE.findall(text) if look not in redactions.values]
    put_back = PLACEHOLDER.sub(lambda found: redactions.values.get(found.group(), found.group()), text)
    return Restored(put_back, tuple(dict.fromkeys(unknown)))


def _fold(text: str) -> tuple[str, Sequence[int]]:
    """Return text as the patterns read it, and where each of its characters stands in the original."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text, range(len(text))
    folded: list[str] = []
    offsets: list[int] = []
    for at, char in enumerate(text):
        plain = "" if char == "\r" and text[at + 1 : at + 2] == "\n" else _plain(char)
        folded.append(plain)
        offsets += [at] * len(plain)
    return "".join(folded), offsets


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """Return one character without accent, width or script of its digits; nothing where it cannot be seen."""
    if char == "\n" or LINE_BREAK.match(char):
        return "\n"
    if char.isspace():
        return " "
    if INVISIBLE.match(char) or CONTROL.match(char):
        return ""
    if char in DASHES or char in "‘’":
        return "-" if char in DASHES else "'"
    kept = [part for part in unicodedata.normalize("NFKD", char) if not unicodedata.category(part).startswith("M")]
    return "".join(str(unicodedata.decimal(part, part)) for part in kept[:MAX_PARTS])


def _in_original(text: str, offsets: Sequence[int], spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans of the folded text as spans of the original, marks that belong to the last letter included."""
    reached = 0
    for span in spans:
        start, end = max(reached, offsets[span.start]), offsets[span.end - 1] + 1
        while end < len(text) and unicodedata.category(text[end]).startswith("M"):
            end += 1
        if start < end:
            yield Span(start, end, span.kind)
        reached = max(reached, end)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans in order, overlapping ones as one of the longest one's kind: no part of a value may stay."""
    current, longest = None, 0
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if current is None or span.start >= current.end:
            if current is not None:
                yield current
            current, longest = span, span.end - span.start
            continue
        kind = span.kind if span.end - span.start > longest else current.kind
        longest = max(longest, span.end - span.start)
        current = Span(current.start, max(current.end, span.end), kind)
    if current is not None:
        yield current


def _recurring(text: str, kinds: Mapping[str, str]) -> Iterator[Span]:
    """Yield where a value without white space stands again, though nothing in front of it gives it away there.

    One look-up per word, so that many values cost no more than one.
    """
    telling = {value for value in kinds if len(value) >= MIN_RECURRING and not value.isalpha()}
    for match in TOKEN.finditer(text) if telling else ():
        for word in (match.group(), match.group().strip(".,;:!?\"'()[]<>")):
            if word in telling:
                start = match.start() + match.group().index(word)
                yield Span(start, start + len(word), kinds[word])
                break


def _find_names(folded: str, names: Iterable[str]) -> Iterator[Span]:
    """Yield where a name stands: the whole of it in any case, a part of it only with a capital."""
    whole, parts = set[str](), set[str]()
    for name in names:
        words = [word.strip(".,'\"()") for word in _fold(name[:MAX_NAME])[0].split()[:MAX_NAME_WORDS]]
        has_parts = [_is_name_part(word, alone=len(words) == 1) for word in words]
        parts |= {
            form for word, has in zip(words, has_parts, strict=True) if has for form in (word.title(), word.upper())
        }
        parts |= {word for word, has in zip(words, has_parts, strict=True) if has and not word.islower()}
        # One word alone, "Will", is an ordinary word too unless it has its capital.
        if len("".join(words)) > 1 and (len(words) > 1 or not all(has_parts)):
            whole.add(r"[ \n,.]{1,3}".join(re.escape(word) for word in words if word))
    for wanted, flags in ((whole, re.I), ({re.escape(part) for part in parts}, re.NOFLAG)):
        if not wanted:
            continue
        # Letters without case are written without spaces between words: there a name has no edges.
        pattern = re.compile("|".join(sorted(wanted, key=len, reverse=True)), flags)
        for match in pattern.finditer(folded):
            start, end = match.span()
            if not (_joins(folded[start - 1 : start], folded[start]) or _joins(folded[end - 1], folded[end : end + 1])):
                yield Span(start, end, "NAME")


def _is_name_part(word: str, alone: bool) -> bool:
    """Tell whether a word of a name says by itself, with its capital, who is meant."""
    letters = word.replace("-", "").replace("'", "")
    return (
        (alone or len(word) > 2) and letters.isalpha() and word.lower() != word.upper() and word.lower() not in NO_NAME
    )


def _joins(left: str, right: str) -> bool:
    """Tell whether two neighbouring characters belong to one word."""
    cased = left.lower() != left.upper() or right.lower() != right.upper()
    return left.isalnum() and right.isalnum() and (cased or (left.isdigit() and right.isdigit()))
