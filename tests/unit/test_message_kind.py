import pytest

from triage.cleaning import read_text
from triage.message_kind import Kind, MessageKind, message_kind
from triage.tickets import Ticket

DSN = 'multipart/report; report-type=delivery-status; boundary="x"'


def kind_of(subject: str, body: str, headers: dict[str, str] | None = None, is_follow_up: bool = False) -> MessageKind:
    return message_kind(read_text(Ticket(subject=subject, body=body)), headers or {}, is_follow_up)


BY_HEADERS: list[tuple[Kind, str, dict[str, str]]] = [
    ("request", "Till", {}),
    ("request", "Till", {"Auto-Submitted": "no"}),
    ("request", "Till", {"Auto-Submitted": "No"}),
    ("request", "Till", {"Auto-Submitted": " no "}),
    ("request", "Till", {"Auto-Submitted": "no; owner-email=jo@bun.example"}),
    ("request", "Till", {"Auto-Submitted": "no (typed by hand)"}),
    ("request", "Till", {"Auto-Submitted": ""}),
    ("auto_reply", "Till", {"Auto-Submitted": "auto-replied"}),
    ("auto_reply", "Till", {"Auto-Submitted": "auto-generated"}),
    ("auto_reply", "Till", {"Auto-Submitted": "auto-replied (vacation)"}),
    ("auto_reply", "Till", {"AUTO-SUBMITTED": "Auto-Replied"}),
    ("auto_reply", "Till", {"auto-submitted": "auto-notified; owner-email=jo@bun.example"}),
    ("auto_reply", "Till", {"X-Autoreply": "yes"}),
    ("auto_reply", "Till", {"x-autorespond": "1"}),
    ("auto_reply", "Till", {"X-Auto-Response-Suppress": "All"}),
    ("request", "Till", {"X-Auto-Response-Suppress": "None"}),
    ("auto_reply", "Till", {"Precedence": "auto_reply"}),
    ("list_mail", "Till", {"List-Id": "<traders.list.example>"}),
    ("list_mail", "Till", {"LIST-UNSUBSCRIBE": "<https://list.example/u>"}),
    ("list_mail", "Till", {"Precedence": "Bulk"}),
    ("list_mail", "Till", {"precedence": "list"}),
    ("request", "Till", {"Precedence": "normal"}),
    ("bounce", "Till", {"Content-Type": DSN}),
    ("bounce", "Till", {"content-TYPE": DSN.upper()}),
    ("bounce", "Till", {"Content-Type": DSN, "Auto-Submitted": "auto-replied"}),
    ("request", "Till", {"Content-Type": "multipart/mixed"}),
    ("bounce", "Undelivered Mail Returned to Sender", {"Return-Path": "<>"}),
    ("bounce", "Mail delivery failed: returning message", {"From": "Mailer-Daemon@post.example"}),
    ("bounce", "Failure notice", {"X-Failed-Recipients": "jo@bun.example"}),
    ("bounce", "Delivery Status Notification (Failure)", {"Return-Path": "<>", "Auto-Submitted": "auto-replied"}),
    ("request", "Failure notice on the till", {"Return-Path": "<jo@bun.example>"}),
    ("request", "Till", {"Return-Path": "<>"}),
]


@pytest.mark.parametrize(("kind", "subject", "headers"), BY_HEADERS)
def test_headers_tell_the_kind(kind: Kind, subject: str, headers: dict[str, str]) -> None:
    assert kind_of(subject, "It prints nothing since noon.", headers).kind == kind


BY_TEXT: list[tuple[Kind, str, str]] = [
    ("empty", "", ""),
    ("empty", " ", "\n...\n"),
    ("empty", "—", "😀 👍"),
    ("empty", "", "___"),
    ("request", "", "5"),
    ("request", "Till stuck", ""),
    ("auto_reply", "Automatic reply: Your invoice", "I am back on Monday."),
    ("auto_reply", "Out of office", "Back on Monday."),
    ("auto_reply", "Abwesenheitsnotiz", "Ich bin am Montag zurück."),
    ("auto_reply", "Réponse automatique : facture", "De retour lundi."),
    ("auto_reply", "Re: Your invoice", "I am out of the office with limited access to my email."),
    ("auto_reply", "Re: Your invoice", "This is an automated response."),
    ("auto_reply", "Re: Your invoice", "We are closed for stocktaking until Monday."),
    ("request", "Out of my depth", "The VAT page is too hard for me."),
    ("bounce", "Undeliverable: Your invoice", "550 no such recipient here"),
    ("request", "Delivery failed", "The flour did not come, and the order still says open."),
    ("thanks", "", "Thanks, all good now!"),
    ("thanks", "Re: Till stuck", "Thank you, that did it."),
    ("thanks", "Re: Why is my till stuck?", "Brilliant, sorted. Cheers, Jo"),
    ("thanks", "", "Perfect, many thanks"),
]


