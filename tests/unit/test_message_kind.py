import time

import pytest

from triage.cleaning import read_text
from triage.message_kind import Kind, MessageKind, message_kind
from triage.tickets import Requester, Ticket

DSN = 'multipart/report; report-type=delivery-status; boundary="x"'


def kind_of(subject: str, body: str, headers: dict[str, str] | None = None, is_follow_up: bool = False) -> MessageKind:
    ticket = Ticket(subject=subject, body=body, requester=Requester(name="Jo Field", email="jo@bun.example"))
    return message_kind(read_text(ticket), headers or {}, is_follow_up)


BY_HEADERS: list[tuple[Kind, str, dict[str, str]]] = [
    ("request", "Till", {}),
    ("request", "Till", {"Auto-Submitted": "no"}),
    ("request", "Till", {"Auto-Submitted": "No"}),
    ("request", "Till", {"Auto-Submitted": " no "}),
    ("request", "Till", {"Auto-Submitted": "no; owner-email=jo@bun.example"}),
    ("request", "Till", {"Auto-Submitted": "no (typed by hand)"}),
    ("request", "Till", {"Auto-Submitted": ""}),
    ("auto_reply", "Till", {"Auto-Submitted": "auto-replied"}),
    ("request", "Till", {"Auto-Submitted": "auto-generated"}),
    ("auto_reply", "Till", {"Auto-Submitted": "auto-generated", "Return-Path": "<>"}),
    ("auto_reply", "Till", {"Auto-Submitted": "auto-generated", "From": "noreply@shop.example"}),
    ("auto_reply", "Automatic reply: Till", {"Auto-Submitted": "auto-generated"}),
    ("auto_reply", "Till", {"Auto-Submitted": "auto-replied (vacation)"}),
    ("auto_reply", "Till", {"AUTO-SUBMITTED": "Auto-Replied"}),
    ("auto_reply", "Till", {"auto-submitted": "auto-notified; owner-email=jo@bun.example"}),
    ("auto_reply", "Till", {"X-Autoreply": "yes"}),
    ("auto_reply", "Till", {"x-autorespond": "1"}),
    ("request", "Till", {"X-Auto-Response-Suppress": "All"}),
    ("auto_reply", "Read: Till", {"Content-Type": "multipart/report; report-type=disposition-notification"}),
    ("auto_reply", "Declined: Till", {"Content-Type": 'text/calendar; charset="utf-8"; method=REPLY'}),
    ("request", "Till", {"Content-Type": 'text/calendar; charset="utf-8"; method=REQUEST'}),
    ("request", "Till", {"X-Auto-Response-Suppress": "None"}),
    ("auto_reply", "Till", {"Precedence": "auto_reply"}),
    ("request", "Till", {"List-Id": "<traders.list.example>"}),
    ("request", "Till", {"LIST-UNSUBSCRIBE": "<https://list.example/u>"}),
    ("request", "Till", {"Precedence": "Bulk"}),
    ("request", "Till", {"precedence": "list"}),
    ("list_mail", "Traders Digest, Vol 8, Issue 4", {"LIST-ID": "<traders.list.example>"}),
    ("list_mail", "Till", {"X-Campaign": "c7"}),
    ("request", "Support Digest, Vol 8, Issue 4", {"List-Id": "<support.list.example>"}),
    ("request", "Till", {"Precedence": "normal"}),
    ("bounce", "Till", {"Content-Type": DSN}),
    ("bounce", "Till", {"content-TYPE": DSN.upper()}),
    ("bounce", "Till", {"Content-Type": DSN, "Auto-Submitted": "auto-replied"}),
    ("request", "Till", {"Content-Type": "multipart/mixed"}),
    ("bounce", "Undelivered Mail Returned to Sender", {"Return-Path": "<>"}),
    ("bounce", "Mail delivery failed: returning message", {"From": "Mailer-Daemon@post.example"}),
    ("bounce", "Failure notice", {"X-Failed-Recipients": "jo@bun.example"}),
    ("bounce", "Delivery Status Notification (Failure)", {"Return-Path": "<>", "Auto-Submitted": "auto-replied"}),
    ("bounce", "Till", {"From": "Mail Delivery System <MAILER-DAEMON@post.example>"}),
    ("request", "Till", {"From": "Postmaster <postmaster@post.example>"}),
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
    (
        "thanks",
        "Re: Till",
        "Thanks!\n\nOn 2 Nov 2026 at 10:00, Help <h@d.example> wrote:\n> Does it print now? Please tell us.",
    ),
    ("thanks", "AW: Kasse", "Vielen lieben Dank, es funktioniert wieder.\n\nLG\nSusi"),
    ("thanks", "AW: Kasse", "Hat sich inzwischen von selbst erledigt, danke."),
    ("thanks", "Re: Kasse", "Merci, c'est réglé. Bonne fin de journée"),
    ("thanks", "Re: Caja", "Perfecto, muchas gracias por la ayuda."),
    ("thanks", "Re: Till", "Never mind, found it. Thanks anyway!"),
    (
        "auto_reply",
        "Re: Till",
        "I'm on vacation. For urgent matters please reach out to my colleague Ana at ana@x.example.",
    ),
    ("auto_reply", "AW: Kasse", "Ich bin vom 3.8. bis 14.8. im Urlaub. Ihre E-Mail wird nicht weitergeleitet."),
    ("auto_reply", "Re: Till", "This mailbox is no longer monitored. Please write to help@x.example instead."),
    ("auto_reply", "Kasse", "Wir haben Ihre Nachricht erhalten. Ihre Ticketnummer lautet 4711."),
    ("auto_reply", "Gelesen: Kasse", "Ihre Nachricht wurde am 3.8. gelesen."),
    ("bounce", "Unzustellbar: Kasse", "Ihre Nachricht konnte nicht zugestellt werden. 550 5.1.1"),
    (
        "list_mail",
        "Autumn",
        "New lamps are in. You receive this newsletter because you are a customer of ours. Click here to unsubscribe.",
    ),
    ("empty", "(no subject)", "Sent from my iPhone"),
    ("empty", "", "Von meinem iPhone gesendet"),
    ("empty", "AW: Kasse", "Von: Help <h@d.example>\nGesendet: Montag\nAn: Jo\n\nDruckt sie wieder?"),
    (
        "empty",
        "Re: Till",
        "Sent from my iPhone\n\nOn 2 Nov 2026 at 10:00, Help <h@d.example> wrote:\n> Does it print now?",
    ),
    (
        "empty",
        "Kein Betreff",
        "This e-mail is confidential and meant for nobody else. If it is not yours, please delete it.",
    ),
    ("empty", "", "Kind regards\nJo Field\nThe Bun Shop\nTel. 01632 960 114"),
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


@pytest.mark.parametrize(
    "body",
    [
        "Thanks, Thursday works.",
        "Yes, thanks",
        "Great, go with the blue one, thanks",
        "Thank you. We'll take the second offer.",
        "Thanks for the update. My new address is 5 High Street.",
        "Thanks. Serial number SN-4471.",
        "Thank you Anna. Attached the photos.",
        "All sorted, thanks. Close my account as well.",
        "Got it, thanks. Where is the guide for step two",
        "Thanks to you my shop was closed all day.",
        "Wonderful service... three weeks and no answer. Thanks.",
        "Danke, das mit dem Drucker hat geklappt. Der Scanner spinnt weiterhin.",
        "Danke. Dann nehmen wir die rote.",
        "Merci. Je préfère le remboursement.",
        "Gracias, pero sigue igual.",
    ],
)
def test_thanks_that_answer_tell_or_ask_something_are_requests(body: str) -> None:
    assert kind_of("Re: Till", body).kind == "request"


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Out of office", "Staff cannot set their out of office since the update."),
        ("Automatic reply not sent", "I set one for next week and nobody gets it."),
        ("Bounce", "We get 550 5.1.1 user unknown for every mail to our own address."),
        ("FW: Undeliverable: Invoice", "Third time this week.\n\nFrom: Daemon\nTo: Jo\n\n550 5.1.1 user unknown"),
        ("Mail", 'It says "This is an automated response" and then nothing comes.'),
        ("Shop closed", "Our shop is closed until 14 December. The subscription should pause for that time."),
        ("Holiday", "I'm away until Monday, I'll test it then."),
        ("Reference 4471", "We have received your letter about contract number 4471. We object to the new price."),
        ("Accepted: quote 44", "We accept your quote. Order attached."),
        ("Your newsletter", 'It says "To unsubscribe click here" and nothing happens when I click there.'),
        ("", "--\nthe till is dead, help"),
        ("", "Kind regards\nJo Field\nPS: could you also cancel my plan"),
        ("FW: Till", "\n\n---------- Forwarded message ---------\nFrom: Ann\nDate: Monday\n\nIt prints nothing."),
        ("Re: Visit", "Von: Help\nGesendet: Montag\nAn: Jo\n\n> Wann passt es?\nAm Dienstag ab 14 Uhr."),
    ],
)
def test_a_request_that_looks_like_other_mail_is_a_request(subject: str, body: str) -> None:
    assert kind_of(subject, body).kind == "request"


