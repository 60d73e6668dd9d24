"""How well fields are decided: accuracy, macro-F1, calibration, and what abstention costs and buys."""

from collections.abc import Callable, Sequence
from typing import get_args

from eval.cases import Case
from eval.metrics.metric import Metric, Row, has, share
from eval.outcomes import Outcome
from eval.statistics import NO_CLASS, aurc, ece, macro_f1
from triage.message_kind import Kind
from triage.suggestions import Suggestion


def field_metrics(field: str, labels: Sequence[str]) -> list[Metric]:
    """Return the metrics of one field; the best guess counts, decided or not."""

    def right(case: Case, found: Suggestion) -> bool:
        return bool(found.fields[field].best == case.expect[field])

    def decided(case: Case, found: Suggestion) -> bool:
        return found.fields[field].decided

    def wrong(case: Case, found: Suggestion) -> float | None:
        return float(not right(case, found)) if decided(case, found) else None

    def in_top(count: int) -> Callable[[Case, Suggestion], bool]:
        def among(case: Case, found: Suggestion) -> bool:
            prediction = found.fields[field]
            ranked = [prediction.best, *(other.value for other in prediction.alternatives)]
            return case.expect[field] in list(dict.fromkeys(ranked))[:count]

        return among

    def confidence(failure: Row | None) -> Callable[[Outcome], Row | None]:
        def score(outcome: Outcome) -> Row | None:
            if field not in outcome.case.expect:
                return None
            found = outcome.suggestion
            return failure if found is None else (found.fields[field].confidence, float(right(outcome.case, found)))

        return score

    carried = has(field)
    return [
        Metric(f"{field}.accuracy", "the best guess is right, decided or not", share(carried, right)),
        Metric(
            f"{field}.macro_f1",
            "mean F1 over the labels that occur, so that rare ones count",
            classes(field, labels, lambda found: found.fields[field].best),
            macro_f1,
        ),
        Metric(f"{field}.top3_accuracy", "the right label is among the first three", share(carried, in_top(3))),
        Metric(f"{field}.top5_accuracy", "the right label is among the first five", share(carried, in_top(5))),
        Metric(
            f"{field}.ece",
            "top-label calibration error, 15 bins of equal mass; biased upwards on few cases",
            confidence(None),
            ece,
            lower_is_better=True,
            sliced=False,
        ),
        Metric(f"{field}.coverage", "the field was decided", share(carried, decided)),
        Metric(
            f"{field}.error_when_decided",
            "what was decided is wrong",
            share(carried, wrong, failure=None),
            lower_is_better=True,
        ),
        Metric(
            f"{field}.aurc",
            "area under the risk-coverage curve: mean error over all coverages, the least sure left out first",
            confidence((0.0, 0.0)),
            aurc,
            lower_is_better=True,
            sliced=False,
        ),
    ]


def kind_metrics() -> list[Metric]:
    """Return the metrics of the gate."""
    return [
        Metric(
            "kind.accuracy",
            "the gate is right: request, thanks, auto_reply, bounce, list_mail or empty",
            share(has("kind"), lambda case, found: found.kind == case.expect["kind"]),
        ),
        Metric(
            "kind.macro_f1",
            "mean F1 over the kinds that occur",
            classes("kind", get_args(Kind), lambda found: found.kind),
            macro_f1,
        ),
    ]


def classes(key: str, labels: Sequence[str], guess: Callable[[Suggestion], str]) -> Callable[[Outcome], Row | None]:
    """Return the score (class number of the truth, of the guess); no guess where an exception was raised."""
    numbers = {label: float(number) for number, label in enumerate(labels)}

    def score(outcome: Outcome) -> Row | None:
        if key not in outcome.case.expect:
            return None
        found = outcome.suggestion
        return numbers[outcome.case.expect[key]], NO_CLASS if found is None else numbers[guess(found)]

    return score
