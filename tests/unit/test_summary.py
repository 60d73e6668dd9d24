from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.documents import Document, Hit, Passage
from triage.drafting.first_question import BY_TOPIC, QUESTIONS, first_question
from triage.drafting.handoff import HANDOFF_RULES
from triage.drafting.policy import Topic
from triage.drafting.summary import MAX_WORDS, Matter, shorten, shorten_lines, write_summary
from triage.suggestions import Alternative, HandoffReason, Prediction, Route, RouteStep
from triage.thread import Said

wordy = st.one_of(st.text(max_size=300), st.integers(0, 200).map("word ".__mul__))
predictions = st.builds(
    lambda label, chance, decided: prediction(label, chance, decided), wordy, st.floats(0, 1), st.booleans()
)
messages = st.lists(st.builds(Said, st.integers(2, 99), st.sampled_from(["customer", "agent"]), wordy), max_size=5)


def prediction(label: str, chance: float, decided: bool, other: str = "books") -> Prediction:
    best = Alternative(value=label, confidence=chance)
    others = () if decided else (best, Alternative(value=other, confidence=chance))
    return Prediction(value=label if decided else None, confidence=chance, decided=decided, alternatives=others)


def reason(code: str, evidence: str = "said so") -> HandoffReason:
    return HandoffReason(code=code, severity="high", evidence=evidence, would_change="had not said so")


def hit(title: str) -> Hit:
    return Hit(Passage("a#1", "a", (), 0, 1, "x"), Document("a", title, "x", ()), 1.0, 1.0, 0.0, ())


def matter(*texts: str | tuple[str, str], **more: Any) -> Matter:
    """The matter of a thread; an agent's messages are pairs with their author."""
    said = [("customer", text) if isinstance(text, str) else text for text in texts]
    thread = [Said(number, author, text) for number, (author, text) in enumerate(said, 1)]  # type: ignore[arg-type]
    known = {"subject": "", "fields": {}, "reasons": [reason("x")], **more}
    return Matter(thread=thread, **known)


def lines(*texts: str | tuple[str, str], **more: Any) -> list[str]:
    return write_summary(matter(*texts, **more)).splitlines()


@given(
    wordy,
    messages,
    wordy,
    st.dictionaries(wordy, predictions, max_size=8),
    st.lists(wordy, max_size=8),
    st.lists(wordy),
)
@settings(max_examples=50, deadline=None)
def test_a_note_never_has_more_than_120_words(
    opening: str,
    more: list[Said],
    subject: str,
    fields: dict[str, Prediction],
    codes: list[str],
    titles: list[str],
) -> None:
    thread = [Said(1, "customer", opening), *more]
    found = Matter(subject, thread, fields, [reason(code) for code in codes], [hit(title) for title in titles])
    note = write_summary(found, Route(team="books", person="Jo"))
    assert len(note.split()) <= MAX_WORDS == 120
    assert note.startswith("Customer wants: ")


def test_a_note_tells_the_thread_and_points_at_its_messages() -> None:
    note = lines(
        "Hello there,\nthe till shows BR-2041 since noon. I have restarted it twice. Can you help?",
        ("agent", "Please try another cable."),
        "That did not help. I'm furious now. What else can we do before we open?",
        fields={"category": prediction("till", 0.934, True), "team": prediction("tills", 0.41, False)},
        reasons=[reason("angry_customer"), reason("low_confidence")],
        hits=[hit("Tills"), hit("Tills"), hit("Day sheets")],
        attributes={"plan": "Counter", "seats": None},
    )
    assert note == [
        "Customer wants: That did not help. What else can we do before we open? [3]",
        "Tried: I have restarted it twice [1]",
        "We wrote: Please try another cable. [2]",
        "Triage: till (93%); tills (unsure, 41%).",
        "Named: BR-2041 [1]; plan Counter",
        "Mood: angry (“I'm furious now”) [3]",
        "Handed over because: angry_customer, low_confidence.",
        "Nearest articles: “Tills”, “Day sheets”.",
        "Ask first: what would put this right for you?",
    ]