@pytest.mark.parametrize(("kind", "subject", "body"), BY_TEXT)
def test_text_tells_the_kind_where_headers_are_silent(kind: Kind, subject: str, body: str) -> None:
    assert kind_of(subject, body).kind == kind


@pytest.mark.parametrize(
    "body",
    [
        "Thanks! How do I add a second shop?",
        "Thank you, could you also send the receipt",
        "Thanks, but it is still stuck.",
        "Cheers. One more thing, the labels.",
        "Thanks. I want to speak to a manager.",
        "Thank you. My solicitor will write next.",
    ],
)
def test_thanks_with_a_question_or_a_complaint_is_a_request(body: str) -> None:
    assert kind_of("", body).kind == "request"


@pytest.mark.parametrize(
    "body",
    [
        "Thanks for nothing, the takings are missing again.",
        "Thank you. You charged my card twice.",
        "Thanks, it is broken again.",
        "Perfect, and now the labels print upside down.",
    ],
)
def test_thanks_with_bad_news_is_a_request(body: str) -> None:
    assert kind_of("", body).kind == "request"


@pytest.mark.parametrize(
    "body",
    [
        "Cancel my plan at the end of the month. Thanks, Jo",
        "I have forgotten my password. Thanks",
        "I want this sorted today.",
        "Delete Tom from our list of users. Thank you",
    ],
)
def test_a_wish_that_closes_with_thanks_is_a_request(body: str) -> None:
    assert kind_of("", body).kind == "request"


def test_a_subject_that_wants_something_outweighs_thanks_in_the_body() -> None:
    assert kind_of("Refund for October", "Thanks in advance.").kind == "request"


@pytest.mark.parametrize(
    "body",
    [
        "My bookkeeper is on maternity leave, add her cover as a user.",
        "Switch off the automatic reply on our invoices mailbox.",
        "I am away until Monday and the app shows error BR-77120 on my phone.",
    ],
)
def test_a_request_that_mentions_absence_or_automatic_mail_is_a_request(body: str) -> None:
    assert kind_of("", body).kind == "request"


def test_long_thanks_are_read_by_a_person() -> None:
    assert kind_of("", "Thanks " + "very " * 50 + "much").kind == "request"


@pytest.mark.parametrize(
    "headers", [{"Auto-Submitted": "auto-replied"}, {"List-Id": "<x.example>"}, {"Content-Type": DSN}]
)
def test_a_follow_up_is_judged_by_its_text_alone(headers: dict[str, str]) -> None:
    assert kind_of("Till", "It prints nothing.", headers, is_follow_up=True).kind == "request"
    assert kind_of("", "Thanks, all good", headers, is_follow_up=True).kind == "thanks"


def test_the_evidence_says_what_showed_it() -> None:
    assert kind_of("", "x", {"Auto-Submitted": "auto-replied"}).evidence == "Auto-Submitted: auto-replied"
    assert kind_of("Out of office", "x").evidence == "subject: Out of office"
    assert kind_of("", "Cheers, all good").evidence == "text: Cheers"
    assert kind_of("", "").evidence == "no letter or digit in subject and body"


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("", "I want to kill myself. I am out of the office"),
        ("", "My account was hacked. We are closed on Sunday"),
        ("Undelivered order", "I will sue you, my address is 1 High St"),
        ("Automatic reply to my complaint is useless", "I want to speak to a human"),
    ],
)
def test_nothing_in_the_text_gates_somebody_who_needs_a_person(subject: str, body: str) -> None:
    assert kind_of(subject, body).kind == "request"
