"""What the words of a mail say about its kind, for mail whose headers are silent or can mean either.

Thanks and absences are gated only where nearly every clause is one of their formulas: what is left over is what a
person wanted to say. The wordings are in message_kinds.toml.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from triage.phrase_index import Patterns, PhraseIndex, first_match

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
#: What may stand in front of a machine's word about itself.
NOTE = re.compile(r"\W{0,5}(?:(?:please )?note(?: that)?\W{1,3}|hinweis\W{1,3})?", re.I)
SHARED_ADDRESS = "shared_address"
COURTESY = ("thanks", "praise", "solved", "polite")
ABSENCE = ("away", "away_too", "polite", "automatic", "receipt")


#: The patterns that may match somewhere in a mail, by heading; a heading that is not there matches nowhere.
Possible = Mapping[str, Patterns]


def possible(*texts: str) -> Possible:
    """Return the patterns that may match in pieces of these texts, one look for every heading.

    No piece spans two lines, and each stands within a line as it is, single-spaced, or without what is in quotes.
    """
    straight = [_straight(text) for text in texts]
    lines = [line for text in (*straight, *map(_unquoted, map(_readable, texts))) for line in text.split("\n")]
    pieces = dict.fromkeys([*lines, *(" ".join(line.split()) for line in lines)])
    found = _index().possible("\n".join(pieces))
    joined: dict[str, Patterns] = {}
    for name, patterns in found.items():
        heading = name.partition(".")[0]
        joined[heading] = (*joined.get(heading, ()), *patterns)
    return joined | found


def first(may: Possible, heading: str, parts: Iterable[str]) -> str:
    """Return the first words that match a heading of the wording file, "" if none do."""
    patterns = may.get(heading)
    if not patterns:
        return ""
    found = (first_match(patterns, part) for part in parts)
    return next((match.group().strip() for match in found if match and match.group()), "")


def asks(may: Possible, text: str, but_for: Iterable[str] = ()) -> str:
    """Return the words that ask for something, "" if none do; a clause that matches a heading of `but_for` is none."""
    if "asks" not in may:
        return ""
    if not but_for:
        return first(may, "asks", sentences(text)) or first(may, "asks", clauses(text))
    return first(may, "asks", (part for part in clauses(text) if not _is_any(may, but_for, part)))


def thanks(may: Possible, words: str) -> str:
    """Return what shows that a mail's own words are thanks and nothing else, "" if they are not."""
    if "?" in words or not may.keys() & {"solved", "praise", "thanks"} or len(words.split()) > MAX_THANKS_WORDS:
        return ""
    parts = list(clauses(words))
    solved, praise = first(may, "solved", parts), first(may, "praise", parts)
    found = first(may, "thanks", parts) or praise or solved
    if not found or first(may, "sarcastic", [*sentences(words), *parts]):
        return ""
    spare = SPARE_SOLVED if solved else SPARE_PRAISED if praise else 0
    for number, part in enumerate(parts):
        left = _without(may, COURTESY, part)
        # What closes up where courtesy was taken out is new: no look at the mail can tell what matches there.
        here = may if left == part else _everything()
        if first(here, "asks", [left]) or first(here, "trouble", [left]) or PLAN.search(left):
            return ""
        if (FIGURE if solved else ANSWER).search(left):
            return ""
        if left != part:
            spare -= max(0, len(left.split()) - SPARE_IN_CLAUSE)
        elif not (number and _is_name(part)):
            spare -= len(part.split())
    return found if spare >= 0 else ""


def absence(may: Possible, words: str) -> str:
    """Return what shows that a mail's own words tell of an absence and little else, "" if they do not."""
    if "?" in words or "away" not in may:
        return ""
    parts = list(clauses(words))
    total = sum(len(part.split()) for part in parts)
    found = first(may, "away", parts)
    if not found or total > MAX_ABSENCE_WORDS:
        return ""
    rest = [part for part in parts if not _is_any(may, ABSENCE, part)]
    if (
        any(OBLIGED.search(part) for part in parts)
        or first(may, "asks", rest)
        or sum(len(part.split()) for part in rest) > SPARE_SHARE * total
    ):
        return ""
    return found


def automatic(may: Possible, words: str) -> str:
    """Return where a mail says of itself that a machine sent it: at the beginning of a sentence, not in quotes."""
    if "automatic" not in may:
        return ""
    pattern = _pattern("automatic")
    for sentence in sentences(words):
        start = NOTE.match(sentence)
        if found := pattern.match(sentence, start.end() if start else 0):
            return found.group()
    return ""


def receipt(may: Possible, subject: str, words: str) -> dict[str, str]:
    """Return the signs of another desk's receipt, by what they say: received, number, soon, thanks, unread, portal."""
    if "receipt" not in may:
        return {}
    parts = [subject, *sentences(words)]
    signs = {sign: first(may, f"receipt.{sign}", parts) for sign in _table()["receipt"]}
    return {sign: found for sign, found in signs.items() if found}


