"""A field decides in a language only where its own held-out tickets bear it out."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_heads import LABELS, fitted

from triage.classify import TicketClassifier
from triage.desk_files import HistoryRow
from triage.held_out import HeldOut
from triage.language import Language, is_closed
from triage.language_gate import languages_of, with_languages
from triage.tickets import Ticket

SPOKEN = ("en", "de", "fr")


def confident(right: list[bool]) -> HeldOut:
    """A head that is sure of its first label on each row."""
    rows = np.arange(len(right), dtype=np.int64)
    logits = np.zeros((len(right), 4), dtype=np.float32)
    logits[:, 0] = 5
    return HeldOut(LABELS, rows, np.where(right, 0, 1).astype(np.int64), logits, 1.0)


def open_in(languages: list[str], right: list[bool], max_error: float = 0.1) -> tuple[str, ...] | None:
    one = fitted(confident(right))
    one = replace(one, head=replace(one.head, threshold=0.5))
    found = with_languages(one, languages, SPOKEN, max_error)
    assert found.report.languages == found.head.languages
    return found.head.languages


def test_a_language_with_many_right_answers_is_open() -> None:
    assert open_in(["en"] * 200 + ["de"] * 60, [True] * 260) == ("en", "de")


def test_a_language_with_few_tickets_or_many_errors_is_closed() -> None:
    assert open_in(["en"] * 200 + ["de"] * 5, [True] * 205) == ("en",)
    assert open_in(["en"] * 200 + ["de"] * 60, [True] * 200 + [True, False] * 30) == ("en",)


def test_of_two_languages_of_equal_weight_each_stands_for_itself() -> None:
    assert open_in(["en", "de"] * 100, [True, False] * 100) == ("en",)


def test_a_field_that_decides_nothing_has_nothing_to_open() -> None:
    one = fitted(confident([True] * 9))
    assert with_languages(one, ["en"] * 9, SPOKEN, 0.1) is one


def test_a_desk_of_one_language_is_open_in_it() -> None:
    one = fitted(confident([True] * 9))
    one = replace(one, head=replace(one.head, threshold=0.5))
    assert with_languages(one, None, ("en",), 0.1).head.languages == ("en",)


def test_a_ticket_in_a_closed_language_is_left_open() -> None:
    one = fitted(confident([True] * 9))
    head = replace(one.head, threshold=0.0, languages=("en",))
    vector = np.array([1.0, 0.0], dtype=np.float32)
    classifier = TicketClassifier({"team": head})
    for code, decided in (("en", True), ("und", True), ("de", False)):
        prediction = classifier.classify("a till", vector, language=code).fields["team"]
        assert prediction.decided is decided
        assert [factor.name for factor in prediction.factors] == ([] if decided else ["language"])


@pytest.mark.parametrize(
    ("languages", "code", "closed"), [(None, "de", False), (("en",), "de", True), (("en",), "und", False)]
)
def test_what_cannot_be_told_is_not_held_against_a_ticket(
    languages: tuple[str, ...] | None, code: str, closed: bool
) -> None:
    assert is_closed(languages, code) is closed


def test_languages_are_as_the_tickets_say_and_else_as_detected() -> None:
    rows = [HistoryRow(Ticket(body="x", language=said), {"team": "a"}, "", False) for said in ("de-AT", None)]
    found = languages_of(rows, ["x", "y"], SPOKEN, lambda text, spoken: Language("fr", 1.0))
    assert found == ("de", "fr")
    assert languages_of(rows, ["x", "y"], ("en",), lambda text, spoken: Language("fr", 1.0)) is None
