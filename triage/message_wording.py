"""What the words of a mail say about its kind, for mail whose headers are silent or can mean either.

Thanks and absences are gated only where nearly every clause is one of their formulas: what is left over is what a
person wanted to say. The wordings are in message_kinds.toml.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

#: Rules look at this much of a mail, and of its end.
MAX_READ, MAX_END = 10_000, 2_000
#: Longer runs without a stop are looked at in pieces, so that cost stays linear.
MAX_PIECE = 400
MAX_THANKS_WORDS, MAX_ABSENCE_WORDS = 60, 150
#: Words beside the formulas: after "it works again" somebody may say why; after bare thanks nothing may be left.
SPARE_SOLVED, SPARE_PRAISED, SPARE_IN_CLAUSE, SPARE_SHARE = 8, 6, 6, 0.25
MIN_NEWSLETTER_WORDS, MAX_BESIDE = 15, 3

#: Not the stop of "3. Januar" or "14.8. im Urlaub".
STOP = r"(?<!\d)\.(?=\s|$)|(?<=\d)\.(?=\s+(?-i:(?!Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)[A-ZÄÖÜÉ])|\s?$)"
SENTENCE_END = re.compile(rf"[!?;\n…]+|{STOP}", re.I)
CLAUSE_END = re.compile(
    rf"[!?;,()\n…]+|{STOP}|:(?=\s|$)|\s[-–—]+\s|\s(?=(?:and|but|und|aber|et|mais|y|pero|because|since|weil|denn)\s)",
    re.I,
)
JOINING = re.compile(r"^(?:and|und|et|y|so|because|since|weil|denn)\s+", re.I)
QUOTED = re.compile('"[^"\n]{1,400}"|[“„«][^”“»\n]{1,400}[”“»]')
#: Among bare thanks these are somebody's answer to a question.
ANSWER = re.compile(
    r"\d|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag)\b"
    r"|^(?:yes|yeah|no|ja|nein|oui|non|s[ií]|correct|agreed|approved|einverstanden)\b"
    r"|\b(?:option|variante?|offer|quote|angebot|accept\w*|prefer|choose|nehmen?)\b",
    re.I,
)
FIGURE = re.compile(r"\d")
#: An absence that somebody has to do something about; "if you need help" is none.
OBLIGED = re.compile(
    r"^(?!if |should |in case |falls |wenn ).*\b(?:needs?|must|has to|have to|soll|muss|braucht)\b", re.I
)
PLAN = re.compile(r"\b(?:i|we)(?:'ll| will|'d)\b", re.I)
ALONE = re.compile(r"\b(?:i|i'm|i've|i'd|my|me|ich|mein\w{0,2}|mir|mich|je|j'ai|mon (?=[^\W\d])|ma|mi)\b", re.I)
TOGETHER = re.compile(r"\b(?:we|we're|we've|our|wir|unser\w{0,2}|nous|notre|nos|nosotros|nuestr[oa]s?)\b", re.I)
COURTESY = ("thanks", "praise", "solved", "polite")
ABSENCE = ("away", "away_too", "polite", "automatic", "receipt")


def first(heading: str, parts: Iterable[str]) -> str:
    """Return the first words that match a heading of the wording file, "" if none do."""
    pattern = _pattern(heading)
    return next((found.group().strip() for part in parts if (found := pattern.search(part)) and found.group()), "")


def asks(text: str, but_for: Iterable[str] = ()) -> str:
    """Return the words that ask for something, "" if none do; a clause that matches a heading of `but_for` is none."""
    parts = clauses(text) if but_for else [*sentences(text), *clauses(text)]
    return first("asks", (part for part in parts if not _is_any(but_for, part)))


def thanks(words: str) -> str:
    """Return what shows that a mail's own words are thanks and nothing else, "" if they are not."""
    parts = list(clauses(words))
    solved, praise = first("solved", parts), first("praise", parts)
    found = first("thanks", parts) or praise or solved
    too_long = len(words.split()) > MAX_THANKS_WORDS
    if too_long or "?" in words or not found or first("sarcastic", [*sentences(words), *parts]):
        return ""
    spare = SPARE_SOLVED if solved else SPARE_PRAISED if praise else 0
    for number, part in enumerate(parts):
        left = _without(COURTESY, part)
        if first("asks", [left]) or first("trouble", [left]) or PLAN.search(left):
            return ""
        if (FIGURE if solved else ANSWER).search(left):
            return ""
        if left != part:
            spare -= max(0, len(left.split()) - SPARE_IN_CLAUSE)
        elif not (number and _is_name(part)):
            spare -= len(part.split())
    return found if spare >= 0 else ""


