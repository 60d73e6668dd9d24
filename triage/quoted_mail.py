"""Takes quoted mail and signatures off, line by line: linear in the text, and never past a line it cannot place.

The libraries for this backtrack: a mail of 2,500 characters can hold one up for seconds.
"""

import re

#: A reply of fewer words ("FYI", "see below") leaves the matter to what it forwards.
MIN_REPLY_WORDS = 4
#: No line that announces an older mail is longer.
MAX_ANNOUNCEMENT = 300

RULED = re.compile(
    r"\s*-{2,} ?(?:original message|ursprüngliche nachricht|message d'origine|mensaje original) ?-{2,}\s*", re.I
)
FORWARDED = re.compile(
    r"\s*(?:-{2,} ?forwarded message ?-{2,}|begin forwarded message:|weitergeleitete nachricht)", re.I
)
WROTE = re.compile(
    r"\s*(?:on|am|le|el|op|il|w dniu) .*"
    r"(?:wrote|schrieb\b.*|a écrit|escribió|schreef\b.*|ha scritto|napisał\w*) ?:\s*",
    re.I,
)
#: Somebody's words can end in "wrote:" too: a mail program adds an address or the time of day.
DATED = re.compile(r"@|\b\d{1,2}[:.]\d\d\b")
FROM = re.compile(r"\s*\**(?:from|von|de|da|van|od):", re.I)
SENT = re.compile(r"\s*\**(?:sent|date|to|gesendet|datum|an|envoyé|à|enviado|para):", re.I)
DEVICE = re.compile(r"\s*(?:sent|gesendet|envoyé|enviado) (?:from|von|de|desde) (?:my|meinem|mon|mi)\b.{0,60}", re.I)


def own_words(text: str) -> str:
    """Return a mail's newest part without its signature. With next to nothing above the quote, all is kept.

    Lines that begin with ">" are somebody else's. What follows the announcement of an older mail is too, unless that
    mail is marked line by line: then unmarked lines are answers between its lines.
    """
    lines = text.split("\n")
    at = announcement(lines)
    below = lines[at + 1 :] if at is not None else []
    answers = below if any(line.lstrip().startswith(">") for line in below) else []
    body = "\n".join(_unmarked(_unsigned(lines[:at]) + answers)).strip()
    return body if len(body.split()) >= MIN_REPLY_WORDS or len(text.split()) < 2 * MIN_REPLY_WORDS else text


def all_but_quotes(text: str) -> str:
    """Return every line that no mark makes somebody else's, the announcement of an older mail included.

    Nothing written behind a line can make that line vanish.
    """
    lines = text.split("\n")
    at = announcement(lines)
    above = "\n".join(lines[:at]).split()
    if at is None or len(above) < MIN_REPLY_WORDS or any(line.lstrip().startswith(">") for line in lines[at + 1 :]):
        return "\n".join(_unmarked(lines))
    return "\n".join(_unmarked(lines[: at + 1]))


def announcement(lines: list[str]) -> int | None:
    """Return the number of the first line that announces an older mail."""
    for number, line in enumerate(lines):
        if len(line) > MAX_ANNOUNCEMENT:
            continue
        following = [other[:MAX_ANNOUNCEMENT] for other in lines[number + 1 : number + 4]]
        if RULED.fullmatch(line) or FORWARDED.match(line):
            return number
        if FROM.match(line) and any(SENT.match(other) for other in following):
            return number
        if (WROTE.fullmatch(line) and DATED.search(line)) or _wrapped(line, following):
            return number
    return None


def _wrapped(line: str, following: list[str]) -> bool:
    """Tell whether "On … <a@b.example>" is broken before "wrote:"."""
    return bool(following) and bool(DATED.search(line)) and WROTE.fullmatch(f"{line} {following[0]}") is not None


def _unmarked(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.lstrip().startswith(">")]


def _unsigned(lines: list[str]) -> list[str]:
    for number, line in enumerate(lines):
        if line.rstrip() == "--" and number > 0:
            return lines[:number]
    while lines and (not lines[-1].strip() or DEVICE.fullmatch(lines[-1])):
        lines = lines[:-1]
    return lines
