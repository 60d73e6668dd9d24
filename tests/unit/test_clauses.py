import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.cleaning import read_text
from triage.drafting.clauses import clauses, find_wording
from triage.tickets import Ticket

FIRING = {
    "I want to speak to a person": "human_requested",
    "Please get me a manager on this, put me through to a human": "human_requested",
    "Call me back please": "human_requested",
    "Good morning. I am sick of talking to a robot": "human_requested",
    "My solicitor will be in touch": "sensitive_topic",
    "I don't want to fuss, but my account was hacked": "sensitive_topic",
    "I will dispute the charge with my bank": "sensitive_topic",
    "Erase all the personal data you have on me under GDPR": "sensitive_topic",
    "No need to apologise. I am a journalist": "sensitive_topic",
    "I can’t cope with it any more": "sensitive_topic",
}
HOSTILE = [
    "I did not mean that",
    "no need for a person",
    "instead of that, ignore the above",
    "I don't want to speak to anyone",
    "never mind",
    "\n\nOn Mon, 2 Nov 2026 at 10:00, Brindle <help@brindle.example> wrote:\n> Have you tried again?",
    "\n-- \nJo Field",
    "\n-----Original Message-----\nFrom: Jo <jo@bun.example>\nSent: Monday\n\nold words",
    "<p>thanks</p>",
    "<div>" * 300,
    "<script>x</script>",
    "\u202e\u200b\U000e0041",
    "a" * 2_000,
]
separators = st.sampled_from([" ", "\n", ". ", ", ", " - ", "\n\n"])
suffixes = st.one_of(st.text(max_size=60), st.sampled_from(HOSTILE), st.lists(st.sampled_from(HOSTILE)).map(" ".join))


def words(text: str, rule: str) -> list[str]:
    return [match.words.lower() for match in find_wording(text, rule)]


@pytest.mark.parametrize(
    "text",
    [
        "I don't want to speak to a person",
        "No need to call me",
        "You needn't call me back",
        "I am not asking to talk to a manager",
        "I'm writing without having to speak to a person",
    ],
)
def test_negation_in_front_in_the_same_clause_takes_wording_back(text: str) -> None:
    assert words(text, "human_requested") == []


@pytest.mark.parametrize(
    "text",
    [
        "I want to speak to a person, no need for a bot",
        "I want to speak to a person because I don't want to wait",
        "I don't want to wait, I want to speak to a person",
        "There is no need to hurry but I want to speak to a person",
        "I don't want a refund. I want to speak to a person",
        "I don't want a refund\nI want to speak to a person",
        "I don't need the form – I want to speak to a person",
        "I did not mean the till (I want to speak to a person)",
    ],
)
def test_negation_behind_or_in_another_clause_takes_nothing_back(text: str) -> None:
    assert "speak to a person" in words(text, "human_requested")


@pytest.mark.parametrize("text", ["Mrs Marino needs to speak to a manager", "Our casino needs you to call me"])
def test_half_a_word_is_no_negation(text: str) -> None:
    assert words(text, "human_requested") != []


@pytest.mark.parametrize(("text", "rule"), FIRING.items())
def test_wording_is_found(text: str, rule: str) -> None:
    assert words(text, rule) != []


@given(st.sampled_from(sorted(FIRING)), separators, suffixes)
@settings(max_examples=50, deadline=None)
def test_t19_no_suffix_takes_a_match_away(text: str, separator: str, suffix: str) -> None:
    for rule in ("human_requested", "sensitive_topic"):
        before = {match.topic for match in find_wording(text, rule)}
        assert before <= {match.topic for match in find_wording(text + separator + suffix, rule)}


@given(st.sampled_from(sorted(FIRING)), separators, suffixes)
@settings(max_examples=50, deadline=None)
def test_t19_holds_for_whole_tickets(text: str, separator: str, suffix: str) -> None:
    everything = read_text(Ticket(body=text + separator + suffix)).watched
    assert words(everything, FIRING[text]) != []


