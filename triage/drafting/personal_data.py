"""Finds personal data in folded text: e-mail addresses, cards, IBANs, telephone numbers, postal addresses, keys, ids.

Text comes folded (no accents, ASCII digits, plain spaces and hyphens); the expressions lie in `personal_data.toml`.
Every search is linear: repetitions are bounded or possessive, and each run of characters is entered at its start only.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from triage.drafting.number_checks import IBAN_LENGTHS, NATIONAL_IDS, is_card, is_iban

EMAIL = re.compile(r"(?<![\w.+%'&=-])[\w.+%'&=-]++@(?:[\w-]++\.)++[\w-]*+")
QUOTED_LOCAL = re.compile(r'"[^"\n]{1,64}"@(?:[\w-]{1,63}+\.){1,8}+[\w-]{1,63}+')
SPELT_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}+ ?[(\[{] ?(?:at|arroba|@) ?[)\]}] ?[\w-]{1,63}+"
    r"(?:(?:\.| ?[(\[{] ?(?:dot|punkt|punto|point) ?[)\]}] ?)[\w-]{1,63}+){1,8}+",
    re.I,
)
FIELD_NAME = re.compile(r"(?:e-?mail|mail|to|from|user|username|login|address|rcpt)=", re.I)
#: What looks like an address and names a file, a package or a host.
FILE_ENDING = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|[\d.]+)$", re.I)
DISPLAY_NAME = re.compile(
    r'(?P<q>"[^"\n]{2,80}") ?<$|(?:^|[:;,\n] ?)(?P<w>[A-Z][\w.\'-]{0,30}(?: [\w.\'-]{1,30}){0,3}) ?<$'
    r"|(?<![\w.'-])(?P<n>[A-Z][\w.'-]{1,30}(?: [A-Z][\w.'-]{0,30}){1,3}) ?<$"
)
#: In front of the password of an address with credentials: "https://user:".
CREDENTIALS = re.compile(r"://[^\s/:@]{1,64}:$")
DIGITS_RUN = re.compile(r"(?<![A-Za-z0-9_])\d++(?:[ .-]{1,2}+\d++)*+(?![A-Za-z_])")
IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ -]?\d{2}")
CARD_CODE = re.compile(r"(?<![a-z])(?:cvv2?|cvc2?)(?: (?:is|ist|est|es|e|code))?[ :=]{1,3}(?P<v>\d{3,4})(?!\d)", re.I)
PHONE_RUN = re.compile(r"(?<![A-Za-z0-9_#=/-])(?<!\d[.,])[(+]{0,2}\d++(?:[ ().\-/]{1,3}+\d++)*+")
GROUP = re.compile(r"[(+]{0,2}\d+")
#: Behind a shorter word a stop may stand for the rest of it: "Ref. no. 4".
SENTENCE_END = re.compile(r"\w{4}[.!?]\s")
DATE = re.compile(r"(?<!\d)(?:\d{1,2}([./ -])\d{1,2}\1(?:19|20)\d\d|(?:19|20)\d\d([./-])\d{1,2}\2\d{1,2})(?!\d)")
AFTER_AMOUNT = re.compile(r"[A-Za-z0-9_%€$£]|[,.:]\d| (?:EUR|USD|GBP|CHF|€|\$|£|%)")
ENTROPY = re.compile(r"(?<![\w+/.-])[\w+/-]{20,}+={0,2}")
MAX_GROUPS = 7
MAX_PHONE = 30
MAX_TRIES = 20
#: How far in front of a number the word for it may stand.
REACH = 40


class Span(NamedTuple):
    """A stretch of text, end exclusive, and what it is."""

    start: int
    end: int
    kind: str


@cache
def _table() -> dict[str, Any]:
    text = Path(__file__).with_name("personal_data.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _patterns(section: str, name: str) -> tuple[re.Pattern[str], ...]:
    parts: Mapping[str, str] = _table()[section].get("parts", {})
    shapes = _table()[section][name]
    for part, shape in parts.items():
        shapes = [one.replace(f"{{{part}}}", shape) for one in shapes]
    return tuple(map(re.compile, shapes))


@cache
def _any_of(section: str, *names: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{shape})" for name in names for shape in _table()[section][name]))


@cache
def _cues() -> re.Pattern[str]:
    groups = (f"(?P<{name}>{'|'.join(words)})" for name, words in _table()["cues"].items())
    return re.compile(rf"(?<![a-z])(?:{'|'.join(groups)})(?![a-z])", re.I)


def _cue(text: str, start: int) -> str:
    """Return what the last telling word in front says a number is: thing, phone, id, or nothing.

    What names a thing does so within its sentence.
    """
    last = ""
    for found in _cues().finditer(text, max(0, start - REACH), start):
        if found.lastgroup != "thing" or not SENTENCE_END.search(text, found.end(), start):
            last = found.lastgroup or ""
    return last


def find_personal_data(text: str) -> list[Span]:
    """Return every span of folded text that is personal data; spans may overlap."""
    finders: Sequence[Callable[[str], Iterator[Span]]] = (_emails, _cards, _ibans, _ids, _phones, _addresses, _keys)
    return [span for finder in finders for span in finder(text)]


def _emails(text: str) -> Iterator[Span]:
    for match in EMAIL.finditer(text):
        start, end = match.span()
        found = match.group()
        start += len(found) - len(found.lstrip("'.-&=%"))
        end -= len(found) - len(found.rstrip(".-_"))
        if field := FIELD_NAME.match(text, start, end):
            start = field.end()
        local, _, domain = text[start:end].rpartition("@")
        if not local or "." not in domain or local == "git" or FILE_ENDING.search(domain):
            continue
        if CREDENTIALS.search(text[max(0, start - 70) : start]):
            continue
        yield Span(start, end, "EMAIL")
        if text[start - 1 : start] == "<" and (name := DISPLAY_NAME.search(text[max(0, start - 130) : start])):
            shift = max(0, start - 130)
            yield Span(shift + name.start(name.lastgroup or 0), shift + name.end(name.lastgroup or 0), "NAME")
    for pattern in (QUOTED_LOCAL, SPELT_EMAIL):
        yield from (Span(*match.span(), "EMAIL") for match in pattern.finditer(text))


def _cards(text: str) -> Iterator[Span]:
    """Yield numbers with a card's first digits, a length that goes with them, usual groups, and Luhn's check digit."""
    for run in DIGITS_RUN.finditer(text):
        groups = [(match.start(), match.end()) for match in re.finditer(r"\d+", run.group())]
        at = 0
        while at < len(groups):
            last = _card_from(run.group(), groups, at)
            if last:
                yield Span(run.start() + groups[at][0], run.start() + groups[last - 1][1], "CARD")
            at = last or at + 1
    for match in CARD_CODE.finditer(text):
        yield Span(*match.span("v"), "CARD")


def _card_from(run: str, groups: Sequence[tuple[int, int]], at: int) -> int:
    """Return the index after the last group of a card that begins with group `at`; 0 for none."""
    digits, sizes, found = "", list[int](), 0
    for index in range(at, min(at + 19, len(groups))):
        start, end = groups[index]
        if end - start > 19 or len(digits) + end - start > 19:
            break
        digits += run[start:end]
        sizes.append(end - start)
        regular = min(sizes[:-1], default=4) >= 4 or (at == 0 and len(set(sizes)) == 1)
        if not regular:
            break
        if len(digits) >= 13 and is_card(digits):
            found = index + 1
    return found


def _ibans(text: str) -> Iterator[Span]:
    for match in IBAN_START.finditer(text):
        wanted = IBAN_LENGTHS.get(match.group()[:2].upper())
        if wanted is None:
            continue
        kept, end = "", match.start()
        for place in range(match.start(), min(match.start() + 2 * wanted, len(text))):
            char = text[place]
            if char.isascii() and char.isalnum():
                kept, end = kept + char, place + 1
                if len(kept) == wanted:
                    break
            elif char not in " -" or text[place - 1] in " -":
                break
        if is_iban(kept) and not (text[end : end + 1].isascii() and text[end : end + 1].isalnum()):
            yield Span(match.start(), end, "IBAN")


def _ids(text: str) -> Iterator[Span]:
    for id_ in NATIONAL_IDS:
        for match in id_.shape.finditer(text):
            cue = _cue(text, match.start())
            if (cue == "id" or (not id_.needs_word and cue != "thing")) and id_.is_right(_bare(match.group())):
                yield Span(*match.span(), "ID")


def _bare(value: str) -> str:
    return re.sub(r"[ ./-]", "", value).upper()


@cache
def _phone_lengths() -> dict[str, range]:
    rows = (entry.split(":") for entry in _table()["phone"]["lengths"].split())
    return {code: range(int(span.split("-")[0]), int(span.split("-")[-1]) + 1) for code, span in rows}


def _phones(text: str) -> Iterator[Span]:
    for run in PHONE_RUN.finditer(text):
        groups = [match.span() for match in GROUP.finditer(run.group())]
        at, may_begin, tried = 0, True, 0
        while at < len(groups) and tried < MAX_TRIES:
            last = _phone_from(text, run.start(), groups, at) if may_begin else 0
            if last:
                yield Span(run.start() + groups[at][0], run.start() + groups[last - 1][1], "PHONE")
                at, may_begin = last, True
                continue
            # In the middle of a run a number begins after another one or after a very short group; a table has many.
            tried += may_begin
            _, end = groups[at]
            may_begin = end - groups[at][0] <= 2 and run.group()[end : end + 1] == " "
            at += 1


def _phone_from(text: str, shift: int, groups: Sequence[tuple[int, int]], at: int) -> int:
    """Return the index after the last group of the longest telephone number that begins with group `at`; 0 for none."""
    start, cue = shift + groups[at][0], None
    for last in range(min(at + MAX_GROUPS, len(groups)), at, -1):
        end = shift + groups[last - 1][1]
        form = _phone_form(text[start:end]) if end - start <= MAX_PHONE else ""
        if not form or AFTER_AMOUNT.match(text, end):
            continue
        if form == "international":
            return last
        cue = _cue(text, start) if cue is None else cue
        alone = text[start - 1 : start] in ("", "\n") and text[end : end + 1] in ("", "\n")
        if cue == "phone" or (not cue and (form == "free" or (form == "lonely" and alone))):
            return last
    return 0


def _phone_form(value: str) -> str:
    """Return which form of telephone number this is written in, or nothing."""
    digits = re.sub(r"\D", "", value.replace("(0)", ""))
    if not 8 <= len(digits) <= 15 or value.count("(") != value.count(")"):
        return ""
    if value.lstrip("(").startswith("+") or (digits.startswith("00") and digits[2:3] != "0"):
        return "international" if _is_international(digits.removeprefix("00")) else ""
    if len(digits) > 12 or DATE.search(value):
        return ""
    form = next((form for form in ("free", "lonely", "cued") if _any_of("phone", form).fullmatch(value)), "")
    # Pairs of digits are a French number, five of them, or a table.
    pairs = len(digits) != 10 and {len(group) for group in re.findall(r"\d+", value)} == {2}
    return "cued" if form == "free" and (pairs or len(digits) < 9) else form


def _is_international(digits: str) -> bool:
    lengths = _phone_lengths()
    code = next((digits[:size] for size in (1, 2, 3) if digits[:size] in lengths), "")
    return bool(code) and len(digits) - len(code) in lengths[code]


def _addresses(text: str) -> Iterator[Span]:
    yield from _matches(text, _patterns("address", "shapes"), "ADDRESS")


def _matches(text: str, patterns: Sequence[re.Pattern[str]], kind: str) -> Iterator[Span]:
    for pattern in patterns:
        group = "v" if "v" in pattern.groupindex else 0
        for match in pattern.finditer(text):
            yield Span(*match.span(group), kind)


def _keys(text: str) -> Iterator[Span]:
    yield from _matches(text, _patterns("keys", "shapes"), "KEY")
    for span in _matches(text, _patterns("keys", "told"), "KEY"):
        value = text[span.start : span.end].rstrip(".")
        if any(map(str.isdigit, value)) and any(map(str.isalpha, value)):
            yield Span(span.start, span.start + len(value), "KEY")
    yield from _passwords(text)
    for match in ENTROPY.finditer(text):
        if any(map(_is_random, re.split(r"[_/+=-]", match.group()))):
            yield Span(*match.span(), "KEY")


def _is_random(word: str) -> bool:
    """Tell whether 16 or more characters jump between small letters, capitals and digits as only machines do."""
    classes = ["d" if char.isdigit() else "u" if char.isupper() else "l" for char in word]
    jumps = sum(left != right for left, right in pairwise(classes))
    return len(word) >= 16 and set(classes) == {"d", "u", "l"} and jumps >= 0.4 * len(word)


@cache
def _password() -> tuple[re.Pattern[str], frozenset[str]]:
    keys = _table()["keys"]
    return re.compile(keys["password"]), frozenset(keys["states"].split())


def _passwords(text: str) -> Iterator[Span]:
    """Yield what somebody says is a password. A plain word is one only where the sentence ends with it."""
    pattern, states = _password()
    for match in pattern.finditer(text):
        value = match.group("v").rstrip(".,;:)]}>")
        plain = value.rstrip("!?")
        end = match.start("v") + len(value)
        if len(value) < 3 or plain.lower() in states or not plain.strip("*") or plain.upper().startswith(("<", "YOUR")):
            continue
        is_word = plain.replace("-", "").isalpha() and (plain.islower() or plain.istitle())
        ends = not text[end : end + 2].strip(".,;)\"'") or text[end : end + 1] == "\n" or text[end : end + 2] == ". "
        if match.group("is") is None:
            # Nothing says that this is the password but its looks.
            told = len(plain) > 5 and any(map(str.isdigit, plain)) and any(map(str.isalpha, plain))
        else:
            told = bool(match.group("q")) or not is_word or (ends and len(plain) > 4)
        if told:
            yield Span(match.start("v"), end, "KEY")
