"""A metric, and the tests on cases that several of them share."""

from collections.abc import Callable
from dataclasses import dataclass

from eval.cases import Case
from eval.outcomes import Outcome
from eval.statistics import Statistic, mean
from triage.suggestions import Suggestion

Row = tuple[float, ...]


@dataclass(frozen=True)
class Metric:
    """One number about a run.

    means: in one line, for people; the reference is made of it.

    score: what one outcome gives, in the columns that `statistic` takes; None where the outcome is not scored.
    lower_is_better: whether a rise is a loss; bounded: whether the number lies in [0, 1]; sliced: whether it is also
    taken over slices of the cases.
    """

    name: str
    means: str
    score: Callable[[Outcome], Row | None]
    statistic: Statistic = mean
    lower_is_better: bool = False
    bounded: bool = True
    sliced: bool = True


def share(
    carried: Callable[[Case], bool], hit: Callable[[Case, Suggestion], float | None], failure: float | None = 0.0
) -> Callable[[Outcome], Row | None]:
    """Return the score of a share of cases.

    carried: whether a case has what the metric needs; hit: what it scores, None where the suggestion leaves it out
    (nothing was decided, say); failure: what a case counts for on which the engine raised an exception.
    """

    def score(outcome: Outcome) -> Row | None:
        if not carried(outcome.case):
            return None
        value = failure if outcome.suggestion is None else hit(outcome.case, outcome.suggestion)
        return None if value is None else (float(value),)

    return score


def has(key: str) -> Callable[[Case], bool]:
    """Return the test for cases that carry a key."""
    return lambda case: key in case.expect


def has_articles(case: Case) -> bool:
    """Tell whether a case names articles."""
    return bool(case.expect.get("articles"))


def is_answerable(case: Case) -> bool:
    """Tell whether a case should get a draft: public articles answer it and nothing else calls for a person."""
    return case.expect.get("answerable") is True and case.expect.get("handoff") is False


def gives(found: Suggestion, code: str) -> bool:
    """Tell whether a handoff reason was given."""
    return found.handoff is not None and any(reason.code == code for reason in found.handoff.reasons)
