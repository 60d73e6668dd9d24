import random
from datetime import UTC, datetime
from typing import Any

import pytest

from eval.cases import Case
from eval.measurement import Measurement, share
from eval.run_suite import Outcome, measure, run_suite
from triage.drafting.handoff import HANDOFF_RULES
from triage.suggestions import (
    Alternative,
    ArticleHit,
    Draft,
    DraftSentence,
    Handoff,
    HandoffReason,
    Prediction,
    Suggestion,
    Support,
    Versions,
    Why,
)
from triage.tickets import Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
VERSIONS = Versions(
    engine="e", encoder="hashing:64", generation="000001", knowledge_revision=0, policy="p", taxonomy="t"
)


def case(**expect: Any) -> Case:
    return Case(id="c", ticket=Ticket(body="x"), expect=expect)


def prediction(best: str, decided: bool = True) -> Prediction:
    others = () if decided else (Alternative(value=best, confidence=0.5),)
    return Prediction(value=best if decided else None, confidence=0.5, decided=decided, alternatives=others)


def article(name: str) -> ArticleHit:
    return ArticleHit(
        article_id=name,
        revision=1,
        audience="public",
        title=name,
        score=1,
        passage="x",
        start=0,
        end=1,
        why=Why(dense=1, lexical=0, terms=()),
    )


def suggestion(**changes: Any) -> Suggestion:
    plain: dict[str, Any] = {
        "id": "s",
        "ticket_id": None,
        "kind": "request",
        "kind_evidence": "",
        "language": "en",
        "fields": {"category": prediction("till")},
        "due": None,
        "disposition": "draft",
        "versions": VERSIONS,
        "timing_ms": {},
    }
    return Suggestion(**plain | changes)


def draft(*supported: bool) -> Draft:
    support = (Support(article_id="a", start=0, end=1, score=1),)
    facts = tuple(DraftSentence(text="x", role="fact", support=support if stands else ()) for stands in supported)
    return Draft(text="x", sentences=(DraftSentence(text="Hello,", role="greeting"), *facts), source="articles")


def handed_over(*codes: str) -> Suggestion:
    reasons = tuple(HandoffReason(code=code, severity="high", evidence="", would_change="") for code in codes)
    return suggestion(disposition="handoff", handoff=Handoff(reasons=reasons, team=None, summary=""))


FAILED = Outcome(case(), None, "ValueError")


def failed(**expect: Any) -> Outcome:
    return Outcome(case(**expect), None, "ValueError")


def measured(name: str, *outcomes: Outcome) -> Measurement:
    [found] = [entry for entry in measure(outcomes, ["category"]) if entry.name == name]
    return found


# Metric, what is expected, what came out, and how it scores (None: it does not).
SCORES: list[tuple[str, dict[str, Any], Suggestion, bool | None]] = [
    ("kind.accuracy", {"kind": "request"}, suggestion(), True),
    ("kind.accuracy", {"kind": "thanks"}, suggestion(), False),
    ("kind.accuracy", {}, suggestion(), None),
    ("category.accuracy", {"category": "till"}, suggestion(), True),
    ("category.accuracy", {"category": "vat"}, suggestion(), False),
    ("category.accuracy", {"category": "vat"}, suggestion(fields={"category": prediction("vat", decided=False)}), True),
    ("category.accuracy", {"kind": "request"}, suggestion(), None),
    ("category.coverage", {"category": "vat"}, suggestion(), True),
    (
        "category.coverage",
        {"category": "vat"},
        suggestion(fields={"category": prediction("vat", decided=False)}),
        False,
    ),
    ("category.error_when_decided", {"category": "vat"}, suggestion(), True),
    ("category.error_when_decided", {"category": "till"}, suggestion(), False),
    (
        "category.error_when_decided",
        {"category": "vat"},
        suggestion(fields={"category": prediction("till", decided=False)}),
        None,
    ),
    ("retrieval.hit_at_1", {"articles": ["a", "b"]}, suggestion(articles=(article("b"), article("c"))), True),
    ("retrieval.hit_at_1", {"articles": ["c"]}, suggestion(articles=(article("b"), article("c"))), False),
    ("retrieval.hit_at_5", {"articles": ["c"]}, suggestion(articles=(article("b"), article("c"))), True),
    ("retrieval.hit_at_5", {"articles": ["c"]}, suggestion(), False),
    ("retrieval.hit_at_5", {"articles": []}, suggestion(), None),
    ("retrieval.hit_at_5", {"articles": ["c"], "kind": "request"}, suggestion(kind="thanks"), False),
    ("handoff.recall", {"handoff": True}, handed_over("x"), True),
    ("handoff.recall", {"handoff": True}, suggestion(), False),
    ("handoff.recall", {"handoff": False}, handed_over("x"), None),
    ("handoff.precision", {"handoff": False}, handed_over("x"), False),
    ("handoff.precision", {"handoff": True}, handed_over("x"), True),
    ("handoff.precision", {"handoff": True}, suggestion(), None),
    ("handoff.precision", {}, handed_over("x"), None),
    ("handoff.sensitive_topic.recall", {"handoff_reasons": ["sensitive_topic"]}, handed_over("sensitive_topic"), True),
    ("handoff.sensitive_topic.recall", {"handoff_reasons": ["sensitive_topic"]}, handed_over("low_confidence"), False),
    ("handoff.sensitive_topic.recall", {"handoff_reasons": ["sensitive_topic"]}, suggestion(), False),
    ("handoff.sensitive_topic.recall", {"handoff_reasons": ["angry_customer"]}, suggestion(), None),
    ("draft.rate_on_answerable", {"answerable": True, "handoff": False}, suggestion(), True),
    ("draft.rate_on_answerable", {"answerable": True, "handoff": False}, handed_over("x"), False),
    ("draft.rate_on_answerable", {"answerable": True, "handoff": True}, suggestion(), None),
    ("draft.rate_on_answerable", {"answerable": False, "handoff": False}, suggestion(), None),
    ("draft.supported_sentences", {}, suggestion(draft=draft(True, True)), True),
    ("draft.supported_sentences", {}, suggestion(draft=draft(True, False)), False),
    ("draft.supported_sentences", {}, suggestion(), None),
]


