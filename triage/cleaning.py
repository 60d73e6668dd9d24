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
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
HTML_TAG = re.compile(
    r"<(?:!doctype|html|body|div|p|br|table|span|ul|ol|li|a|b|i|blockquote|font)\b[^<>]{0,2000}>", re.I
)
LINE_TAG = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6]|/blockquote)\b[^<>]{0,2000}>", re.I)
ANY_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)\b[^<>]{0,2000}(/?)>", re.I)
VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
#: nh3 is quadratic in nesting; deeper markup is shown as it stands.
MAX_DEPTH = 256
#: Mail is cut into reply and quote only up to this length; longer text is taken whole.
MAX_MAIL = 20_000


@dataclass(frozen=True, slots=True)
class TicketText:
    """The customer's words. `latest` is the newest customer message, `everything` all of them with the subject."""

    subject: str
    latest: str
    everything: str

    @property
    def question(self) -> str:
        """What is asked now: the subject and the newest message."""
        return f"{self.subject}\n{self.latest}".strip()


def read_text(ticket: "Ticket") -> TicketText:
    """Return the customer's words of a ticket; those of agents, bots and systems do not count."""
    subject = " ".join(normalise(ticket.subject or "").split())
    texts = [clean(ticket.body or "")]
    texts += [clean(message.text) for message in ticket.messages if message.author == "customer"]
    kept = [text for text in texts if text]
    return TicketText(subject, kept[-1] if kept else "", "\n".join(part for part in (subject, *kept) if part))


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

    lines = LINE_TAG.sub(lambda tag: tag.group() + "\n", markup)
    text = nh3.clean(lines, tags=set(), clean_content_tags={"script", "style", "svg", "math"})
    return normalise(html.unescape(text))


def own_words(text: str) -> str:
    """Return a mail's newest part. A forwarded mail with next to nothing above it is kept whole."""
    if len(text) > MAX_MAIL:
        return text
    reply = str(_mail_parser().parse_reply(text) or "").strip()
    return reply if len(reply.split()) >= 4 or len(text.split()) < 8 else text


def _depth(markup: str) -> int:
    depth = deepest = 0
    for closing, name, self_closing in ANY_TAG.findall(markup):
        if name.lower() in VOID or self_closing:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest


@cache
def _mail_parser() -> Any:
    from mailparser_reply import EmailReplyParser

    return EmailReplyParser(languages=["en", "de", "fr", "es", "it", "nl", "pl"])