def absence(words: str) -> str:
    """Return what shows that a mail's own words tell of an absence and little else, "" if they do not."""
    parts = list(clauses(words))
    total = sum(len(part.split()) for part in parts)
    found = first("away", parts)
    if not found or total > MAX_ABSENCE_WORDS or "?" in words:
        return ""
    rest = [part for part in parts if not _is_any(ABSENCE, part)]
    if (
        any(OBLIGED.search(part) for part in parts)
        or first("asks", rest)
        or sum(len(part.split()) for part in rest) > SPARE_SHARE * total
    ):
        return ""
    return found


def automatic(words: str) -> str:
    """Return where a mail says of itself that a machine sent it: at the beginning of a sentence, not in quotes."""
    opening = re.compile(r"\W{0,5}(?:(?:please )?note(?: that)?\W{1,3}|hinweis\W{1,3})?", re.I)
    pattern = _pattern("automatic")
    for sentence in sentences(words):
        start = opening.match(sentence)
        if found := pattern.match(sentence, start.end() if start else 0):
            return found.group()
    return ""


def receipt(subject: str, words: str) -> dict[str, str]:
    """Return the signs of another desk's receipt, by what they say: received, number, soon, thanks, unread, portal."""
    parts = [subject, *sentences(words)]
    signs = {sign: first(f"receipt.{sign}", parts) for sign in _table()["receipt"]}
    return {sign: found for sign, found in signs.items() if found}


def passed_on(text: str) -> str:
    """Return what shows that a form, a telephone system or another desk passes on somebody's words."""
    lines = list(_pieces(text.split("\n")))
    fields = [line for line in lines if _pattern("passed_on.field").search(line)]
    return first("passed_on.any", lines) or (fields[0] if len(fields) > 1 else "")


def asks_for_itself(text: str) -> str:
    """Return the words by which somebody asks for his or her own matter; a mailing's footer asks for nothing."""
    parts = [part for part in sentences(text) if not _is_any(["newsletter"], part)]
    is_personal = any(ALONE.search(part) or TOGETHER.search(part) for part in parts)
    return asks("\n".join(parts)) if is_personal else ""


def newsletter(text: str) -> str:
    """Return how a mailing tells the reader to leave it, "" if it does not."""
    return first("newsletter", sentences(text)) if len(text.split()) >= MIN_NEWSLETTER_WORDS else ""


def bounced(text: str) -> str:
    """Return what a mail server says of a mail that did not arrive."""
    return first("bounce_text", sentences(text))


def speaks_of_self(text: str, but_for: Iterable[str] = ()) -> bool:
    """Tell whether somebody says I or we, other than in sentences that match a heading of `but_for`."""
    return any((ALONE.search(part) or TOGETHER.search(part)) and not _is_any(but_for, part) for part in sentences(text))


def supports_absence(words: str) -> bool:
    """Tell whether words go with a subject that tells of an absence: formulas, or next to nothing else."""
    parts = list(clauses(words))
    rest = sum(len(part.split()) for part in parts if not _is_any(ABSENCE, part))
    return rest <= max(MAX_BESIDE, sum(len(part.split()) for part in parts) // 2)


def server_code(text: str) -> str:
    """Return the status that a mail server answered with."""
    return first("bounce_code", sentences(text))


def opens_with(heading: str, subject: str) -> str:
    """Return the words of a heading that a subject begins with."""
    found = _pattern(heading).match(subject[:MAX_PIECE])
    return found.group().strip() if found else ""


def sentences(text: str) -> Iterator[str]:
    """Yield sentences and lines, without what stands in quotation marks, for that is somebody else's."""
    return _pieces(SENTENCE_END.split(QUOTED.sub(" ", _readable(text))))


def clauses(text: str) -> Iterator[str]:
    """Yield clauses: sentences cut at commas, brackets, dashes and joining words."""
    return (JOINING.sub("", part) for part in _pieces(CLAUSE_END.split(_readable(text))))


def _readable(text: str) -> str:
    ends = text if len(text) <= MAX_READ + MAX_END else f"{text[:MAX_READ]}\n{text[-MAX_END:]}"
    return ends.replace("’", "'").replace("‘", "'")


def _pieces(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        plain = " ".join(part.split())
        for start in range(0, len(plain), MAX_PIECE):
            yield plain[start : start + MAX_PIECE]


def _is_name(part: str) -> bool:
    words = part.split()
    return len(words) < 3 and all(word[0].isupper() for word in words)


def _is_any(headings: Iterable[str], part: str) -> bool:
    return any(_pattern(heading).search(part) for heading in headings)


def _without(headings: Iterable[str], part: str) -> str:
    for heading in headings:
        part = _pattern(heading).sub(" ", part)
    return " ".join(part.split())


@cache
def _pattern(heading: str) -> re.Pattern[str]:
    """Return one expression for a heading; a dot leads to one of its lists."""
    name, _, one = heading.partition(".")
    entry = _table()[name]
    lists = [entry[one]] if one else entry.values()
    return re.compile("|".join(f"(?:{expression})" for some in lists for expression in some), re.I)


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    path = Path(__file__).with_name("message_kinds.toml")
    table: dict[str, dict[str, list[str]]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return table
