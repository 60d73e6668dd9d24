"""What one outcome scores, and how cases make a measurement."""

import math
import random
from typing import Any

import pytest
from eval_builders import (
    FIELDS,
    article,
    asked_by,
    case,
    draft,
    entry_of,
    failed,
    guessing,
    handed_over,
    measured,
    prediction,
    right_and_wrong,
    some_outcomes,
    suggestion,
    values_of,
)

from eval.cases import Case
from eval.measure import group_of
from eval.measurement import Measurement
from eval.metrics.all_metrics import all_metrics
from eval.outcomes import Outcome
from triage.drafting.handoff import HANDOFF_RULES
from triage.suggestions import Suggestion
from triage.tickets import Requester, Ticket

UNDECIDED = suggestion(fields={"category": prediction("vat", decided=False, others=("stock", "till"))})
FOUND = suggestion(articles=tuple(article(name) for name in "bcdefghijk"))
# Metric, what is expected, what came out, and how it scores (None: it does not).
SCORES: list[tuple[str, dict[str, Any], Suggestion, float | None]] = [
    ("kind.accuracy", {"kind": "request"}, suggestion(), 1),
    ("kind.accuracy", {"kind": "thanks"}, suggestion(), 0),
    ("kind.accuracy", {}, suggestion(), None),
    ("category.accuracy", {"category": "till"}, suggestion(), 1),
    ("category.accuracy", {"category": "vat"}, suggestion(), 0),
    ("category.accuracy", {"category": "vat"}, UNDECIDED, 1),
    ("category.accuracy", {"kind": "request"}, suggestion(), None),
    ("category.top3_accuracy", {"category": "till"}, UNDECIDED, 1),
    ("category.top3_accuracy", {"category": "outage"}, UNDECIDED, 0),
    ("category.top5_accuracy", {"category": "till"}, UNDECIDED, 1),
    ("category.top5_accuracy", {"category": "unheard of"}, UNDECIDED, 0),
    ("category.coverage", {"category": "vat"}, suggestion(), 1),
    ("category.coverage", {"category": "vat"}, UNDECIDED, 0),
    ("category.error_when_decided", {"category": "vat"}, suggestion(), 1),
    ("category.error_when_decided", {"category": "till"}, suggestion(), 0),
    ("category.error_when_decided", {"category": "till"}, UNDECIDED, None),
    ("category.ece", {"category": "till"}, guessing("till", 0.75), 0.25),
    ("category.aurc", {"category": "vat"}, guessing("till", 0.75), 1),
    ("retrieval.hit_at_1", {"articles": ["a", "b"]}, FOUND, 1),
    ("retrieval.hit_at_1", {"articles": ["c"]}, FOUND, 0),
    ("retrieval.hit_at_5", {"articles": ["f"]}, FOUND, 1),
    ("retrieval.hit_at_5", {"articles": ["g"]}, FOUND, 0),
    ("retrieval.hit_at_10", {"articles": ["k"]}, FOUND, 1),
    ("retrieval.hit_at_5", {"articles": ["c"]}, suggestion(), 0),
    ("retrieval.hit_at_5", {"articles": []}, suggestion(), None),
    ("retrieval.hit_at_5", {"articles": ["c"], "kind": "request"}, suggestion(kind="thanks"), 0),
    ("retrieval.recall_at_5", {"articles": ["a", "b", "g"]}, FOUND, 1 / 3),
    ("retrieval.mrr_at_10", {"articles": ["d", "e"]}, FOUND, 1 / 3),
    ("retrieval.ndcg_at_10", {"articles": ["c"]}, FOUND, 1 / math.log2(3)),
    ("answerable.abstained_on_unanswerable", {"answerable": False}, handed_over("no_supporting_article"), 1),
    ("answerable.abstained_on_unanswerable", {"answerable": False}, suggestion(), 0),
    ("answerable.abstained_on_answerable", {"answerable": True}, handed_over("no_supporting_article"), 1),
    ("answerable.abstained_on_answerable", {"answerable": True}, handed_over("low_confidence"), 0),
    ("answerable.abstained_on_answerable", {"answerable": True}, suggestion(disposition="no_reply"), None),
    ("handoff.recall", {"handoff": True}, handed_over("x"), 1),
    ("handoff.recall", {"handoff": True}, suggestion(), 0),
    ("handoff.recall", {"handoff": False}, handed_over("x"), None),
    ("handoff.missed_rate", {"handoff": True}, suggestion(), 1),
    ("handoff.precision", {"handoff": False}, handed_over("x"), 0),
    ("handoff.precision", {"handoff": True}, handed_over("x"), 1),
    ("handoff.precision", {"handoff": True}, suggestion(), None),
    ("handoff.precision", {}, handed_over("x"), None),
    ("handoff.sensitive_topic.recall", {"handoff_reasons": ["sensitive_topic"]}, handed_over("sensitive_topic"), 1),
    ("handoff.sensitive_topic.recall", {"handoff_reasons": ["sensitive_topic"]}, handed_over("low_confidence"), 0),
    ("handoff.sensitive_topic.recall", {"handoff_reasons": ["sensitive_topic"]}, suggestion(), 0),
    ("handoff.sensitive_topic.recall", {"handoff_reasons": ["angry_customer"]}, suggestion(), None),
    ("handoff.sensitive_topic.precision", {"handoff_reasons": []}, handed_over("sensitive_topic"), 0),
    ("handoff.sensitive_topic.precision", {"handoff": False}, handed_over("sensitive_topic"), 0),
    ("handoff.sensitive_topic.precision", {"handoff": True}, handed_over("sensitive_topic"), None),
    ("draft.rate_on_answerable", {"answerable": True, "handoff": False}, suggestion(), 1),
    ("draft.rate_on_answerable", {"answerable": True, "handoff": False}, handed_over("x"), 0),
    ("draft.rate_on_answerable", {"answerable": True, "handoff": True}, suggestion(), None),
    ("draft.rate_on_answerable", {"answerable": False, "handoff": False}, suggestion(), None),
    ("draft.cites_expected_article", {"articles": ["a"]}, suggestion(draft=draft(True)), 1),
    ("draft.cites_expected_article", {"articles": ["b"]}, suggestion(draft=draft(True)), 0),
    ("draft.cites_expected_article", {"articles": ["b"]}, suggestion(), None),
    ("draft.supported_sentences", {}, suggestion(draft=draft(True, True)), 1),
    ("draft.supported_sentences", {}, suggestion(draft=draft(True, True, False)), 2 / 3),
    ("draft.supported_sentences", {}, suggestion(), None),
    ("draft.unsupported_facts", {}, suggestion(draft=draft(True, False)), 1),
    ("draft.unsupported_facts", {}, suggestion(draft=draft(True)), 0),
    ("draft.rouge_l", {"reply": "Hello."}, suggestion(), None),
]


