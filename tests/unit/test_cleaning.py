import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.html_tree import MAX_DEPTH
from triage.cleaning import clean, html_to_text, normalise, read_text
from triage.quoted_mail import bare_words
from triage.tickets import Message, Ticket

HIDDEN = {
    "soft hyphen": "\u00ad",
    "combining grapheme joiner": "\u034f",
    "arabic letter mark": "\u061c",
    "mongolian vowel separator": "\u180e",
    "zero-width space": "\u200b",
    "zero-width non-joiner": "\u200c",
    "zero-width joiner": "\u200d",
    "left-to-right mark": "\u200e",
    "right-to-left mark": "\u200f",
    "left-to-right override": "\u202d",
    "right-to-left override": "\u202e",
    "pop directional formatting": "\u202c",
    "word joiner": "\u2060",
    "invisible times": "\u2062",
    "left-to-right isolate": "\u2066",
    "pop directional isolate": "\u2069",
    "variation selector": "\ufe0f",
    "byte order mark": "\ufeff",
    "tag letter": "\U000e0061",
    "cancel tag": "\U000e007f",
}


@pytest.mark.parametrize("mark", HIDDEN.values(), ids=HIDDEN)
def test_what_cannot_be_seen_vanishes(mark: str) -> None:
    assert normalise(f"la{mark}wyer") == "lawyer"


def test_what_cannot_be_seen_vanishes_before_tags_are_looked_for() -> None:
    assert clean("<\u200bp>Hello</\u200dp><scr\u00adipt>steal()</scr\u2060ipt>") == "Hello"


def test_compatible_letters_become_plain_ones() -> None:
    assert normalise("ﬁle Ｔｉｌｌ ① e\u0301") == "file Till 1 \u00e9"


@given(st.text(max_size=80))
@settings(max_examples=50, deadline=None)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_html_becomes_text_with_its_lines() -> None:
    markup = "<div>One &amp; two</div><p>three<br/>four</p><ul><li>five</li><li>six</li></ul>"
    assert clean(markup).splitlines() == ["One & two", "three", "four", "five", "six"]


@pytest.mark.parametrize("tag", ["script", "style", "svg", "math"])
def test_what_is_no_text_is_dropped_with_its_content(tag: str) -> None:
    assert clean(f"<p>before</p><{tag}>steal()</{tag}><p>after</p>").split() == ["before", "after"]


@pytest.mark.parametrize(
    "markup",
    [
        '<p>Look</p><img src="https://canary.example/x.png">',
        'Look <img src="https://canary.example/x.png">',
        'Look <IMG SRC="https://canary.example/x.png" />',
    ],
)
def test_a_remote_image_is_gone(markup: str) -> None:
    assert clean(markup) == "Look"


@pytest.mark.parametrize("tag", ["h1", "strong", "td"])
def test_a_mail_of_one_kind_of_tag_is_html_too(tag: str) -> None:
    assert clean(f"<{tag}>The till is stuck</{tag}>") == "The till is stuck"


def test_a_script_alone_is_dropped() -> None:
    assert clean("The till is stuck <script>steal()</script>") == "The till is stuck"


def test_a_less_than_sign_is_no_markup() -> None:
    assert clean("stock < 5 and price > 3") == "stock < 5 and price > 3"


def test_three_hundred_nested_divs_are_shown_as_text() -> None:
    markup = "<div>" * 300 + "deep" + "</div>" * 300
    assert clean(markup) == markup
    assert html_to_text("<div>" * MAX_DEPTH + "deep" + "</div>" * MAX_DEPTH).strip() == "deep"


@pytest.mark.parametrize("opened", ['<div a="<">', "<div a='<b>'>", "<blockquote\n>", "<custom-tag>", "<DIV>"])
def test_no_way_of_writing_a_tag_hides_how_deep_it_nests(opened: str) -> None:
    markup = f"<p>{opened * 300}deep"
    assert html_to_text(markup) == markup


def test_tags_that_only_change_how_text_looks_do_not_nest() -> None:
    assert clean("<p>" + "<b><font color='red'>" * 300 + "bold words") == "bold words"


def test_paragraphs_that_are_never_closed_are_not_nested() -> None:
    assert clean("<p>line" * 300).splitlines()[0] == "line"


@pytest.mark.parametrize(
    "quoted",
    [
        "On Mon, 2 Nov 2026 at 10:00, Brindle <help@brindle.example> wrote:\n> Have you tried again?",
        "-----Original Message-----\nFrom: Brindle <help@brindle.example>\nTo: Jo\n\nHave you tried again?",
        "From: Brindle <help@brindle.example>\nSent: Monday\nTo: Jo\nSubject: Till\n\nHave you tried again?",
        "Am Mo., 2. Nov. 2026 um 10:00 Uhr schrieb Brindle <help@brindle.example>:\n> Have you tried again?",
    ],
)
def test_the_quoted_mail_below_a_reply_is_off(quoted: str) -> None:
    assert clean(f"It still prints nothing at all.\r\n\r\n{quoted}") == "It still prints nothing at all."