@pytest.mark.parametrize("suffix", [" please", " x", ", please", "\nJo"])
def test_t19_a_single_word_that_asks_for_a_person_is_not_talked_away(suffix: str) -> None:
    assert words("Agent", "human_requested") != []
    assert words("Agent" + suffix, "human_requested") != []


def test_t19_a_suffix_that_makes_the_text_look_quoted_takes_nothing_away() -> None:
    text = "Good morning to you all.\nOn Monday I asked to speak to a manager and nobody has called me back"
    assert words(read_text(Ticket(body=text)).watched, "human_requested") != []
    assert words(read_text(Ticket(body=f"{text} as I wrote:")).watched, "human_requested") != []


def test_t19_a_suffix_that_closes_a_comment_or_script_takes_nothing_away() -> None:
    for start, end in (("<!-- ", " --><p>"), ("<script> ", "</script><p>")):
        text = start + "I want to speak to a manager"
        assert words(read_text(Ticket(body=text)).watched, "human_requested") != []
        assert words(read_text(Ticket(body=text + end)).watched, "human_requested") != []


def test_a_match_tells_topic_words_and_clause() -> None:
    [match] = find_wording("Hello, we were   Hacked today. Bye", "sensitive_topic")
    assert (match.topic, match.words, match.clause) == ("security_incident", "Hacked", "we were Hacked today")


@pytest.mark.parametrize("quote", ["'", "’", "‘", "＇"])
def test_smart_quotes_are_quotes(quote: str) -> None:
    assert words(f"I don{quote}t want to speak to a person", "human_requested") == []
    assert words(f"I can{quote}t cope with this any longer", "sensitive_topic") != []


@pytest.mark.parametrize("mark", ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\U000e0061"])
def test_characters_without_width_inside_a_word_do_not_hide_it(mark: str) -> None:
    assert words(mark.join("we were hacked"), "sensitive_topic") == ["hacked"]


@pytest.mark.parametrize("text", ["ＨＡＣＫＥＤ", "𝐡𝐚𝐜𝐤𝐞𝐝"])
def test_letters_of_another_width_or_weight_do_not_hide_a_word(text: str) -> None:
    assert words(text, "sensitive_topic") == ["hacked"]


def test_clauses_end_at_stops_lines_commas_dashes_and_turning_words() -> None:
    text = "One, two. Three;four (five)\nsix – seven but eight so nine-ten"
    assert list(clauses(text))[:9] == [
        "One",
        "two",
        "Three",
        "four",
        "five",
        "six",
        "seven",
        "but eight",
        "so nine-ten",
    ]


@pytest.mark.parametrize("place", [0, 390, 395, 699, 5_000])
def test_wording_in_a_long_run_without_a_boundary_is_found_wherever_it_stands(place: int) -> None:
    assert "hacked" in words("x " * (place // 2) + "hacked " + "x " * 500, "sensitive_topic")


@pytest.mark.parametrize("rule", ["human_requested", "sensitive_topic"])
@pytest.mark.parametrize("unit", ["a", "a "])
def test_a_long_text_without_a_boundary_is_read_in_linear_time(unit: str, rule: str) -> None:
    text = (unit * 200_000)[:200_000]
    started = time.process_time()
    list(find_wording(text, rule))
    assert time.process_time() - started < 8


@pytest.mark.parametrize(
    ("text", "rule", "found"),
    [
        ("I would like to speak to\na human being about the invoice", "human_requested", True),
        ("We are where I want to kill\nmyself over this", "sensitive_topic", True),
        ("I don't want an article I want to speak to a human", "human_requested", True),
        ("I do not want to argue and I will sue you", "sensitive_topic", True),
        ("There is no reason to carry on and I want to die", "sensitive_topic", True),
        ("my account was _hacked_", "sensitive_topic", True),
        ("there is no need to speak to a person", "human_requested", False),
        ("I'm not asking to speak to a manager", "human_requested", False),
    ],
)
def test_lines_negations_and_marks_do_not_hide_what_is_said(text: str, rule: str, found: bool) -> None:
    assert any(True for _ in find_wording(text, rule)) is found
