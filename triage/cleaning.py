"""Ticket text made readable: Unicode first, then HTML to text, then quoted mail and signatures off."""

import html
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retrieval.html_tree import MAX_DEPTH, depth_of, shallow
from triage.quoted_mail import all_but_quotes, own_words

if TYPE_CHECKING:
    from triage.tickets import Ticket

#: Nothing that can hide a word from a check: zero-width, joiners, byte order mark, bidi controls, tag characters.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
HTML_TAG = re.compile(
    r"</?(?:!doctype|html|head|body|div|p|br|hr|table|t[rdh]|span|ul|ol|li|a|b|i|u|strong|em|h[1-6]|img|blockquote"
    r"|font|center|pre|code|script|style|svg|iframe|section|article)\b[^<>]{0,2000}>",
    re.I,
)
LINE_TAG = re.compile(r"<(?:br|p|div|tr|/p|/div|/li|/tr|/h[1-6]|/blockquote)\b[^<>]{0,2000}>", re.I)
#: Rules read this much of a ticket; more is a reason to hand it over (`long_message`).
MAX_WATCHED = 50_000
#: Letters carry a few marks at most; piles of them only cost time.
PILED_MARKS = re.compile("([\u0300-\u036f]{4})[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class TicketText:
    """The customer's words. `latest` is the newest customer message, `everything` all of them with the subject.

    `also_said`: lines that cleaning took off and that no quotation mark makes somebody else's. Rules that watch over
    people read them too, so that nothing written behind a sentence can make it vanish. `newest`: the newest customer
    message with quoted mail and signature, for the gate; `sender`: name and address of who opened the ticket.
    """

    subject: str
    latest: str
    everything: str
    also_said: str = ""
    newest: str = ""
    sender: str = ""

    @property
    def watched(self) -> str:
        """What text-triggered handoff rules look at: all that was said, up to MAX_WATCHED characters."""
        return f"{self.everything}\n{self.also_said}"[:MAX_WATCHED]

    @property
    def question(self) -> str:
        """What is asked now: the subject and the newest message."""
        return f"{self.subject}\n{self.latest}".strip()


def read_text(ticket: "Ticket") -> TicketText:
    """Return the customer's words of a ticket; those of agents, bots and systems do not count."""
    subject = " ".join(normalise(ticket.subject or "").split())
    raw = [ticket.body or "", *(message.text for message in ticket.messages if message.author == "customer")]
    raw = [normalise(text) for text in raw]
    kept = [(text, own) for text in map(without_markup, raw) if (own := _own(text))]
    everything = "\n".join(part for part in (subject, *(own for _, own in kept)) if part)
    newest, latest = kept[-1] if kept else ("", "")
    who = ticket.requester
    sender = normalise(" ".join(part for part in (who.name, who.email) if part))
    return TicketText(subject, latest, everything, also_said(raw, everything), newest, sender)


def also_said(messages: list[str], everything: str) -> str:
    """Return the lines of messages that are neither marked as quoted nor in the cleaned text already.

    Markup stays, only its brackets go: what is read here decides nothing but whether a person should look.
    """
    known = {line.strip() for line in everything.splitlines()}
    texts = [all_but_quotes(message).replace("<", " ").replace(">", " ") for message in messages]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return "\n".join(line for line in dict.fromkeys(lines) if line and line not in known)


def safe_unicode(text: str) -> str:
    """Replace lone surrogates and drop control characters, so that text can be stored, hashed and sent."""
    if text.replace("\n", "").replace("\t", "").isprintable():  # neither is, and no other end of a line
        return text
    return CONTROL.sub("", LINE_BREAK.sub("\n", text.encode("utf-8", "replace").decode("utf-8")))


def normalise(text: str) -> str:
    """Return NFKC text without invisible characters, lines ended by \\n. Every check runs after this, never before."""
    text = safe_unicode(text)
    if not text.isascii():
        text = PILED_MARKS.sub(r"\1", INVISIBLE.sub("", text))
    if not text.isascii():
        text = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))[: 2 * len(text) + 100]
    return text


def clean(text: str) -> str:
    """Return what a person wrote in one message: no markup, no quoted mail, no signature."""
    return _own(without_markup(normalise(text)))


def without_markup(text: str) -> str:
    """Return normalised text as it is to be read: HTML as text, anything else as it stands."""
    return html_to_text(text) if HTML_TAG.search(text) else text


def html_to_text(markup: str) -> str:
    """Return the text of HTML, lines kept; markup nested deeper than 256 is returned as it stands."""
    flat = shallow(markup)
    if depth_of(flat) > MAX_DEPTH:  # the cleaner is quadratic in nesting
        return markup
    import nh3

    lines = LINE_TAG.sub(lambda tag: f"\n{tag.group()}", flat)
    text = nh3.clean(lines, tags=set(), clean_content_tags={"script", "style", "svg", "math"})
    stripped = [line.strip() for line in normalise(html.unescape(text)).split("\n")]
    return "\n".join(line for line in stripped if line)


def _own(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", own_words(text)).strip()
