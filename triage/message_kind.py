"""The gate: is this a request at all? What a standard makes proof first, then headers weighed with the words.

RFC 3834 (automatic replies), RFC 3464 (delivery reports), RFC 8098 (read receipts), RFC 2369 and 2919 (lists).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from triage import message_wording as wording
from triage.cleaning import TicketText
from triage.drafting.clauses import find_wording
from triage.quoted_mail import all_but_quotes, bare_words

Kind = Literal["request", "thanks", "auto_reply", "bounce", "list_mail", "empty"]

READABLE = re.compile(r"[^\W_]")
REPLY_SUBJECT = re.compile(r"(?:re|aw|sv|antw|antwort|rif|odp|res)\s?(?:\[\d+\])?\s?:", re.I)
PASSED_ON_SUBJECT = re.compile(r"(?:fwd?|wg|tr|rv|doorst)\s?:", re.I)
NO_SUBJECT = re.compile(r"\W*(?:no subject|kein betreff|ohne betreff|sans (?:objet|sujet)|sin asunto)?\W*", re.I)
DAEMON = re.compile(r"\bmailer-daemon\b|\bmail delivery (?:sub)?system\b", re.I)
POSTMASTER = re.compile(r"\bpostmaster@|\bmicrosoftexchange\w{0,80}@", re.I)
MACHINE = re.compile(
    r"\b(?:no-?_?reply|do-?_?not-?_?reply|notifications?|alerts?|monitoring|automailer|robot|calendar-notification)\b",
    re.I,
)
#: A list's own tag in the subject, or a greeting to its members.
TO_ALL = re.compile(
    r"(?:(?:re|aw|fwd?|wg)\s?: ?)?\[[\w./ -]{2,60}\]|(?:dear|hi|hello|hey) (?:all|everyone|members|list)\b"
    r"|(?:liebe|hallo|moin|servus)\w{0,2} (?:alle|zusammen|mitglieder|liste)\b|bonjour à tous\b|hola a todos\b",
    re.I,
)
DIGEST = re.compile(r"\bdigest\b.{0,40}\b(?:vol|issue|\d)", re.I)
#: Set by what answers by itself, whatever stands in them.
AUTOMATIC_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-mail-autoreply", "x-boxtrapper")
#: Set on mail that goes to many. X-Auto-Response-Suppress is not among any of these: Exchange sets it on any mail.
CAMPAIGN_HEADERS = ("x-campaign", "x-campaignid", "x-campaign-id", "x-mc-user", "x-mailgun-campaign-id", "x-mailin-eid")
GROUP_HEADERS = ("list-post", "mailing-list", "x-google-group-id", "x-mailman-version", "x-beenthere", "x-sequence")


@dataclass(frozen=True, slots=True)
class MessageKind:
    """What sort of message this is, and what showed it."""

    kind: Kind
    evidence: str


@dataclass(frozen=True)
class _Mail:
    """What the rules look at: headers by lower-case name, the sender, the words."""

    text: TicketText
    headers: Mapping[str, str]
    sender: str
    is_follow_up: bool

    @cached_property
    def words(self) -> str:
        """What the writer says, nothing else; an answer within quoted lines is part of it."""
        return bare_words(self.text.newest, self.text.sender).replace("’", "'")

    @cached_property
    def unquoted(self) -> str:
        """The mail without quoted lines, footers and signature included."""
        return all_but_quotes(self.text.newest)

    @cached_property
    def may(self) -> wording.Possible:
        """The wording that can stand in this mail."""
        return wording.possible(self.subject, *dict.fromkeys([self.words, self.unquoted]))

    @property
    def subject(self) -> str:
        """The subject of this very message; that of a ticket says nothing about what was added to it later."""
        return "" if self.is_follow_up else self.text.subject

    @property
    def is_answer(self) -> bool:
        return self.is_follow_up or "in-reply-to" in self.headers or REPLY_SUBJECT.match(self.subject) is not None

    @cached_property
    def wish(self) -> str:
        """What shows that a person asks for something, in the writer's own words or in what a form passes on."""
        asked = wording.asks(self.may, self.words) or ("?" if "?" in self.words else "")
        return asked or wording.passed_on(self.may, f"{self.subject}\n{self.words}")


def message_kind(text: TicketText, headers: Mapping[str, str], is_follow_up: bool = False) -> MessageKind:
    """Tell requests from mail that wants no answer. Anything doubtful is a request.

    `headers` are those of the newest message; a follow-up from the customer is judged by its text alone.
    """
    plain = {} if is_follow_up else {name.lower(): value.strip() for name, value in headers.items()}
    sender = "" if is_follow_up else f"{text.sender} {plain.get('from', '')} {plain.get('sender', '')}"
    mail = _Mail(text, plain, sender, is_follow_up)
    found = _proven_bounce(mail) or _proven_auto_reply(mail)
    if found:
        return found
    rules = (_empty, _list_mail, _bounce, _machine_sent, _auto_reply, _thanks)
    found = next((kind for rule in rules if (kind := rule(mail))), None)
    if found and found.kind != "empty" and _needs_a_person(text):
        return MessageKind("request", f"{found.evidence}, and yet somebody may need a person")
    return found or MessageKind("request", "nothing says otherwise")