FORM = "Name: Bo\nE-mail: bo@bun.example\nMessage: The gate code for the car park was changed."
GROUP = {"List-Id": "<facilities.x.example>", "X-Google-Group-Id": "4", "List-Unsubscribe": "<mailto:u@x.example>"}
GROUP_FOOTER = '\n-- \nYou received this message because you are subscribed to the Google Groups "Facilities" group.'


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (FORM, {"Auto-Submitted": "auto-generated", "From": "noreply@forms.example", "Precedence": "bulk"}),
        ("The printer in hall 2 is dead since noon." + GROUP_FOOTER, GROUP),
        ("The lamp came with a crack.", {"List-Unsubscribe": "<https://x.example>", "Precedence": "bulk"}),
    ],
)
def test_a_persons_words_under_a_machines_headers_are_a_request(body: str, headers: dict[str, str]) -> None:
    assert kind_of("Question", body, headers).kind == "request"


@pytest.mark.parametrize(
    "seed", ["thank you ", "I am away ", "your message ", "\n", "--\n", "Jo\n", '"', "1. ", "> \n"]
)
def test_no_mail_holds_the_gate_up(seed: str) -> None:
    text = read_text(Ticket(subject=seed * 50, body=(seed * 200_000)[:199_999]))
    start = time.process_time()
    message_kind(text, {"Auto-Submitted": "auto-generated", "List-Unsubscribe": "<x>"})
    assert time.process_time() - start < 8


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
