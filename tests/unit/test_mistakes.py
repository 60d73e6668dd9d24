"""Which words of people say that a suggestion was dangerous."""

from datetime import UTC, datetime
from typing import Any

import pytest
from eval_builders import draft, handed_over, prediction, suggestion

from serve.mistakes import mistakes_of
from serve.storage.feedback_store import Feedback
from triage.edits import edit_of
from triage.suggestions import Suggestion

DRAFTED = suggestion(draft=draft(True))


def said(verdict: Any, **more: Any) -> Feedback:
    return Feedback("f", "s", None, "k", datetime(2026, 11, 20, tzinfo=UTC), verdict, **more)


@pytest.mark.parametrize(
    ("of", "word", "expected"),
    [
        (DRAFTED, said("rejected", reason="wrong_fact"), ("wrong_fact",)),
        (DRAFTED, said("rejected", reason="wrong_fact: 90, not 80"), ("wrong_fact",)),
        (DRAFTED, said("rejected", reason="needs_person"), ("needed_person",)),
        (DRAFTED, said("rejected", reason="tone"), ()),
        (DRAFTED, said("rejected"), ()),
        (handed_over("sensitive_topic"), said("rejected", reason="wrong_fact"), ()),
        (DRAFTED, said("edited", fields={"category": "vat"}), ("decided_wrong",)),
        (DRAFTED, said("accepted", fields={"category": "till"}), ()),
        (DRAFTED, said("rejected", reason="wrong_fact", fields={"category": "vat"}), ("wrong_fact", "decided_wrong")),
    ],
)
def test_what_was_dangerous(of: Suggestion, word: Feedback, expected: tuple[str, ...]) -> None:
    assert mistakes_of(of, word) == expected


def test_a_guess_that_was_wrong_is_no_mistake() -> None:
    guessed = suggestion(fields={"category": prediction("till", decided=False)})
    assert mistakes_of(guessed, said("edited", fields={"category": "vat"})) == ()


def test_a_draft_whose_number_was_changed_held_a_wrong_fact() -> None:
    text = "Hold the power button for 10 seconds, then wait for the light."
    made = draft(True, text=text)
    changed = said("edited", edit=edit_of(made, text.replace("10", "20")))
    assert mistakes_of(suggestion(draft=made), changed) == ("wrong_fact",)
    kinder = said("edited", edit=edit_of(made, "Please h" + text[1:]))
    assert mistakes_of(suggestion(draft=made), kinder) == ()
