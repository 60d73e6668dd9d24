"""What a sentence states to the letter: numbers with units, prices, times, dates, links, codes, quoted names.

Two ways of writing the same are one literal: "two weeks" and "14 days", "£20" and "20 pounds", "5 pm" and "17:00".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal as OneOf

Kind = OneOf["number", "price", "time", "date", "link", "code", "quote"]

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TEENS = f"{_ONES} seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS: dict[str, Fraction] = {word: Fraction(value) for value, word in enumerate(_TEENS.split())}
WORDS |= {word: Fraction(ten * 10) for ten, word in enumerate(TENS.split(), 2)}
WORDS |= {"hundred": Fraction(100), "thousand": Fraction(1000), "dozen": Fraction(12), "half": Fraction(1, 2)}
_TENS = TENS.replace(" ", "|")
_SPOKEN = "|".join(sorted((word for word in WORDS if word != "half"), key=len, reverse=True))
#: In words and without a unit these are seldom a number that matters: "one of them", "the two of you", "half-way".
VAGUE = frozenset({"zero", "one", "two", "half", "dozen"})
#: A unit's names, what it measures, and how many of that: so a week is seven days.
_UNITS: dict[str, tuple[str, Fraction]] = {}
for _names, _of, _size in (
    ("second seconds sec secs s", "minute", Fraction(1, 60)),
    ("minute minutes min mins", "minute", Fraction(1)),
    ("hour hours hr hrs h", "minute", Fraction(60)),
    ("day days", "minute", Fraction(1440)),
    ("night nights", "night", Fraction(1)),
    ("week weeks", "minute", Fraction(10080)),
    ("fortnight fortnights", "minute", Fraction(20160)),
    ("month months", "month", Fraction(1)),
    ("quarter quarters", "month", Fraction(3)),
    ("year years", "month", Fraction(12)),
    ("percent per-cent %", "percent", Fraction(1)),
    ("kb", "byte", Fraction(1000)),
    ("mb megabyte megabytes", "byte", Fraction(10**6)),
    ("gb gigabyte gigabytes", "byte", Fraction(10**9)),
    ("tb terabyte terabytes", "byte", Fraction(10**12)),
    ("kbit/s kbps", "bit/s", Fraction(1000)),
    ("mbit/s mbps", "bit/s", Fraction(10**6)),
    ("gbit/s gbps", "bit/s", Fraction(10**9)),
    ("mm millimetre millimetres millimeter millimeters", "mm", Fraction(1)),
    ("cm centimetre centimetres centimeter centimeters", "mm", Fraction(10)),
    ("m metre metres meter meters", "mm", Fraction(1000)),
    ("km kilometre kilometres kilometer kilometers", "mm", Fraction(10**6)),
    ("mile miles", "mile", Fraction(1)),
    ("inch inches", "inch", Fraction(1)),
    ("g gram grams", "g", Fraction(1)),
    ("kg kilo kilos kilogram kilograms", "g", Fraction(1000)),
    ("lb lbs pound-weight", "lb", Fraction(1)),
    ("ml millilitre millilitres milliliter milliliters", "ml", Fraction(1)),
    ("l litre litres liter liters", "ml", Fraction(1000)),
    ("°c degrees", "degree", Fraction(1)),
    ("w watt watts", "w", Fraction(1)),
    ("kw kilowatt kilowatts", "w", Fraction(1000)),
    ("kwh", "kwh", Fraction(1)),
    ("mah", "mah", Fraction(1)),
    ("v volt volts", "v", Fraction(1)),
    ("bar", "bar", Fraction(1)),
    ("ghz", "ghz", Fraction(1)),
):
    _UNITS |= dict.fromkeys(_names.split(), (_of, _size))
_WORKING = "(?:working|business|week)"
_SPELT = (name for name in _UNITS if name.isalpha() or "/" in name)
_UNIT = "|".join(sorted(map(re.escape, _SPELT), key=len, reverse=True))
_DIGITS = r"\d{1,3}(?:,\d{3}){1,3}(?:\.\d{1,6})?|\d{1,12}(?:\.\d{1,6})?"
_NUMBER = rf"(?:{_DIGITS}|half an?|(?:{_TENS})[- ](?:one|two|three|four|five|six|seven|eight|nine)|(?:{_SPOKEN})\b)"
_AMOUNT = re.compile(
    rf"(?<![\w.,/])(?<!\D-)(?P<number>{_NUMBER})(?P<ordinal>st|nd|rd|th)?"
    rf"(?:\s?(?P<percent>%|per ?cent\b)|[\s-]?(?P<degree>°c|°f)|[\s-]{{1,2}}(?:full |whole |more )?"
    rf"(?P<working>{_WORKING}[ -])?(?P<unit>{_UNIT})\b|(?P<tight>{_UNIT})\b)?(?!\w|[.,/]\d)",
    re.I,
)
#: "a week" is one; "a" alone is no number.
_SINGLE = re.compile(rf"\b(?:an?|each|every|one)\s(?P<working>{_WORKING}\s)?(?P<unit>(?:{_UNIT}))\b", re.I)
#: "3 to 5 days": the first number has the second's unit.
_RANGE = re.compile(rf"(?P<first>{_NUMBER})(?P<gap>\s?(?:-|–|to|and|or)\s?)(?=(?:{_NUMBER}))", re.I)
_MARKS = {"£": "gbp", "€": "eur", "$": "usd", "gbp": "gbp", "eur": "eur", "usd": "usd"}
_MARKS |= {"pound": "gbp", "pounds": "gbp", "euro": "eur", "euros": "eur", "dollar": "usd", "dollars": "usd"}
_PRICE = re.compile(
    rf"(?P<mark>[£€$])\s?(?P<number>{_DIGITS})|(?<![\w.])(?P<amount>{_NUMBER})\s?"
    rf"(?P<name>€|GBP|EUR|USD|pounds?|euros?|dollars?)(?!\w)|(?<![\w.])(?P<pence>\d{{1,6}})\s?(?:p|pence|cents?)\b",
    re.I,
)
_TIME = re.compile(
    r"(?<![\w.:£€$])(?:(?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))?\s?(?P<half>[ap]\.?m\b\.?)|"
    r"(?P<hour24>[01]?\d|2[0-3]):(?P<minute24>[0-5]\d)(?![\d:]))|\b(?P<named>noon|midday|midnight)\b",
    re.I,
)
_MONTHS = "january february march april may june july august september october november december"
MONTHS = _MONTHS.split()
_MONTH = "|".join([*MONTHS, *(month[:3] for month in MONTHS), "sept"])
_DATE = re.compile(
    r"(?P<iso>\b\d{4}-\d\d-\d\d\b)"
    rf"|\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})\b(?:,? \d{{4}})?"
    rf"|\b(?P<month2>{_MONTH})\.? (?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? \d{{4}})?",
    re.I,
)
_WEEKDAY = re.compile(r"\b(?P<day>mon|tues|wednes|thurs|fri|satur|sun)days?\b", re.I)
_LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>\"“”]{1,300}|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}"
    r"|(?<![\w.-])[^\W_][\w-]{0,62}(?:\.[^\W_][\w-]{0,62}){0,5}\.(?!(?:csv|docx?|gif|jpe?g|json|pdf|png|txt|xlsx?|xml|zip)\b)"
    r"[^\W\d_]{2,24}(?:/[^\s<>\"“”]{0,300})?(?![\w.]\w)|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]\w)"
    r"|\b(?:javascript|vbscript|data|file|ftp|tel|sms|mailto):[^\s<>\"“”]{1,300}",
    re.I,
)
_PHONE = re.compile(r"(?<![\w.+])\+?\(?\d[\d ()-]{6,20}\d(?!\w)")
#: Letters and digits in one word, words joined by underscores, or capitals alone: E-42, kb-305, ERR_TIMEOUT, CSV.
_CODE = re.compile(
    r"(?<![\w/.@-])(?:(?=[\w-]{0,30}\d)(?=[\w-]{0,30}[A-Za-z])[A-Za-z][\w-]{0,40}\w|[A-Za-z]\w{0,40}_\w{1,40}"
    r"|[A-Z]{2,20}(?:[-/][A-Z\d]{1,20}){0,4})(?![\w@])"
)
NO_CODE = frozenset({"OK", "AM", "PM", "GBP", "EUR", "USD"})
_QUOTE = re.compile(r"[“\"„«](?P<words>[^“”\"„«»]{1,80})[”\"“»]")


@dataclass(frozen=True, slots=True)
class Literal:
    """Something that has to stand in the source; value: its normal form; words: as it was written."""

    kind: Kind
    value: str
    words: str
    start: int


def find_literals(text: str) -> list[Literal]:
    """Return all literals of a text in reading order; no character is part of two, but a quote's words are."""
    taken = bytearray(len(text))
    found: list[Literal] = []
    for reader in (_links, _dates, _phones, _times, _prices, _codes, _amounts):
        for start, end, literal in reader(text):
            if not any(taken[start:end]):
                taken[start:end] = b"\x01" * (end - start)
                found.append(literal)
    found += [Literal("quote", _folded(one["words"]), one["words"], one.start()) for one in _QUOTE.finditer(text)]
    return sorted(found, key=lambda literal: literal.start)


