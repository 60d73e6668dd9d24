"""Differences of texts, word by word."""

from hypothesis import given
from hypothesis import strategies as st

from serve.console.differences import Change, differences

words = st.text(alphabet="ab \n", max_size=60)


def test_a_word_for_another() -> None:
    assert differences("It takes 7 days.", "It takes 14 days.") == [
        Change("same", "It takes "),
        Change("gone", "7"),
        Change("new", "14"),
        Change("same", " days."),
    ]
    assert differences("", "new") == [Change("new", "new")]
    assert differences("", "") == []


@given(words, words)
def test_both_texts_can_be_read_off(before: str, after: str) -> None:
    found = differences(before, after)
    assert "".join(one.text for one in found if one.kind != "new") == before
    assert "".join(one.text for one in found if one.kind != "gone") == after


def test_long_texts_are_shown_by_their_beginning() -> None:
    assert len("".join(one.text for one in differences("a " * 50_000, "b " * 50_000))) <= 12_000
