"""Articles that contradict each other, and messages whose questions have no answer."""

from dataclasses import replace

import pytest
from small_search import ENCODER, document

from models.recent_vectors import RecentVectors
from retrieval.documents import Hit
from retrieval.passages import split_into_passages
from triage.cleaning import TicketText
from triage.drafting.conflicts import Conflict, find_conflict
from triage.drafting.handoff import Evidence, conflicting_articles, several_questions_unanswered
from triage.drafting.policy import Policy, Rules, SeveralQuestionsUnanswered
from triage.language import Language
from triage.suggestions import DraftSentence, Support

NOTHING = Evidence("request", TicketText("", "", ""), Language("en", 1.0), ("en",), {})


def fact(text: str, article: str = "kb-1") -> DraftSentence:
    support = Support(article_id=article, start=0, end=len(text), score=1.0)
    return DraftSentence(text=text, role="fact", support=(support,))


def hit(text: str, id: str = "kb-2") -> Hit:
    found = document(id, f"Title of {id}", text)
    return Hit(split_into_passages(found)[0], found, 0.8, 0.8, 0.0, ())


def conflict(said: str, other: str, id: str = "kb-2", similarity: float = 0.6) -> Conflict | None:
    return find_conflict([fact(said)], [hit(other, id)], RecentVectors(ENCODER), similarity)


def test_another_number_for_the_same_is_a_conflict() -> None:
    found = conflict("The reset link works for 60 minutes.", "The reset link works for 30 minutes.")
    assert found == Conflict(
        "The reset link works for 60 minutes.", "The reset link works for 30 minutes.", "Title of kb-2"
    )
    assert conflict("The plan costs £19 a month.", "The plan costs £20 a month.") is not None


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("The reset link works for 60 minutes.", "The reset link works for an hour."),
        ("The reset link works for 60 minutes.", "The reset link works for 1 hour, and mails for 3 days."),
        ("The reset link works for 60 minutes.", "Lunch in the canteen takes 30 minutes on Mondays."),
        ("The reset link works for 60 minutes.", "The reset link works for 60 minutes."),
        ("The reset link works.", "The reset link works for 30 minutes."),
        ("The reset link works for 60 people.", "The reset link works for 30 people."),
    ],
)
def test_the_same_in_other_units_or_about_something_else_is_none(said: str, other: str) -> None:
    assert conflict(said, other) is None


def test_an_article_that_the_draft_cites_does_not_contradict_it() -> None:
    assert conflict("The link works for 60 minutes.", "The link works for 30 minutes.", id="kb-1") is None


def test_sentences_that_are_not_alike_enough_are_not_compared() -> None:
    assert conflict("The link works for 60 minutes.", "The link works for 30 minutes.", similarity=0.99) is None


def test_the_rule_quotes_both_and_names_the_other_article() -> None:
    assert conflicting_articles(NOTHING, Policy()) is None
    found = conflicting_articles(replace(NOTHING, conflict=Conflict("It is 60.", "It is 30.", "Links")), Policy())
    assert found == ("the draft says “It is 60.”, but “Links” says “It is 30.”", "The articles had agreed")


@pytest.mark.parametrize(
    ("questions", "unanswered", "share", "fires"),
    [(0, 0, 0.5, False), (2, 0, 0.5, False), (2, 1, 0.5, True), (2, 1, 0.6, False), (3, 2, 0.6, True), (4, 4, 1, True)],
)
def test_too_many_questions_without_an_answer_hand_over(
    questions: int, unanswered: int, share: float, fires: bool
) -> None:
    policy = Policy(rules=Rules(several_questions_unanswered=SeveralQuestionsUnanswered(share=share)))
    left = tuple(f"Question {number}?" for number in range(unanswered))
    found = several_questions_unanswered(replace(NOTHING, questions=questions, unanswered=left), policy)
    assert (found is not None) == fires
    if found:
        assert found[0].startswith(f"{unanswered} of {questions} questions: “Question 0?”")
