from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.documents import Document, Hit, Passage
from triage.cleaning import TicketText
from triage.drafting.summary import MAX_WORDS, shorten, shorten_lines, write_summary
from triage.suggestions import Alternative, HandoffReason, Prediction, Route, RouteStep

wordy = st.one_of(st.text(max_size=300), st.integers(0, 200).map("word ".__mul__))
predictions = st.builds(
    lambda label, chance, decided: prediction(label, chance, decided), wordy, st.floats(0, 1), st.booleans()
)


def prediction(label: str, chance: float, decided: bool) -> Prediction:
    others = () if decided else (Alternative(value=label, confidence=chance),)
    return Prediction(value=label if decided else None, confidence=chance, decided=decided, alternatives=others)


def reason(code: str) -> HandoffReason:
    return HandoffReason(code=code, severity="high", evidence="said so", would_change="had not said so")


def hit(title: str) -> Hit:
    return Hit(Passage("a#1", "a", (), 0, 1, "x"), Document("a", title, "x", ()), 1.0, 1.0, 0.0, ())


@given(wordy, wordy, st.dictionaries(wordy, predictions, max_size=8), st.lists(wordy, max_size=8), st.lists(wordy))
@settings(max_examples=50, deadline=None)
def test_a_summary_never_has_more_than_120_words(
    subject: str, latest: str, fields: dict[str, Prediction], codes: list[str], titles: list[str]
) -> None:
    text = TicketText(subject, latest, f"{subject}\n{latest}")
    note = write_summary(text, fields, [reason(code) for code in codes], [hit(title) for title in titles])
    assert len(note.split()) <= MAX_WORDS == 120
    assert note.startswith("Customer writes: ")


def test_a_summary_says_what_is_wanted_known_and_found() -> None:
    fields = {"category": prediction("till", 0.934, True), "team": prediction("books", 0.41, False)}
    text = TicketText("Till", "It is\n stuck.", "Till\nIt is\n stuck.")
    reasons, hits = (
        [reason("human_requested"), reason("low_confidence")],
        [hit("Tills"), hit("Tills"), hit("Day sheets")],
    )
    assert write_summary(text, fields, reasons, hits).splitlines() == [
        "Customer writes: It is stuck.",
        "Triage: category till (93%); team books (unsure, 41%).",
        "Handed over because: human_requested, low_confidence.",
        "Nearest articles: “Tills”, “Day sheets”.",
    ]


def test_a_summary_tells_a_short_way_and_leaves_out_a_long_one() -> None:
    closed = RouteStep(team="books", why="books is closed until Mon 08:00")

    def last_line(route: Route | None) -> str:
        return write_summary(TicketText("", "x", "x"), {}, [], [], route).splitlines()[-1]

    none = "No article was looked up or found."
    assert last_line(None) == last_line(Route(team="books")) == none
    assert (
        last_line(Route(team="books", person="Jo", steps=(closed,))) == f"Route: {closed.why}; books takes it, ask Jo."
    )
    assert last_line(Route(team="trust", person="Jo")) == "Route: trust takes it, ask Jo."
    assert last_line(Route(team="trust", steps=(closed,) * 5)) == none


def test_a_summary_of_nothing_says_so() -> None:
    lines = write_summary(TicketText("", "", ""), {}, [reason("empty_message")], []).splitlines()
    assert lines[0] == "Customer writes: (nothing to read)"
    assert lines[-1] == "No article was looked up or found."
    assert write_summary(TicketText("Till", "", "Till"), {}, [], []).startswith("Customer writes: Till\n")


def test_a_long_message_leaves_room_for_the_rest() -> None:
    note = write_summary(TicketText("", "word " * 500, ""), {"team": prediction("books", 1, True)}, [reason("x")], [])
    assert "Triage: team books (over 99%)." in note
    assert "Handed over because: x." in note
    assert note.count("word") == 45


def test_a_text_is_cut_after_its_words_with_an_ellipsis() -> None:
    assert shorten("one two three", 3) == "one two three"
    assert shorten("one two three", 2) == "one two …"


def test_lines_are_kept_whole_while_they_fit() -> None:
    assert shorten_lines(["one two", "three four five", "six"], 5) == ["one two", "three four …"]
    assert shorten_lines(["one"] * 10, 4) == ["one"] * 3