@pytest.mark.parametrize(("name", "expect", "found", "score"), SCORES)
def test_a_case_scores(name: str, expect: dict[str, Any], found: Suggestion, score: float | None) -> None:
    entry = entry_of(name, Outcome(case(**expect), found))
    assert entry.value == (None if score is None else pytest.approx(score, abs=1e-12))
    assert (entry.n, entry.unscored) == ((0, 1) if score is None else (1, 0))


def test_every_metric_is_there_once() -> None:
    names = [metric.name for metric in all_metrics({"category": ["a"], "team": ["b"]})]
    assert len(names) == len(set(names)) == 2 + 2 * 8 + 6 + 3 + 3 + 2 * len(HANDOFF_RULES) + 7 + 3
    assert {f"handoff.{reason}.recall" for reason in HANDOFF_RULES} < set(names)


WORST_OF_A_FAILURE = {
    "kind.accuracy": ({"kind": "request"}, 0),
    "kind.macro_f1": ({"kind": "request"}, 0),
    "category.accuracy": ({"category": "till"}, 0),
    "category.macro_f1": ({"category": "till"}, 0),
    "category.top3_accuracy": ({"category": "till"}, 0),
    "category.top5_accuracy": ({"category": "till"}, 0),
    "category.coverage": ({"category": "till"}, 0),
    "category.aurc": ({"category": "till"}, 1),
    "retrieval.hit_at_5": ({"articles": ["a"]}, 0),
    "retrieval.recall_at_5": ({"articles": ["a"]}, 0),
    "retrieval.mrr_at_10": ({"articles": ["a"]}, 0),
    "retrieval.ndcg_at_10": ({"articles": ["a"]}, 0),
    "answerable.abstained_on_unanswerable": ({"answerable": False}, 0),
    "answerable.abstained_on_answerable": ({"answerable": True}, 1),
    "handoff.recall": ({"handoff": True}, 0),
    "handoff.missed_rate": ({"handoff": True}, 1),
    "handoff.human_requested.recall": ({"handoff_reasons": ["human_requested"]}, 0),
    "draft.rate_on_answerable": ({"answerable": True, "handoff": False}, 0),
}


