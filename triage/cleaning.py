"""Ticket text made readable: Unicode first, then HTML to text, then quoted mail and signatures off."""

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triage.tickets import Ticket

#: Nothing that can hide a word from a check: zero-width, joiners, byte order mark, bidi controls, tag characters.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]"
)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
HTML_TAG = re.compile(
    r"</?(?:!doctype|html|head|body|div|p|br|hr|table|t[rdh]|span|ul|ol|li|a|b|i|u|strong|em|h[1-6]|img|blockquote"
    r"|font|center|pre|code|script|style|svg|iframe|section|article)\b[^<>]{0,2000}>",
    re.I,
)
LINE_TAG = re.compile(r"<(?:br|p|div|tr|/p|/div|/li|/tr|/h[1-6]|/blockquote)\b[^<>]{0,2000}>", re.I)
ANY_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)\b[^<>]{0,2000}(/?)>", re.I)
#: Void elements, and those that the next of their kind closes.
NOT_NESTING = frozenset(
    ["area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p"]
) | {"source", "td", "th", "tr", "track", "wbr"}
#: nh3 is quadratic in nesting; deeper markup is shown as it stands.
MAX_DEPTH = 256
#: Mail is cut into reply and quote only up to this length; longer text is taken whole.
MAX_MAIL = 20_000
#: A reply of fewer words ("FYI", "see below") leaves the matter to what it forwards.
MIN_REPLY_WORDS = 4
QUOTED_MAIL = re.compile(
    r"^[ \t]*(?:-{2,} ?(?:original message|ursprüngliche nachricht|message d'origine|mensaje original) ?-{2,}"
    r"|from:[^\n]{1,200}\n[ \t]*(?:sent|date|to):[^\n]*|on [^\n]{5,200}@[^\n]{1,100}wrote:)[ \t]*$",
    re.I | re.M,
)
FORWARDED = re.compile(
    r"^[ \t]*(?:-{2,} ?forwarded message ?-{2,}|begin forwarded message:|weitergeleitete nachricht)[^\n]*$", re.I | re.M
)


@dataclass(frozen=True, slots=True)
class TicketText:
    """The customer's words. `latest` is the newest customer message, `everything` all of them with the subject.

    `also_said`: lines that cleaning took off and that no quotation mark makes somebody else's. Rules that watch over
    people read them too, so that nothing written behind a sentence can make it vanish.
    """

    subject: str
    latest: str
    everything: str
    also_said: str = ""

    @property
    def watched(self) -> str:
        """What text-triggered handoff rules look at."""
        return f"{self.everything}\n{self.also_said}"

    @property
    def question(self) -> str:
        """What is asked now: the subject and the newest message."""
        return f"{self.subject}\n{self.latest}".strip()


def read_text(ticket: "Ticket") -> TicketText:
    """Return the customer's words of a ticket; those of agents, bots and systems do not count."""
    subject = " ".join(normalise(ticket.subject or "").split())
    raw = [ticket.body or "", *(message.text for message in ticket.messages if message.author == "customer")]
    kept = [text for text in map(clean, raw) if text]
    everything = "\n".join(part for part in (subject, *kept) if part)
    return TicketText(subject, kept[-1] if kept else "", everything, also_said(raw, everything))


def also_said(messages: list[str], everything: str) -> str:
    """Return the lines of messages that are neither marked as quoted nor in the cleaned text already."""
    known = {line.strip() for line in everything.splitlines()}
    lines = [line.strip() for message in messages for line in unquoted(normalise(message)).splitlines()]
    return "\n".join(line for line in dict.fromkeys(lines) if line and line not in known)


def unquoted(text: str) -> str:
    """Drop lines that begin with ">", and what follows the line that announces an older mail; nothing else.

    Markup stays, only its brackets go: what is read here decides nothing but whether a person should look.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    announced = QUOTED_MAIL.search(text)
    if announced and len(text[: announced.start()].split()) >= MIN_REPLY_WORDS:
        text = text[: announced.end()]
    lines = [line for line in text.split("\n") if not line.lstrip().startswith(">")]
    return "\n".join(lines).replace("<", " ").replace(">", " ")


def safe_unicode(text: str) -> str:
    """Replace lone surrogates and drop control characters, so that text can be stored, hashed and sent."""
    return CONTROL.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def normalise(text: str) -> str:
    """Return NFKC text without invisible characters. Every check runs after this, never before."""
    return INVISIBLE.sub("", unicodedata.normalize("NFKC", INVISIBLE.sub("", safe_unicode(text))))


def clean(text: str) -> str:
    """Return what a person wrote in one message: no markup, no quoted mail, no signature."""
    text = normalise(text).replace("\r\n", "\n").replace("\r", "\n")
    if HTML_TAG.search(text):
        text = html_to_text(text)
    return re.sub(r"\n{3,}", "\n\n", own_words(text)).strip()


def html_to_text(markup: str) -> str:
    """Return the text of HTML, lines kept; markup nested deeper than 256 is returned as it stands."""
    if _depth(markup) > MAX_DEPTH:
        return markup
    import nh3

    lines = LINE_TAG.sub(lambda tag: f"\n{tag.group()}", markup)
    text = nh3.clean(lines, tags=set(), clean_content_tags={"script", "style", "svg", "math"})
    return re.sub(r"[ \t]*\n\s*", "\n", normalise(html.unescape(text)))


def own_words(text: str) -> str:
    """Return a mail's newest part without its signature. With next to nothing above the quote, all is kept."""
    if len(text) > MAX_MAIL:
        return text
    replies = _mail_parser().read(text).replies
    if not replies:
        return text
    body = FORWARDED.split(str(replies[0].body))[0].strip()
    return body if len(body.split()) >= MIN_REPLY_WORDS or len(text.split()) < 2 * MIN_REPLY_WORDS else text


def _depth(markup: str) -> int:
    depth = deepest = 0
    for closing, name, self_closing in ANY_TAG.findall(markup):
        if name.lower() in NOT_NESTING or self_closing:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest


@cache
def _mail_parser() -> Any:
    from mailparser_reply import EmailReplyParser

    return EmailReplyParser(languages=["en", "de", "fr", "es", "it", "nl", "pl"])
