"""Redaction: an algebra that loses nothing, checks that prove numbers, and hostile text in linear time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.drafting.number_checks import NATIONAL_IDS, is_card, is_iban
from triage.drafting.redaction import LOOKALIKE, NOTHING, PLACEHOLDER, Redactions, redact, restore

#: Pieces that the finders react to, whole and broken, to be put together in any order.
PIECES = (
    "orla@mail.example",
    "4242 4242 4242 4242",
    "DE89 3704 0044 0532 0130 00",
    "+49 30 23125 123",
    "07700 900123",
    "{EMAIL_1}",
    "{email_1}",
    "{ CARD_2 }",
    "{TEXT_1}",
    "{NAME_",
    "EMAIL_1}",
    "{",
    "}",
    "1",
    "_1}",
    "my password is ",
    "hunter2!",
    "Orla",
    "Orla Finch",
    "ORLA",
    "order ",
    "call ",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\u200b",
    "\u0301",
    "\u00a0",
    "\ufdfa",
    "４２",
    "٤٢",
    "\ud800",
    "12345678Z",
    "14 Foxglove Lane, Leeds LS1 9ZZ",
    '"',
    "<",
    ">",
    "@",
    "-",
    "-----BEGIN PRIVATE KEY-----",
    "\x00",
    "ﬁ",
    "é",
    "田中",
)
ODD_TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)
NAMES = ("Orla Finch", "田中")


@given(ODD_TEXT | st.text())
@settings(max_examples=250, deadline=None)
def test_every_text_comes_back(text: str) -> None:
    redacted, redactions = redact(text, names=NAMES)
    restored = restore(redacted, redactions)
    assert restored.text == text
    assert restored.unknown == ()
    assert set(PLACEHOLDER.findall(redacted)) == set(redactions.placeholders)


@given(st.lists(ODD_TEXT, max_size=4))
@settings(max_examples=150, deadline=None)
def test_the_texts_of_one_prompt_share_placeholders_and_all_come_back(texts: list[str]) -> None:
    known, redacted = NOTHING, []
    for text in texts:
        before = known
        out, known = redact(text, known, NAMES)
        redacted.append(out)
        assert dict(before.values).items() <= dict(known.values).items()
    assert len(set(known.values.values())) == len(known.values)
    assert [restore(out, known).text for out in redacted] == texts


@given(ODD_TEXT)
@settings(max_examples=150, deadline=None)
def test_redacting_twice_and_restoring_twice_is_nothing_done(text: str) -> None:
    once, first = redact(text, names=NAMES)
    twice, second = redact(once, names=NAMES)
    assert restore(restore(twice, second).text, first).text == text


@given(ODD_TEXT)
@settings(max_examples=100, deadline=None)
def test_the_same_text_gives_the_same_answer(text: str) -> None:
    assert redact(text, names=NAMES) == redact(text, names=NAMES)


def test_placeholders_are_typed_and_numbered_and_the_same_value_has_one() -> None:
    text = "orla@mail.example, ben@mail.example, orla@mail.example, card 4242 4242 4242 4242"
    redacted, redactions = redact(text)
    assert redacted == "{EMAIL_1}, {EMAIL_2}, {EMAIL_1}, card {CARD_1}"
    again, more = redact("ben@mail.example and kim@mail.example", redactions)
    assert again == "{EMAIL_2} and {EMAIL_3}"
    assert more.values["{EMAIL_3}"] == "kim@mail.example"
    assert "{EMAIL_3}" not in redactions.values


def test_a_placeholder_that_a_customer_typed_is_not_ours() -> None:
    redacted, redactions = redact("{EMAIL_1} is what I see, I am orla@mail.example")
    assert redacted == "{TEXT_1} is what I see, I am {EMAIL_1}"
    assert restore("Dear {EMAIL_1}: {TEXT_1}", redactions).text == "Dear orla@mail.example: {EMAIL_1}"


def test_a_value_that_holds_a_placeholder_is_put_back_as_it_was() -> None:
    text = "my password is {EMAIL_1}x9 and my mail orla@mail.example"
    redacted, redactions = redact(text)
    assert "x9" not in redacted
    assert restore(redacted, redactions).text == text


@pytest.mark.parametrize("answer", ["{PHONE_7}", "{email_1}", "{EMAIL_01}", "{ EMAIL_1 }", "{EMAIL _1}", "{NAMES_1}"])
def test_an_unknown_or_changed_placeholder_is_reported_and_left(answer: str) -> None:
    _, redactions = redact("orla@mail.example")
    restored = restore(f"Hello {answer}, {{EMAIL_1}}, {answer}", redactions)
    assert restored.text == f"Hello {answer}, orla@mail.example, {answer}"
    assert restored.unknown == (answer,)
    assert LOOKALIKE.fullmatch(answer)


def test_a_password_told_once_is_found_where_nothing_announces_it() -> None:
    first, known = redact("My password is Tr0ub4dor&3. I typed Tr0ub4dor&3, nothing.")
    assert first == "My password is {KEY_1}. I typed {KEY_1}, nothing."
    assert redact("(Tr0ub4dor&3)", known)[0] == "({KEY_1})"
    assert redact("(Tr0ub4dor&3)")[0] == "(Tr0ub4dor&3)"


def test_nothing_that_was_taken_out_stands_in_a_repr() -> None:
    _, redactions = redact("orla@mail.example, my password is Tr0ub4dor&3")
    assert "orla" not in f"{redactions!r} {redactions}"
    assert "Tr0ub" not in f"{redactions!r} {redactions}"


@pytest.mark.parametrize(
    ("name", "text", "redacted"),
    [
        ("Orla Finch", "Regards, orla finch", "Regards, {NAME_1}"),
        ("Orla Finch", "Regards, Orla", "Regards, {NAME_1}"),
        ("Orla Finch", "Mrs FINCH, a finch, Finchley", "Mrs {NAME_1}, a finch, Finchley"),
        ("Will Price", "will the price fall? Will Price", "will the price fall? {NAME_1}"),
        ("Will", "will it? Will", "will it? {NAME_1}"),
        ("José Núñez", "Jose Nunez, José, Jose\u0301.", "{NAME_1}, {NAME_2}, {NAME_3}."),
        ("Anna-Lena van der Berg", "van der Berg, Anna-Lena! van", "van der {NAME_1}, {NAME_2}! van"),
        ("Máire O'Brien", "O’Brien", "{NAME_1}"),
        ("田中", "田中です", "{NAME_1}です"),
        ("a(b*)+c", "all a(b*)+c of it", "all {NAME_1} of it"),
        ("Al", "al mercato, Al", "al mercato, {NAME_1}"),
        ("dana99", "it is dana99, not dana990", "it is {NAME_1}, not dana990"),
        ("", "nobody", "nobody"),
        ("  ", "no body", "no body"),
    ],
)
def test_names_that_the_caller_gives(name: str, text: str, redacted: str) -> None:
    assert redact(text, names=[name])[0] == redacted


@pytest.mark.parametrize(
    "hidden",
    [
        "4242\u200b4242\u00a04242\u20114242",
        "４２４２４２４２４２４２４２４２",
        "4242 4242\u00ad 4242\u2009\u200d4242",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
    ],
)
def test_odd_digits_and_what_cannot_be_seen_hide_nothing(hidden: str) -> None:
    redacted, redactions = redact(f"é {hidden}!")
    assert redacted == "é {CARD_1}!"
    assert redactions.values == {"{CARD_1}": hidden}


@pytest.mark.parametrize(
    "card",
    [
        "4242424242424242",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "6011111111111117",
        "30569309025904",
    ],
)
def test_one_wrong_digit_is_no_card(card: str) -> None:
    assert is_card(card)
    for place, digit in enumerate(card):
        wrong = card[:place] + str((int(digit) + 1) % 10) + card[place + 1 :]
        assert not is_card(wrong), wrong
    assert not is_card(card[:-1])
    assert not is_card("0" * 16)


@pytest.mark.parametrize("iban", ["DE89370400440532013000", "GB29NWBK60161331926819", "BR1800360305000010009795493C1"])
def test_a_wrong_character_or_two_swapped_ones_are_no_iban(iban: str) -> None:
    assert is_iban(iban)
    assert is_iban(iban.lower())
    assert not is_iban(iban + "0")
    for place in range(4, len(iban)):
        assert not is_iban(iban[:place] + ("1" if iban[place] != "1" else "2") + iban[place + 1 :])
        if iban[place - 1] != iban[place] and place > 4:
            assert not is_iban(iban[: place - 1] + iban[place] + iban[place - 1] + iban[place + 1 :])


#: Documented examples of each country, and the same with one character changed.
IDS = {
    "US social security": ("219099999", "666099999"),
    "DE tax id": ("86095742719", "86095742718"),
    "GB national insurance": ("AB123456C", "GB123456C"),
    "ES DNI or NIE": ("X1234567L", "X1234567T"),
    "NL BSN": ("111222333", "111222334"),
    "IT codice fiscale": ("RSSMRA85T10A562S", "RSSMRA85T10A562T"),
    "FR NIR": ("255081416802538", "255081416802539"),
    "BR CPF": ("52998224725", "52998224726"),
    "CH AHV": ("7569217076985", "7569217076986"),
    "CA social insurance": ("046454286", "046454287"),
    "AU tax file number": ("123456782", "123456783"),
    "IN Aadhaar": ("234123412346", "234123412347"),
}


@pytest.mark.parametrize("name", IDS)
def test_check_digits_of_national_ids(name: str) -> None:
    right, wrong = IDS[name]
    checks = [one.is_right for one in NATIONAL_IDS if one.name == name]
    assert checks
    assert all(check(right) and not check(wrong) for check in checks)


def test_every_national_id_but_those_without_a_check_is_tried() -> None:
    assert {one.name for one in NATIONAL_IDS} - set(IDS) == {"IN PAN"}


HOSTILE = {
    "letters": "a",
    "capitals": "A",
    "digits": "0",
    "fours": "4",
    "spaced digits": "4 ",
    "pairs": "12 ",
    "groups": "4242 ",
    "dashes": "-",
    "at signs": "@",
    "mail starts": "a@",
    "mail dots": "a.",
    "mail domain": "a@b.",
    "quotes": '"',
    "quoted mail": '"a"@',
    "spelt mail": "a (at) ",
    "plus": "+",
    "phone": "+49 ",
    "open": "(",
    "phones": "(0161) 496 0345 ",
    "trunk": "0 1 ",
    "dots": "1.",
    "slashes": "1/",
    "iban": "DE89 ",
    "ibans": "DE89",
    "pem": "-----BEGIN PRIVATE KEY-----\n",
    "pem body": "-----BEGIN PRIVATE KEY-----" + "A" * 70 + "\n",
    "jwt": "eyJ",
    "jwt dots": "eyJaaaaaaaa.",
    "password": "password ",
    "password is": "password is ",
    "password for": "password for a ",
    "token": "token: ",
    "bearer": "bearer ",
    "braces": "{",
    "placeholders": "{EMAIL_1}",
    "half placeholders": "{EMAIL_",
    "credentials": "://a:",
    "streets": "1 Aa ",
    "lanes": "1 Mill Lane, ",
    "rue": "1 rue a ",
    "via": "via a 1 ",
    "strassen": "Aastr. 1 ",
    "calle": "calle a 1, ",
    "rua": "rua a, 1, ",
    "capital words": "Aa ",
    "zero width": "\u200b",
    "marks": "\u0301",
    "wide digits": "４",
    "expanding": "\ufdfa",
    "new lines": "\n",
    "spaces": " ",
    "carriage returns": "\r\n",
    "mixed": "aA1",
    "cues": "order call ssn ",
    "angles": "Aa <a@b.cc> ",
    "known": "pw: a1b2c3 ",
    "underscores": "_",
    "ssn": "219-09-9999 ",
    "emails": "a@b.example ",
    "display": '"a <',
}


#: One run without end each: where a pattern that looks again from every place is slowest.
ENDLESS = ("letters", "digits", "mail starts", "quotes", "braces", "jwt", "zero width")


def seconds(shape: str, size: int) -> float:
    piece = HOSTILE[shape]
    text = (piece * (size // len(piece) + 1))[:size]
    start = time.process_time()
    redacted, redactions = redact(text, names=["Aa Bb"])
    assert restore(redacted, redactions).text == text
    return time.process_time() - start


@pytest.mark.parametrize("shape", HOSTILE)
def test_hostile_text_takes_linear_time(shape: str) -> None:
    # About 0.1 s; where time grows with the square it is several.
    assert seconds(shape, 15_000) < 3


@pytest.mark.parametrize("shape", ENDLESS)
def test_an_endless_run_takes_linear_time(shape: str) -> None:
    # About half a second; where time grows with the square it is minutes.
    assert seconds(shape, 200_000) < 10


def test_known_redactions_are_not_changed_by_use() -> None:
    known = Redactions({"{EMAIL_1}": "orla@mail.example"})
    redact("ben@mail.example", known)
    assert known.placeholders == ("{EMAIL_1}",)