@pytest.mark.parametrize("name", WORST_OF_A_FAILURE)
def test_an_exception_counts_as_the_worst(name: str) -> None:
    expect, worst = WORST_OF_A_FAILURE[name]
    entry = entry_of(name, failed(**expect))
    assert (entry.value, entry.n, entry.unscored) == (worst, 1, 0)
    unlike = entry_of(name, failed(priority="high"))
    assert (unlike.value, unlike.n, unlike.unscored) == (None, 0, 1)


@pytest.mark.parametrize("name", ["category.error_when_decided", "handoff.precision", "draft.supported_sentences"])
def test_an_exception_never_dilutes_what_is_measured_on_decisions(name: str) -> None:
    outcome = Outcome(
        case(category="vat", handoff=False),
        handed_over("x").model_copy(update={"draft": draft(True, False)}),
    )
    alone = entry_of(name, outcome)
    with_failures = entry_of(name, outcome, *[failed(category="vat", handoff=False)] * 9)
    assert alone.value is not None
    assert (with_failures.value, with_failures.n, with_failures.unscored) == (alone.value, 1, 9)


def test_a_run_whose_every_case_raised_is_measured() -> None:
    found = {entry.name: entry for entry in measured([failed(f"c-{n}", category="till") for n in range(5)])}
    assert (found["category.accuracy"].value, found["category.accuracy"].n) == (0, 5)
    assert found["category.ece"] == not_scored("category.ece", 5)
    assert found["latency.p50_ms"] == not_scored("latency.p50_ms", 5)


def not_scored(name: str, unscored: int) -> Measurement:
    return Measurement(name=name, value=None, low=None, high=None, n=0, unscored=unscored)


def test_no_outcome_at_all_is_not_scored_rather_than_zero() -> None:
    assert set(measured([])) == {not_scored(metric.name, 0) for metric in all_metrics(FIELDS)}


def test_one_class_does_not_determine_an_area() -> None:
    outcomes = [Outcome(case(f"c-{n}", answerable=True), suggestion()) for n in range(4)]
    assert entry_of("answerable.auroc", *outcomes) == not_scored("answerable.auroc", 4)


def test_one_case_is_worth_no_interval() -> None:
    entry = entry_of("category.accuracy", Outcome(case(category="till"), suggestion()))
    assert (entry.value, entry.low, entry.high) == (1.0, 0.0, 1.0)


def test_cases_that_all_score_alike_still_have_an_interval() -> None:
    alike = [Outcome(case(f"c-{n}", articles=["d"]), FOUND) for n in range(10)]
    entry = entry_of("retrieval.mrr_at_10", *alike)
    assert entry.value == pytest.approx(1 / 3, abs=1e-12)
    assert entry.low is not None
    assert entry.high is not None
    assert entry.high - entry.low > 0.1