@pytest.mark.parametrize("signature", ["-- \nJo Field\nThe Bun Shop", "--\nJo Field", "Sent from my iPhone"])
def test_the_signature_is_off(signature: str) -> None:
    assert clean(f"It still prints nothing at all.\n\n{signature}") == "It still prints nothing at all."


@pytest.mark.parametrize(
    "line",
    [
        "Von meinem iPhone gesendet",
        "Get Outlook for Android<https://aka.ms/x>",
        "Gesendet mit der GMX Mail App",
        "Envoyé de mon iPhone",
        "Sent from Yahoo Mail for iPhone",
    ],
)
def test_a_mail_programs_own_line_is_off(line: str) -> None:
    assert clean(f"It still prints nothing at all.\n\n{line}") == "It still prints nothing at all."


def test_a_line_that_only_begins_like_a_mail_programs_is_kept() -> None:
    text = "It never came to our shop.\nSent from your depot on Monday"
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It works.\n\nKind regards,\n\nJo Field\nThe Bun Shop\nTel. 01632 960 114", "It works."),
        ("It works.\nJo Field | The Bun Shop", "It works.\nJo Field | The Bun Shop"),
        ("It works.\nJo", "It works."),
        ("It works.\nJo\nPlease ring me", "It works.\nJo\nPlease ring me"),
        ("It works.\n\nThis message is confidential. If it is not yours,\nplease delete it.", "It works."),
        ("On 2 Nov 2026 at 10:00, Help <h@d.example> wrote:\n> Does it?", ""),
        ("On 2 Nov 2026 at 10:00, Help <h@d.example> wrote:\n> Does it?\nIt works.", "It works."),
        ("Begin forwarded message:\n\nFrom: Ann\n\nIt works.", "Begin forwarded message:\n\nFrom: Ann\n\nIt works."),
    ],
)
def test_bare_words_are_what_the_writer_says(text: str, words: str) -> None:
    assert bare_words(text, "Jo Field jo@bun.example") == words


@pytest.mark.parametrize(
    "above",
    [
        "FYI\n\nOn Mon, 2 Nov 2026 at 10:00, Ann <ann@bun.example> wrote:\n> ",
        "FYI\n\n-----Original Message-----\nFrom: Ann <ann@bun.example>\nSent: Monday\n\n",
        "FYI\n\n---------- Forwarded message ---------\nFrom: Ann <ann@bun.example>\nDate: Mon, 2 Nov 2026\n\n",
        "FYI\n\nBegin forwarded message:\n\nFrom: Ann <ann@bun.example>\nSubject: Labels\n\n",
    ],
)
def test_a_forwarded_mail_with_next_to_nothing_above_it_is_kept_whole(above: str) -> None:
    assert "The labels print upside down since Friday." in clean(above + "The labels print upside down since Friday.")


@pytest.mark.parametrize(
    "text",
    ["Am a " + "schrieb a " * 20_000, "a" + "\n" * 100_000 + "b", "From:" + " " * 190_000 + "x", "On " + "a" * 190_000,
     "Cc:" + "*" * 190_000 + "x", "<b>" + " " * 190_000 + "x", "<b></i>" * 25_000, "a" + "\u0301\u0323" * 90_000,
     "\ufdfa" * 100_000, "a" + "\n" * 199_000],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    clean(text)
    bare_words(text, "Jo")
    assert time.process_time() - start < 8


def test_answers_between_the_lines_of_a_marked_quote_are_kept() -> None:
    quoted = "On Mon, 1 Jan 2026 help@brindle.example wrote:\n> How can we help?\nI want to speak to a human\n> Thanks"
    assert clean(f"Hello, my answers are inline below.\n{quoted}").splitlines()[-1] == "I want to speak to a human"


def test_only_the_customers_words_count_and_latest_is_the_newest() -> None:
    ticket = Ticket(
        subject=" Till\n stuck ",
        body="The till is stuck.",
        messages=(
            Message(author="agent", text="Have you tried the plug?"),
            Message(author="customer", text="The plug is in."),
            Message(author="bot", text="I am a bot."),
            Message(author="customer", text="Now it smells."),
            Message(author="system", text="Assigned to Jo."),
            Message(author="customer", text="\u200b"),
        ),
    )
    text = read_text(ticket)
    assert text.subject == "Till stuck"
    assert text.latest == "Now it smells."
    assert text.everything == "Till stuck\nThe till is stuck.\nThe plug is in.\nNow it smells."
    assert text.question == "Till stuck\nNow it smells."


def test_a_blank_ticket_has_no_words() -> None:
    text = read_text(Ticket(subject=" ", body="\u200b\n"))
    assert (text.subject, text.latest, text.everything, text.question) == ("", "", "", "")