Found = Iterator[tuple[int, int, Literal]]


def _links(text: str) -> Found:
    for match in _LINK.finditer(text):
        words = match.group().rstrip(".,;:!?)'’")
        plain = re.sub(r"^(?:https?://)?(?:www\.)?", "", words.lower()).rstrip("/")
        yield match.start(), match.start() + len(words), Literal("link", plain, words, match.start())


def _phones(text: str) -> Found:
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if len(digits) >= 7:
            yield *match.span(), Literal("link", digits, match.group(), match.start())


def _prices(text: str) -> Found:
    for match in _PRICE.finditer(text):
        if match["pence"]:
            value, mark = Fraction(match["pence"]) / 100, "pence"
        else:
            value = number_of(match["number"] or match["amount"])
            mark = _MARKS[(match["mark"] or match["name"]).lower()]
        yield *match.span(), Literal("price", f"{value} {mark}", match.group(), match.start())


def _times(text: str) -> Found:
    for match in _TIME.finditer(text):
        if match["named"]:
            minutes = 0 if match["named"].lower() == "midnight" else 720
        elif match["hour"]:
            minutes = int(match["hour"]) % 12 * 60 + int(match["minute"] or 0)
            minutes += 720 if match["half"].lower().startswith("p") else 0
        else:
            minutes = int(match["hour24"]) * 60 + int(match["minute24"])
        yield *match.span(), Literal("time", str(minutes), match.group(), match.start())


