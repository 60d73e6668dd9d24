"""Plain words as Markdown that reads as they do, and text that can be stored and sent."""

import re

CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
INLINE_MARK = re.compile(r"[\\`*_\[\]<&|]")
LEADING_MARK = re.compile(r"[#>+=~-]|\d+(?=[.)])")


def readable(text: str) -> str:
    """Return text that can be stored and sent: no lone surrogates or control characters, lines ended by \\n."""
    return CONTROL.sub("", LINE_BREAK.sub("\n", text.encode("utf-8", "replace").decode("utf-8")))


def one_line(text: str) -> str:
    """Return readable text on one line."""
    return " ".join(readable(text).split())


def escaped(words: str) -> str:
    """Return one line of plain text as Markdown in which nothing is taken for markup."""
    return leading_escaped(INLINE_MARK.sub(r"\\\g<0>", " ".join(words.split())))


def leading_escaped(marked: str) -> str:
    """Return a line of Markdown that begins no list, heading, quotation or rule."""
    start = LEADING_MARK.match(marked)
    if start is None:
        return marked
    # The dot after a number is what makes a list; elsewhere it is the first sign of the line.
    at = start.end() if start.group().isdigit() else 0
    return f"{marked[:at]}\\{marked[at:]}"


def plain_to_markdown(plain: str) -> str:
    """Return Markdown that reads as a plain text does: each line a paragraph."""
    return "\n\n".join(escaped(line) for line in plain.splitlines() if line.strip())
