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
AUTO_TEXT = re.compile(
    r"\b(?:out of (?:the )?office|on (?:annual|parental|maternity|paternity|sick) leave|this is an automat\w+"
    r"|automat\w+ (?:reply|response|answer)|away from my (?:desk|mail|e-?mail|inbox)"
    r"|limited access to (?:my )?e-?mails?"
    r"|(?:not|nobody) (?:be )?(?:checking|reading) (?:this|my|these) (?:inbox|mailbox|e?-?mails?)"
    r"|(?:i am|i'm|we are|we're) (?:currently )?(?:away|closed|on holiday)\b"
    r"[^.?!\n]{0,40}\b(?:until|till|from|and (?:will )?be back))",
    re.I,
)
THANKS = re.compile(
    r"\b(?:thanks?|thank you|thankyou|thx|ta|cheers|brilliant|sorted|all good|perfect|lifesaver)\b", re.I
)
ASKS = re.compile(
    r"\?|\b(?:how (?:do|can|to)|can (?:you|i|we)|could (?:you|i|we)|would you|please|pls|need(?:s)? to|but|still"
    r"|however|although|except|error|problem|issue|wrong|not work\w*|doesn'?t|won'?t|can'?t|cannot|unable|help me"
    r"|one more|another|what|why|when|where|which|wondering|let me know)\b",
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
    return _by_text(text) or MessageKind("request", "nothing says otherwise")


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
    submitted = headers.get("auto-submitted", "no").lower()
    if submitted.split(";")[0].strip() != "no":
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
    if (match := AUTO_TEXT.search(text.latest[:600])) and "?" not in text.latest:
        return MessageKind("auto_reply", f"text: {match.group()}")
    thanks = THANKS.search(text.latest)
    # The subject of an answer is the old one: only a subject of its own can ask something.
    asked = text.latest if text.subject.lower().startswith("re:") else text.question
    short = len(text.latest.split()) <= MAX_THANKS_WORDS
    if thanks and short and not ASKS.search(asked) and not _needs_a_person(text):
        return MessageKind("thanks", f"text: {thanks.group()}")
    return None


def _needs_a_person(text: TicketText) -> bool:
    rules = ("human_requested", "sensitive_topic")
    return any(True for rule in rules for _ in find_wording(text.everything, rule))
