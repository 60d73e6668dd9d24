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
MAIL_PROGRAM = (
    r"(?:my|meinem|mon|ma|mi|mio|(?:the |an |der )?(?:iphone|ipad|android|outlook|yahoo|gmail|gmx|web\.de|samsung"
    r"|galaxy|huawei|blackberry|proton\w{0,6}|mail for|mail für|aol|windows))"
)
#: What telephones and mail programs put under every mail.
DEVICE = re.compile(
    rf"\s*(?:(?:sent|gesendet|envoyé|enviado|inviato|verzonden|get|holen sie sich|diese nachricht wurde)"
    rf" (?:(?:from|von|de|depuis|desde|da|dal|vanaf|via|with|mit|über) )?{MAIL_PROGRAM}\b.{{0,80}}"
    rf"|von {MAIL_PROGRAM}\b.{{0,60}} gesendet\.?|outlook für .{{0,20}}(?:beziehen|herunterladen).{{0,60}})",
    re.I,
)
CLOSING = re.compile(
    r"\s*(?:(?:with )?(?:kind|kindest|best|warm|warmest|many)? ?(?:regards|wishes)"
    r"|(?:yours )?(?:sincerely|faithfully|truly)"
    r"|(?:mit )?(?:freundlich|lieb|viel|schön|best|herzlich)e[nm]? (?:grüße?n?|grüsse?n?|gruß|gruss)"
    r"|gruß|grüße|mfg|lg|vg|(?:bien )?cordialement|saludos(?: cordiales)?|un saludo|atentamente)[,.!]?\s*",
    re.I,
)
#: Said under a mail by a company, not by the writer.
NOTICE = re.compile(
    r"\W{0,5}(?:(?:disclaimer|confidentiality|legal notice|vertraulich\w*|privileged)\b"
    r"|(?:this|the (?:information|contents?)|diese|der inhalt|ce|cet|este|esta|la información|le contenu)\b.{0,160}"
    r"\b(?:confidential|privileged|vertraulich\w*|confidentiel\w*|confidencial\w*)"
    r"|if you (?:have received|are not the (?:intended|named)|received)\b"
    r"|please (?:consider|think of) the environment\b"
    r"|wenn sie nicht der (?:richtige|beabsichtigte)\b|sollten sie diese e-?mail irrtümlich\b)",
    re.I,
)
COMPANY = re.compile(
    r"\b(?:registered (?:in|office|number)|company (?:no|number|reg)|vat (?:no|number|reg)|geschäftsführ\w*|hrb"
    r"|amtsgericht|handelsregister|ust-?id\w*|siret)\b",
    re.I,
)
#: No line of a signature says this; a wish written below the name is still a wish.
WISH = re.compile(
    r"\?|\bp\.? ?s\b[.:]?|\b(?:please|pls|bitte|can|could|need|needs|want|möchte|brauche|svp|favor)\b", re.I
)
MAX_SIGNATURE_WORDS = 12
TITLES = frozenset({"dr", "prof", "mr", "mrs", "ms", "ihr", "ihre", "dipl", "ing"})


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


def bare_words(text: str, writer: str = "") -> str:
    """Return only what the writer of a mail says, "" if that is nothing: no quoted mail, no signature, no legal notice.

    A mail passed on without a word is what is said. `writer`: the name by which a signature is known.
    """
    lines = text.split("\n")
    at = announcement(lines)
    below = lines[at + 1 :] if at is not None else []
    answers = below if any(line.lstrip().startswith(">") for line in below) else []
    own = _unmarked(lines[:at])
    if at is not None and FORWARDED.match(lines[at]) and not "".join(own).strip():
        return text
    own = [line for line in _without_notices(own + _unmarked(answers)) if not _is_device_line(line)]
    return "\n".join(own[: _signature(own, writer)]).strip()


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
    end = len(lines)
    while end and (not lines[end - 1].strip() or _is_device_line(lines[end - 1])):
        end -= 1
    return lines[:end]


def _is_device_line(line: str) -> bool:
    return len(line) <= MAX_ANNOUNCEMENT and DEVICE.fullmatch(line) is not None


def _without_notices(lines: list[str]) -> list[str]:
    """Leave out paragraphs that begin like a company's legal notice."""
    kept: list[str] = []
    in_notice = False
    for number, line in enumerate(lines):
        if not line.strip():
            in_notice = False
        elif not in_notice:
            following = " ".join(other[:MAX_ANNOUNCEMENT] for other in lines[number : number + 3])
            in_notice = NOTICE.match(following) is not None
        if not in_notice:
            kept.append(line)
    return kept


def _signature(lines: list[str], writer: str) -> int:
    """Return where the signature begins: at its mark, a closing formula or the writer's name, if no wish follows."""
    names = {word for word in re.split(r"\W+", writer.lower()) if len(word) > 1}
    begin = len(lines)
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number].strip()
        if len(line) > MAX_ANNOUNCEMENT or not (COMPANY.search(line) or _may_sign(line)):
            break
        words = {word for word in re.split(r"\W+", line.lower()) if len(word) > 1 and not word.isdigit()}
        if line in ("--", "—", "__") and begin == len(lines) and not "".join(lines[:number]).strip():
            break
        if line in ("--", "—", "__") or CLOSING.fullmatch(line) or (words and words <= names | TITLES):
            begin = number
    return begin


def _may_sign(line: str) -> bool:
    return len(line.split()) <= MAX_SIGNATURE_WORDS and not WISH.search(line)