def _proven_bounce(mail: _Mail) -> MessageKind | None:
    content_type = mail.headers.get("content-type", "").lower()
    if "multipart/report" in content_type and "delivery-status" in content_type:
        return MessageKind("bounce", f"Content-Type: {content_type[:80]}")
    for name in ("x-failed-recipients", "x-ms-exchange-message-is-ndr"):
        if name in mail.headers:
            return MessageKind("bounce", f"{name}: {mail.headers[name][:80]}")
    if found := DAEMON.search(mail.sender):
        return MessageKind("bounce", f"sender: {found.group()}")
    if mail.headers.get("return-path") == "<>" or POSTMASTER.search(mail.sender):
        said = wording.opens_with(mail.may, "bounce_subject", mail.subject) or wording.bounced(mail.may, mail.unquoted)
        return MessageKind("bounce", f"null sender or postmaster, and: {said[:80]}") if said else None
    return None


def _proven_auto_reply(mail: _Mail) -> MessageKind | None:
    headers = mail.headers
    content_type = headers.get("content-type", "").lower()
    if "multipart/report" in content_type or ("text/calendar" in content_type and "method=reply" in content_type):
        return None if mail.wish else MessageKind("auto_reply", f"Content-Type: {content_type[:80]}")
    if _submitted(headers) in ("auto-replied", "auto-notified"):
        return MessageKind("auto_reply", f"Auto-Submitted: {headers['auto-submitted'].lower()[:80]}")
    for name in AUTOMATIC_HEADERS:
        if headers.get(name, "no").lower() not in ("no", "none", ""):
            return MessageKind("auto_reply", f"{name}: {headers[name][:80]}")
    for name in ("precedence", "x-precedence"):
        if headers.get(name, "").lower() in ("auto_reply", "auto-reply"):
            return MessageKind("auto_reply", f"{name}: {headers[name][:80]}")
    return None


def _submitted(headers: Mapping[str, str]) -> str:
    """Return the keyword of Auto-Submitted; a comment and parameters may follow it (RFC 3834, section 5)."""
    return re.split(r"[;(\s]", headers.get("auto-submitted", "").lower())[0]


def _empty(mail: _Mail) -> MessageKind | None:
    """Nothing of the writer's own: an answer's subject is the desk's, a mail passed on is said."""
    if not READABLE.search(mail.text.question):
        return MessageKind("empty", "no letter or digit in subject and body")
    says_nothing = not READABLE.search(mail.words) and not wording.first(mail.may, "thanks", [mail.words])
    if not says_nothing or PASSED_ON_SUBJECT.match(mail.subject):
        return None
    if NO_SUBJECT.fullmatch(mail.subject) or (mail.is_answer and READABLE.search(mail.text.newest)):
        return MessageKind("empty", "nothing but quoted mail, signature or legal notice")
    return None


def _list_mail(mail: _Mail) -> MessageKind | None:
    """A mailing tells how to leave it; a shared support address is a list too, and there people ask."""
    headers, footer = mail.headers, wording.newsletter(mail.may, mail.unquoted)
    campaign = next((name for name in CAMPAIGN_HEADERS if name in headers), "")
    header = campaign or next((name for name in ("list-unsubscribe", "list-id") if name in headers), "")
    if PASSED_ON_SUBJECT.match(mail.subject) or (footer and not header and mail.is_answer):
        return None
    if header and not wording.is_shared_address(_list_name(headers)) and DIGEST.search(mail.subject):
        return MessageKind("list_mail", f"{header} and the subject: {mail.subject[:80]}")
    evidence = f"{header or 'no list header'}, and: {footer}" if footer else f"{header}: {headers.get(header, '')[:80]}"
    is_group = any(name in headers for name in GROUP_HEADERS)
    to_all = TO_ALL.match(mail.subject) or TO_ALL.match(mail.words)
    if is_group and (not to_all or wording.is_shared_address(_list_name(headers))):
        return None
    if not header or not footer:
        one_click = "list-unsubscribe-post" in headers and headers.get("precedence", "").lower() == "bulk"
        alone = wording.ALONE.search(mail.unquoted) or mail.wish
        return MessageKind("list_mail", evidence) if (footer or campaign or one_click) and not alone else None
    asked = wording.asks_for_itself(mail.may, mail.words) or (is_group and "?" in mail.words)
    return None if asked else MessageKind("list_mail", evidence)