def passed_on(may: Possible, text: str) -> str:
    """Return what shows that a form, a telephone system or another desk passes on somebody's words."""
    if "passed_on" not in may:
        return ""
    lines = list(_pieces(text.split("\n")))
    fields = [line for line in lines if _is_any(may, ["passed_on.field"], line)]
    return first(may, "passed_on.any", lines) or (fields[0] if len(fields) > 1 else "")


def asks_for_itself(may: Possible, text: str) -> str:
    """Return the words by which somebody asks for his or her own matter; a mailing's footer asks for nothing."""
    parts = [part for part in sentences(text) if not _is_any(may, ["newsletter"], part)]
    is_personal = any(ALONE.search(part) or TOGETHER.search(part) for part in parts)
    return asks(may, "\n".join(parts)) if is_personal else ""


def newsletter(may: Possible, text: str) -> str:
    """Return how a mailing tells the reader to leave it, "" if it does not."""
    return first(may, "newsletter", sentences(text)) if len(text.split()) >= MIN_NEWSLETTER_WORDS else ""


def bounced(may: Possible, text: str) -> str:
    """Return what a mail server says of a mail that did not arrive."""
    return first(may, "bounce_text", sentences(text))


def speaks_of_self(may: Possible, text: str, but_for: Iterable[str] = ()) -> bool:
    """Tell whether somebody says I or we, other than in sentences that match a heading of `but_for`."""
    own = (part for part in sentences(text) if ALONE.search(part) or TOGETHER.search(part))
    return any(not _is_any(may, but_for, part) for part in own)


def supports_absence(may: Possible, words: str) -> bool:
    """Tell whether words go with a subject that tells of an absence: formulas, or next to nothing else."""
    parts = list(clauses(words))
    rest = sum(len(part.split()) for part in parts if not _is_any(may, ABSENCE, part))
    return rest <= max(MAX_BESIDE, sum(len(part.split()) for part in parts) // 2)


def server_code(may: Possible, text: str) -> str:
    """Return the status that a mail server answered with."""
    return first(may, "bounce_code", sentences(text))


def opens_with(may: Possible, heading: str, subject: str) -> str:
    """Return the words of a heading that a subject begins with."""
    found = _pattern(heading).match(subject[:MAX_PIECE]) if heading in may else None
    return found.group().strip() if found else ""


def is_shared_address(name: str) -> bool:
    """Tell whether a list of this name is a way to the desk, not a mailing (RFC 2142 and what people add to it)."""
    return _pattern(SHARED_ADDRESS).search(name) is not None


def sentences(text: str) -> Iterator[str]:
    """Yield sentences and lines, without what stands in quotation marks, for that is somebody else's."""
    return _pieces(SENTENCE_END.split(_unquoted(_readable(text))))


def clauses(text: str) -> Iterator[str]:
    """Yield clauses: sentences cut at commas, brackets, dashes and joining words."""
    return (JOINING.sub("", part) for part in _pieces(CLAUSE_END.split(_readable(text))))


def _readable(text: str) -> str:
    ends = text if len(text) <= MAX_READ + MAX_END else f"{text[:MAX_READ]}\n{text[-MAX_END:]}"
    return _straight(ends)


def _straight(text: str) -> str:
    return text.replace("’", "'").replace("‘", "'")


def _unquoted(text: str) -> str:
    return QUOTED.sub(" ", text)


def _pieces(parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        plain = " ".join(part.split())
        for start in range(0, len(plain), MAX_PIECE):
            yield plain[start : start + MAX_PIECE]


def _is_name(part: str) -> bool:
    words = part.split()
    return len(words) < 3 and all(word[0].isupper() for word in words)


def _is_any(may: Possible, headings: Iterable[str], part: str) -> bool:
    return any(pattern.search(part) for heading in headings for pattern in may.get(heading, ()))


def _without(may: Possible, headings: Iterable[str], part: str) -> str:
    left = part
    for heading in headings:
        # As soon as something is taken out, anything may match in what has closed up.
        if left != part or heading in may:
            left = _pattern(heading).sub(" ", left)
    return " ".join(left.split())


@cache
def _everything() -> Possible:
    return {heading: (_pattern(heading),) for heading in _table()}


@cache
def _index() -> PhraseIndex:
    lists = {
        f"{heading}.{name}": expressions
        for heading, entry in _table().items()
        if heading != SHARED_ADDRESS  # matched against names, not in mails
        for name, expressions in entry.items()
    }
    return PhraseIndex(lists, re.I)


@cache
def _pattern(heading: str) -> re.Pattern[str]:
    """Return one expression for all lists of a heading."""
    return re.compile("|".join(f"(?:{expression})" for some in _table()[heading].values() for expression in some), re.I)


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    path = Path(__file__).with_name("message_kinds.toml")
    table: dict[str, dict[str, list[str]]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return table