def test_the_order_of_cases_does_not_matter_even_to_intervals() -> None:
    outcomes = some_outcomes(5, 40)
    names = ("category.accuracy", "category.macro_f1", "category.aurc", "retrieval.ndcg_at_10", "answerable.auroc")
    shuffled = random.Random(5).sample(outcomes, len(outcomes))
    for name in names:
        one, other = entry_of(name, *outcomes), entry_of(name, *shuffled)
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-9), name


def test_cases_of_one_requester_are_worth_less_than_cases_of_many() -> None:
    results = [number % 10 < 7 for number in range(20) for _ in range(5)]
    apart = [
        Outcome(asked_by(f"r-{n}", f"c-{n}", category="till"), guessing("till" if right else "vat"))
        for n, right in enumerate(results)
    ]
    together = [
        Outcome(asked_by(f"r-{n // 5}", f"c-{n}", category="till"), outcome.suggestion)
        for n, outcome in enumerate(apart)
    ]
    wide, narrow = entry_of("category.accuracy", *together), entry_of("category.accuracy", *apart)
    assert wide.value == narrow.value
    assert width(wide) > 1.8 * width(narrow)


def width(entry: Measurement) -> float:
    assert entry.low is not None
    assert entry.high is not None
    return entry.high - entry.low


def test_all_cases_of_one_group_are_worth_no_interval() -> None:
    entry = entry_of("category.accuracy", *right_and_wrong([1, 1, 0, 1], group="thread"))
    assert (entry.value, entry.low, entry.high, entry.n) == (0.75, 0.0, 1.0, 4)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Requester(id="r-1"), Requester(id="r-1"), True),
        (Requester(id="r-1"), Requester(id="r-2"), False),
        (Requester(email="a@b.example"), Requester(email="a@b.example"), True),
        (Requester(name="Ann"), Requester(name="Ann"), False),
    ],
)
def test_a_requester_is_a_group(one: Requester, other: Requester, same: bool) -> None:
    first, second = (
        Case(id=id, ticket=Ticket(body="x", requester=who), expect={}) for id, who in (("c-1", one), ("c-2", other))
    )
    assert (group_of(first) == group_of(second)) == same


def test_a_stated_group_goes_first_and_never_meets_a_requester_ticket_or_case_of_its_name() -> None:
    ticket = Ticket(body="x", id="n", requester=Requester(id="n"))
    stated = Case(id="c-1", ticket=ticket, expect={}, group="n")
    asked = Case(id="c-2", ticket=ticket, expect={})
    ticketed = Case(id="c-3", ticket=Ticket(body="x", id="n"), expect={})
    bare = Case(id="n", ticket=Ticket(body="x"), expect={})
    assert len({group_of(found) for found in (stated, asked, ticketed, bare)}) == 4
    assert group_of(stated.model_copy(update={"id": "c-9", "ticket": Ticket(body="y")})) == group_of(stated)


def test_names_in_any_script_are_counted() -> None:
    outcomes = [Outcome(case(id, category="till"), suggestion()) for id in ("Störung-1", "故障-2", "🧾 3", "a\nb")]
    assert values_of(outcomes)["category.accuracy"] == 1.0
    assert entry_of("category.accuracy", *outcomes).n == 4


def test_slices_are_measured_over_their_own_cases() -> None:
    outcomes = [
        Outcome(case.model_copy(update={"slice": {"channel": channel}}), outcome.suggestion)
        for outcome, channel in zip(right_and_wrong([1, 1, 0, 0, 0]), ["web", "web", "web", "app", "app"], strict=True)
        for case in [outcome.case]
    ]
    web = entry_of("category.accuracy", *outcomes, slice="channel=web")
    app = entry_of("category.accuracy", *outcomes, slice="channel=app")
    assert (web.value, web.n, web.unscored) == (pytest.approx(2 / 3), 3, 0)
    assert (app.value, app.n, app.unscored) == (0.0, 2, 0)
    assert all(entry.slice is None for entry in measured(outcomes) if entry.name.startswith("latency."))