def _list_name(headers: Mapping[str, str]) -> str:
    """Return the first label of a list's name: "support" of <support.shop.example>."""
    name = headers.get("list-id", "")
    return name[name.rfind("<") + 1 :].split(".")[0].lower()


def _bounce(mail: _Mail) -> MessageKind | None:
    """Without any header: two things that mail servers say, and no question of a person who got them."""
    if mail.is_answer or PASSED_ON_SUBJECT.match(mail.subject) or mail.wish:
        return None
    subject, said = (
        wording.opens_with(mail.may, "bounce_subject", mail.subject),
        wording.bounced(mail.may, mail.unquoted),
    )
    code = wording.server_code(mail.may, mail.unquoted)
    is_personal = wording.speaks_of_self(mail.may, mail.words, ("bounce_apology",))
    if is_personal or [subject, said, code].count("") > 1:
        return None
    return MessageKind("bounce", f"text: {subject or said}, {code or said}"[:120])


def _machine_sent(mail: _Mail) -> MessageKind | None:
    """Auto-Submitted: auto-generated is a hint only: web forms and ticket systems send people's words with it."""
    if _submitted(mail.headers) in ("", "no"):
        return None
    header = f"Auto-Submitted: {mail.headers['auto-submitted'][:40]}"
    if found := wording.opens_with(mail.may, "auto_subject", mail.subject):
        return MessageKind("auto_reply", f"{header}, subject: {found[:60]}")
    signs = wording.receipt(mail.may, mail.subject, mail.unquoted)
    is_passed_on = wording.passed_on(mail.may, f"{mail.subject}\n{mail.words}")
    if "unread" in signs and "received" in signs and not is_passed_on:
        return MessageKind("auto_reply", f"{header}, text: {signs['unread']}")
    if wording.asks(mail.may, mail.words, wording.ABSENCE) or "?" in mail.words or is_passed_on:
        return None
    found = (
        wording.automatic(mail.may, mail.unquoted)
        or wording.absence(mail.may, mail.words)
        or next(iter(signs.values()), "")
    )
    if found:
        return MessageKind("auto_reply", f"{header}, text: {found[:80]}")
    if (machine := MACHINE.search(mail.sender)) and not wording.ALONE.search(mail.words):
        return MessageKind("auto_reply", f"{header}, sender: {machine.group()}")
    return MessageKind("auto_reply", f"{header}, null sender") if mail.headers.get("return-path") == "<>" else None


def _auto_reply(mail: _Mail) -> MessageKind | None:
    asked = wording.asks(mail.may, mail.words, wording.ABSENCE) or wording.passed_on(
        mail.may, f"{mail.subject}\n{mail.words}"
    )
    if asked or PASSED_ON_SUBJECT.match(mail.subject):
        return None
    found = wording.opens_with(mail.may, "auto_subject", mail.subject)
    is_prefix = found.endswith(":") or mail.subject[len(found) :].lstrip().startswith(":")
    signs = wording.receipt(mail.may, mail.subject, mail.words)
    if "?" in mail.words + mail.subject and not (is_prefix and "thanks" in signs):
        return None
    if found and (is_prefix or wording.supports_absence(mail.may, mail.words)):
        return MessageKind("auto_reply", f"subject: {found}")
    found = wording.opens_with(mail.may, "receipt_subject", mail.subject)
    if found and (not READABLE.search(mail.words) or wording.automatic(mail.may, mail.words)):
        return MessageKind("auto_reply", f"subject: {found}")
    is_response = mail.is_answer or not READABLE.search(mail.subject)
    if is_response and (found := wording.absence(mail.may, mail.words)):
        return MessageKind("auto_reply", f"text: {found}")
    if (found := wording.automatic(mail.may, mail.words)) and not wording.ALONE.search(mail.words):
        return MessageKind("auto_reply", f"text: {found}")
    if len(signs) > 1 and "received" in signs and not wording.ALONE.search(mail.words):
        return MessageKind("auto_reply", f"text: {', '.join(signs.values())}"[:120])
    return None


def _thanks(mail: _Mail) -> MessageKind | None:
    """Thanks and nothing else, and no subject of its own that wants something."""
    found = wording.thanks(mail.may, mail.words)
    subject = "" if mail.is_answer or NO_SUBJECT.fullmatch(mail.subject) else mail.subject
    if (
        not found
        or (subject and not wording.thanks(mail.may, subject))
        or wording.first(mail.may, "sarcastic", [mail.subject])
    ):
        return None
    return MessageKind("thanks", f"text: {found}")


def _needs_a_person(text: TicketText) -> bool:
    rules = ("human_requested", "sensitive_topic")
    return any(True for rule in rules for _ in find_wording(text.watched, rule))