@pytest.mark.parametrize(
    ("text", "tried"),
    [
        ("Ich habe den Router schon zweimal neu gestartet.", "Ich habe den Router schon zweimal neu gestartet"),
        ("J'ai déjà vidé le cache.", "J'ai déjà vidé le cache"),
        ("Ya reinicié la caja.", "Ya reinicié la caja"),
        ("Tried another cable, no luck", "Tried another cable"),
        ("This morning my password does not work.", None),
        ("I have not tried anything yet.", None),
        ("How do I reset it?", None),
    ],
)
def test_what_was_tried_is_told_in_the_customers_words(text: str, tried: str | None) -> None:
    told = [line for line in lines(text) if line.startswith("Tried")]
    assert told == ([f"Tried: {tried} [1]"] if tried else [])


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("I am really worried about my data.", "afraid"),
        ("Ich bin enttäuscht.", "disappointed"),
        ("Je ne comprends pas la facture.", "confused"),
        ("Gracias de antemano.", "patient"),
        ("I'm confused and I am furious.", "angry"),
        ("How do I add a till?", None),
    ],
)
def test_the_strongest_feeling_is_one_word(text: str, mood: str | None) -> None:
    told = [line.split()[1] for line in lines(text) if line.startswith("Mood")]
    assert told == ([mood] if mood else [])


def test_a_question_without_its_matter_brings_it_along() -> None:
    assert lines("Saturdays, day sheets only. Which role?")[0] == (
        "Customer wants: Saturdays, day sheets only. Which role? [1]"
    )


def test_what_is_wanted_stands_in_the_newest_message_with_words() -> None:
    assert lines("Where is my till?", "   ", subject="Till")[0] == "Customer wants: Where is my till? [1]"
    assert lines("", subject="Till")[0] == "Customer wants: Till [1]"
    assert lines("")[0] == "Customer wants: (nothing to read) [1]"


def test_a_note_repeats_no_card_key_or_account() -> None:
    note = "\n".join(lines("Please charge 4111 1111 1111 1111, password: hunter22, call 07700 900418 about BR-2041"))
    assert "4111" not in note
    assert "hunter22" not in note
    assert "07700 900418" in note
    assert "Named: BR-2041 [1]" in note


def test_a_note_says_when_there_is_nothing_to_look_it_up_by() -> None:
    assert "Missing: any number, code or product by which to look it up." in lines("It is stuck.")
    assert not [line for line in lines("BR-2041 again.") if line.startswith("Missing")]


def test_a_note_tells_a_short_way_and_leaves_out_a_long_one() -> None:
    closed = RouteStep(team="books", why="books is closed until Mon 08:00")

    def last_line(route: Route | None) -> str:
        return write_summary(matter("x"), route).splitlines()[-1]

    none = "No article found."
    assert last_line(None) == last_line(Route(team="books")) == none
    assert (
        last_line(Route(team="books", person="Jo", steps=(closed,))) == f"Route: {closed.why}; books takes it, ask Jo."
    )
    assert last_line(Route(team="trust", person="Jo")) == "Route: trust takes it, ask Jo."
    assert last_line(Route(team="trust", steps=(closed,) * 5)) == none


def test_a_long_message_leaves_room_for_the_rest() -> None:
    note = "\n".join(lines("word " * 500, fields={"team": prediction("books", 1, True)}))
    assert "Triage: books (over 99%)." in note
    assert "Handed over because: x." in note
    assert note.count("word") == 28


def test_every_first_question_belongs_to_a_rule_and_every_topic_has_one() -> None:
    assert set(QUESTIONS) <= set(HANDOFF_RULES)
    assert set(BY_TOPIC) == set(Topic.__args__)  # type: ignore[attr-defined]


def test_the_first_question_is_that_of_the_gravest_reason_with_one() -> None:
    fields = {"category": prediction("bank_feeds", 0.4, False, other="till")}
    assert first_question([reason("vip_requester"), reason("low_confidence")], fields) == (
        "is it about bank feeds, or about till?"
    )
    assert (
        first_question([reason("sensitive_topic", "press: “BBC”"), reason("low_confidence")], {}) == BY_TOPIC["press"]
    )
    assert first_question([reason("vip_requester")], {}) == ""


def test_a_text_is_cut_after_its_words_with_an_ellipsis() -> None:
    assert shorten("one two three", 3) == "one two three"
    assert shorten("one two three", 2) == "one two …"


def test_lines_are_kept_whole_while_they_fit() -> None:
    assert shorten_lines(["one two", "three four five", "six"], 5) == ["one two", "three four …"]
    assert shorten_lines(["one"] * 10, 4) == ["one"] * 3