def _dates(text: str) -> Found:
    for match in _DATE.finditer(text):
        if match["iso"]:
            _, month, day = map(int, match["iso"].split("-"))
        else:
            name = (match["month"] or match["month2"]).lower()[:3]
            month = next(number for number, full in enumerate(MONTHS, 1) if full.startswith(name))
            day = int(match["day"] or match["day2"])
        yield *match.span(), Literal("date", f"{day}.{month}.", match.group(), match.start())
    for match in _WEEKDAY.finditer(text):
        yield *match.span(), Literal("date", match["day"].lower(), match.group(), match.start())


def _codes(text: str) -> Found:
    for match in _CODE.finditer(text):
        if match.group().lower() in _UNITS or match.group() in NO_CODE:
            continue
        yield *match.span(), Literal("code", match.group().lower(), match.group(), match.start())


def _amounts(text: str) -> Found:
    ranges = {match.start("first"): match.end() for match in _RANGE.finditer(text)}
    found = [match for match in _AMOUNT.finditer(text) if not match["ordinal"]]
    by_start = {match.start(): match for match in found}
    for match in found:
        second = by_start.get(ranges.get(match.start(), -1))
        unit = _unit_of(match) or (_unit_of(second) if second else "")
        if unit or match["number"].lower() not in VAGUE:
            value = _measured(number_of(match["number"]), unit)
            yield *match.span(), Literal("number", value, match.group().strip(), match.start())
    for match in _SINGLE.finditer(text):
        unit = ("working " if match["working"] else "") + match["unit"].lower()
        yield *match.span(), Literal("number", _measured(Fraction(1), unit), match.group(), match.start())


def _unit_of(match: re.Match[str]) -> str:
    if match["percent"]:
        return "%"
    name = match["unit"] or match["tight"] or match["degree"] or ""
    return ("working " if match["working"] else "") + name.lower()


def _measured(value: Fraction, unit: str) -> str:
    """Return a value in the base unit of what it measures; working days are a measure of their own."""
    working = unit.startswith("working ")
    measure, size = _UNITS.get(unit.removeprefix("working "), (unit, Fraction(1)))
    return f"{value * size} {'working ' if working else ''}{measure}".strip()


def number_of(words: str) -> Fraction:
    """Return the value of digits or number words."""
    plain = words.lower().replace(",", "")
    if plain[0].isdigit():
        return Fraction(plain)
    if plain.startswith("half"):
        return Fraction(1, 2)
    return sum((WORDS[part] for part in re.split(r"[- ]", plain)), Fraction(0))


def _folded(words: str) -> str:
    return " ".join(re.sub(r"[^\w\s%&/+-]", " ", words.casefold()).split())
