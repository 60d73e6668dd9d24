"""The gate: is this a request at all? Headers first (RFC 3834, RFC 3464), the text after."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from triage.cleaning import TicketText
from triage.drafting.clauses import find_wording

Kind = Literal["request", "thanks", "auto_reply", "bounce", "list_mail", "empty"]

READABLE = re.compile(r"[^\W_]")
BOUNCE_SUBJECT = re.compile(
    r"^(?:undeliver(?:ed|able)\b|mail delivery (?:failed|failure|subsystem)|delivery status notification"
    r"|returned mail\b|delivery (?:has )?failed|failure notice)",
    re.I,
)
AUTO_SUBJECT = re.compile(
    r"^(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office|abwesenheits\w*"
    r"|automatische antwort|r[ée]ponse automatique|respuesta autom[áa]tica)\b",
    re.I,
)
#: Said of the mail itself, so enough alone.
AUTO_TEXT = re.compile(
    r"\b(?:this is an automat\w+|automat\w+ (?:reply|response|answer) (?:to|from)"
    r"|(?:i am|i'm|i will be|i'll be|we are|we're|we will be|currently|am) (?:currently |now |away and )?"
    r"out of (?:the )?office"
    r"|limited access to (?:my |our )?e-?mails?"
    r"|(?:not|nobody)(?: is| be| being)? (?:checked|checking|reading|read|monitored)\b[^.?!\n]{0,20}"
    r"\b(?:inbox|mailbox|e?-?mails?))",
    re.I,
)
#: Said of the writer, and only where nothing else is.
AWAY = re.compile(
    r"\b(?:i am|i'm|i will be|i'll be|we are|we're|we will be) (?:currently |now )?"
    r"(?:away|closed|on (?:\w+ )?(?:holiday|leave|vacation)|out of (?:the )?office|not in the (?:office|shop))\b",
    re.I,
)
THANKS = re.compile(
    r"\b(?:thanks?|thank you|thankyou|thx|cheers|ta(?=[!.,]|$)|much appreciated|lifesaver|you're a star"
    r"|(?:brilliant|perfect|great)"
    r"|(?:all|now|got it|that|it's|is|are) (?:sorted|fixed|solved|good|done|working)|sorted now|did the trick|did it"
    r"|works (?:now|again|fine|perfectly)|have a (?:nice|good|lovely) \w+|no further|you can close"
    r"|(?:problem|issue) solved)\b",
    re.I,
)
IN_ADVANCE = re.compile(
    r"\b(?:thanks|thank you)(?: very much| so much)? in (?:advance|anticipation)\b|\bthanks for nothing\b", re.I
)
ASKS = re.compile(
    r"\?|\b(?:how (?:do|can|to)|can (?:you|i|we)|could (?:you|i|we)|would you|please|pls|need(?:s)? to|but|still"
    r"|however|although|except|errors?|wrong|not work\w*|doesn'?t|won'?t|can'?t|cannot|unable|help me|broken|missing"
    r"|one more|another|what|why|when|where|which|wondering|let me know|cancel|charged?|refund|add|delete"
    r"|twice|upside|stuck|fails?|failed|nothing)\b",
    re.I,
)
REFERRAL = re.compile(
    r"\b(?:please (?:contact|call|ring|write|e-?mail|speak)|when (?:i|we)|for (?:anything|urgent))[^.!\n]*", re.I
)
SENTENCE = re.compile(r"[.!?\n]+")
GREETING = re.compile(r"(?:hi|hello|dear|hiya|hey|morning|good (?:morning|afternoon|evening))\b[^.!?]{0,40},?", re.I)
WANTS = re.compile(
    r"^(?:and |so |also |then |now )*(?:cancel|delete|add|change|send|move|remove|refund|update|set|stop|call|ring|fix"
    r"|check|make|give|tell|show|close|reset|put|take|help|explain|restore|undo|switch|turn|look|get|let)\b"
    r"|\b(?:i|we)(?:'d| would)? (?:want|need|like|wish|must|have to|forgot|lost|have (?:forgotten|lost))\b"
    r"|\b(?:and|only|just) now\b|\bnow the\b|\bthough\b|\binstead\b|\bnot\b|n't\b|\bno longer\b|\bbut\b",
    re.I,
)
MAX_THANKS_WORDS = 45


@dataclass(frozen=True, slots=True)
class MessageKind:
    """What sort of message this is, and what showed it."""

    kind: Kind
    evidence: str


def message_kind(text: TicketText, headers: Mapping[str, str], is_follow_up: bool = False) -> MessageKind:
    """Tell requests from mail that wants no answer. Anything doubtful is a request.

    `headers` are those of the newest message; a follow-up from the customer is judged by its text alone.
    """
    if not is_follow_up:
        found = _by_headers({name.lower(): value.strip() for name, value in headers.items()}, text.subject)
        if found:
            return found
    if not READABLE.search(text.question):
        return MessageKind("empty", "no letter or digit in subject and body")
    found = _by_text(text)
    if found and _needs_a_person(text):
        return MessageKind("request", f"{found.evidence}, and yet somebody may need a person")
    return found or MessageKind("request", "nothing says otherwise")


def _by_headers(headers: Mapping[str, str], subject: str) -> MessageKind | None:
    content_type = headers.get("content-type", "").lower()
    if "multipart/report" in content_type and "delivery-status" in content_type:
        return MessageKind("bounce", f"Content-Type: {content_type[:80]}")
    sender = headers.get("from", "").lower()
    null_sender = headers.get("return-path") == "<>"
    if BOUNCE_SUBJECT.search(subject) and (
        null_sender or "mailer-daemon" in sender or "x-failed-recipients" in headers
    ):
        return MessageKind("bounce", "null sender and a delivery-failure subject")
    submitted = headers.get("auto-submitted", "").lower()
    # A keyword, then perhaps a comment in brackets and parameters (RFC 3834, section 5).
    if re.split(r"[;(\s]", submitted.strip())[0] not in ("", "no"):
        return MessageKind("auto_reply", f"Auto-Submitted: {submitted[:80]}")
    for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress"):
        if headers.get(name, "no").lower() not in ("no", "none", ""):
            return MessageKind("auto_reply", f"{name}: {headers[name][:80]}")
    precedence = headers.get("precedence", "").lower()
    if precedence == "auto_reply":
        return MessageKind("auto_reply", "Precedence: auto_reply")
    if "list-id" in headers or "list-unsubscribe" in headers or precedence in ("bulk", "list", "junk"):
        return MessageKind("list_mail", "List-Id, List-Unsubscribe or Precedence")
    return None


def _by_text(text: TicketText) -> MessageKind | None:
    if BOUNCE_SUBJECT.search(text.subject) and re.search(
        r"\b(?:recipient|address|mailbox|smtp|550)\b", text.latest, re.I
    ):
        return MessageKind("bounce", f"subject: {text.subject[:80]}")
    if match := AUTO_SUBJECT.search(text.subject):
        return MessageKind("auto_reply", f"subject: {match.group()}")
    opening = text.latest[:600]
    if (match := AUTO_TEXT.search(opening)) and "?" not in text.latest:
        return MessageKind("auto_reply", f"text: {match.group()}")
    if (match := AWAY.search(opening)) and not ASKS.search(_without_referral(text.latest)):
        return MessageKind("auto_reply", f"text: {match.group()}")
    return _thanks(text)


def _without_referral(text: str) -> str:
    """Leave out what an absence note says of others: "please contact …", "when I am back", "for anything urgent"."""
    return REFERRAL.sub("", text)


def _thanks(text: TicketText) -> MessageKind | None:
    """Thanks and nothing else: it opens with thanks, no sentence wants anything, nor does a subject of its own.

    Who wants something and is polite thanks at the end; who thanks first has got what they wanted.
    """
    found = THANKS.search(text.latest)
    answer = re.match(r"(?:re|aw|sv|antw)\s*:", text.subject, re.I) is not None
    if found is None or len(text.latest.split()) > MAX_THANKS_WORDS or IN_ADVANCE.search(text.latest):
        return None
    if text.subject and not answer and (ASKS.search(text.subject) or not THANKS.search(text.subject)):
        return None
    sentences = [sentence.strip() for sentence in SENTENCE.split(text.latest) if sentence.strip()]
    opening = [sentence for sentence in sentences if not GREETING.fullmatch(sentence)][:1]
    if not opening or not THANKS.search(opening[0]):
        return None
    if any(WANTS.search(sentence) for sentence in sentences) or ASKS.search(text.latest):
        return None
    return MessageKind("thanks", f"text: {found.group()}")


def _needs_a_person(text: TicketText) -> bool:
    rules = ("human_requested", "sensitive_topic")
    return any(True for rule in rules for _ in find_wording(text.watched, rule))