@pytest.mark.parametrize(("name", "expect", "found", "score"), SCORES)
def test_a_case_scores(name: str, expect: dict[str, Any], found: Suggestion, score: bool | None) -> None:
    entry = measured(name, Outcome(case(**expect), found))
    assert entry.value == (None if score is None else float(score))
    assert (entry.n, entry.unscored) == ((0, 1) if score is None else (1, 0))


def test_every_metric_is_there_once() -> None:
    names = [entry.name for entry in measure([FAILED], ["category", "team"])]
    assert len(names) == len(set(names)) == 1 + 2 * 3 + 2 + 2 + len(HANDOFF_RULES) + 3
    assert {f"handoff.{reason}.recall" for reason in HANDOFF_RULES} < set(names)


@pytest.mark.parametrize(
    ("name", "expect"),
    [
        ("kind.accuracy", {"kind": "request"}),
        ("category.accuracy", {"category": "till"}),
        ("category.coverage", {"category": "till"}),
        ("retrieval.hit_at_5", {"articles": ["a"]}),
        ("handoff.recall", {"handoff": True}),
        ("handoff.human_requested.recall", {"handoff_reasons": ["human_requested"]}),
        ("draft.rate_on_answerable", {"answerable": True, "handoff": False}),
    ],
)
def test_an_exception_is_a_miss(name: str, expect: dict[str, Any]) -> None:
    entry = measured(name, failed(**expect))
    assert (entry.value, entry.n, entry.unscored) == (0.0, 1, 0)


def test_an_exception_never_flatters_the_error_rate() -> None:
    wrong = Outcome(case(category="vat"), suggestion())
    alone = measured("category.error_when_decided", wrong)
    with_failures = measured("category.error_when_decided", wrong, *[failed(category="vat")] * 9)
    assert alone.value == 1.0
    assert with_failures.value == 1.0


@pytest.mark.parametrize("name", ["category.accuracy", "kind.accuracy", "retrieval.hit_at_1", "handoff.recall"])
def test_an_exception_counts_only_for_the_metrics_that_its_case_carries(name: str) -> None:
    entry = measured(name, failed(reply="Hello."))
    assert (entry.value, entry.n, entry.unscored) == (None, 0, 1)


def test_not_scored_is_none_and_not_zero() -> None:
    assert share("x", [], 7) == Measurement("x", None, None, None, 0, 7)
    assert measure([], ["category"])[0] == Measurement("kind.accuracy", None, None, None, 0, 0)


def test_a_share_travels_with_its_interval_and_counts() -> None:
    entry = share("x", iter([True, False, True, True]), 6, "chat")
    assert (entry.value, entry.n, entry.unscored, entry.slice) == (0.75, 4, 2, "chat")
    assert (entry.low, entry.high) == (pytest.approx(0.3006, abs=1e-4), pytest.approx(0.9544, abs=1e-4))
    assert share("x", [False], 1).value == 0.0


def test_the_order_of_cases_does_not_matter() -> None:
    outcomes = [Outcome(case(**expect), found) for _, expect, found, _ in SCORES] + [failed(category="till")] * 3
    shuffled = random.Random(5).sample(outcomes, len(outcomes))
    assert measure(shuffled, ["category"]) == measure(outcomes, ["category"])


class ScriptedEngine:
    """Answers every ticket but those that say so."""

    def suggest(self, ticket: Ticket, suggestion_id: str, now: datetime) -> Suggestion:
        if ticket.body == "raise":
            raise ZeroDivisionError("private words of a ticket")
        return suggestion(id=suggestion_id)


def test_an_exception_is_an_outcome_and_the_run_goes_on() -> None:
    cases = [Case(id=body, ticket=Ticket(body=body), expect={}) for body in ("a", "raise", "b")]
    told: list[tuple[str, int, int]] = []
    engine: Any = ScriptedEngine()
    outcomes = run_suite(engine, cases, NOW, lambda *step: told.append(step))
    assert [outcome.error for outcome in outcomes] == [None, "ZeroDivisionError", None]
    assert [outcome.suggestion.id if outcome.suggestion else None for outcome in outcomes] == ["a", None, "b"]
    assert told == [("cases", 1, 3), ("cases", 2, 3), ("cases", 3, 3)]
