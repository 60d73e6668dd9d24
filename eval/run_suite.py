"""Runs cases through the production engine and measures what came out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from eval.cases import Case
from eval.measurement import Measurement, share
from models.protocols import Progress, no_progress
from triage.drafting.handoff import HANDOFF_RULES
from triage.engine import TriageEngine
from triage.suggestions import Suggestion


@dataclass(frozen=True)
class Outcome:
    """A case and what the engine made of it: a suggestion, or the name of the exception it raised."""

    case: Case
    suggestion: Suggestion | None
    error: str | None = None


def run_suite(
    engine: TriageEngine, cases: Sequence[Case], now: datetime, progress: Progress = no_progress
) -> list[Outcome]:
    """Suggest for every case; an exception is an outcome, not the end of the run."""
    outcomes = []
    for number, case in enumerate(cases, start=1):
        try:
            outcome = Outcome(case, engine.suggest(case.ticket, case.id, now))
        except Exception as error:  # whatever the engine raises is what is being measured
            outcome = Outcome(case, None, error.__class__.__name__)
        outcomes.append(outcome)
        progress("cases", number, len(cases))
    return outcomes


@dataclass(frozen=True)
class Metric:
    """A share of cases.

    carried: whether a case has what the metric needs; hit: whether it scored, or None where the suggestion leaves it
    out (nothing was decided, say); failure: what a case counts as for which the engine raised an exception.
    """

    name: str
    carried: Callable[[Case], bool]
    hit: Callable[[Case, Suggestion], bool | None]
    failure: bool | None = False

    def score(self, outcome: Outcome) -> bool | None:
        """Return whether an outcome scored; None where it is not scored."""
        if not self.carried(outcome.case):
            return None
        return self.failure if outcome.suggestion is None else self.hit(outcome.case, outcome.suggestion)


def measure(outcomes: Sequence[Outcome], fields: Iterable[str]) -> list[Measurement]:
    """Return the measurements that these cases allow."""
    metrics = [
        Metric("kind.accuracy", has("kind"), lambda case, found: found.kind == case.expect["kind"]),
        *(metric for field in fields for metric in field_metrics(field)),
        *(Metric(f"retrieval.hit_at_{k}", has_articles, hit_at(k)) for k in (1, 5)),
        Metric("handoff.recall", lambda case: case.expect.get("handoff") is True, handed_off),
        Metric("handoff.precision", has("handoff"), handed_off_rightly, failure=None),
        *(Metric(f"handoff.{code}.recall", expects_reason(code), gives_reason(code)) for code in HANDOFF_RULES),
        Metric("draft.rate_on_answerable", is_answerable, lambda case, found: found.disposition == "draft"),
        Metric("draft.cites_expected_article", has_articles, cites_expected, failure=None),
        Metric("draft.supported_sentences", lambda case: True, all_supported, failure=None),
    ]
    return [_measured(metric, outcomes) for metric in metrics]


def field_metrics(field: str) -> list[Metric]:
    """Return accuracy of the best guess, share decided, and share wrong among the decided."""

    def right(case: Case, found: Suggestion) -> bool:
        return bool(found.fields[field].best == case.expect[field])

    def decided(case: Case, found: Suggestion) -> bool:
        return found.fields[field].decided

    def wrong(case: Case, found: Suggestion) -> bool | None:
        return not right(case, found) if decided(case, found) else None

    return [
        Metric(f"{field}.accuracy", has(field), right),
        Metric(f"{field}.coverage", has(field), decided),
        Metric(f"{field}.error_when_decided", has(field), wrong, failure=None),
    ]


def has(key: str) -> Callable[[Case], bool]:
    """Return the test for cases that carry a key."""
    return lambda case: key in case.expect


def has_articles(case: Case) -> bool:
    """Tell whether a case names articles."""
    return bool(case.expect.get("articles"))


def is_answerable(case: Case) -> bool:
    """Tell whether a case should get a draft: public articles answer it and nothing else calls for a person."""
    return case.expect.get("answerable") is True and case.expect.get("handoff") is False


def hit_at(k: int) -> Callable[[Case, Suggestion], bool]:
    """Return the test whether an expected article is among the first k."""
    return lambda case, found: bool(
        set(case.expect["articles"]) & {article.article_id for article in found.articles[:k]}
    )


def handed_off(case: Case, found: Suggestion) -> bool:
    """Tell whether the ticket was handed to a person."""
    return found.disposition == "handoff"


def handed_off_rightly(case: Case, found: Suggestion) -> bool | None:
    """Tell whether a handoff was called for; None where there was none."""
    return case.expect["handoff"] is True if handed_off(case, found) else None


def expects_reason(code: str) -> Callable[[Case], bool]:
    """Return the test for cases that expect a reason."""
    return lambda case: code in case.expect.get("handoff_reasons", ())


def gives_reason(code: str) -> Callable[[Case, Suggestion], bool]:
    """Return the test whether a reason was given."""
    return lambda case, found: found.handoff is not None and code in {reason.code for reason in found.handoff.reasons}


def cites_expected(case: Case, found: Suggestion) -> bool | None:
    """Tell whether a draft quotes an expected article; None where there is no draft."""
    if found.draft is None:
        return None
    cited = {support.article_id for sentence in found.draft.sentences for support in sentence.support}
    return bool(cited & set(case.expect["articles"]))


def all_supported(case: Case, found: Suggestion) -> bool | None:
    """Tell whether every fact of a draft has support; None where there is no draft."""
    if found.draft is None:
        return None
    return all(sentence.support for sentence in found.draft.sentences if sentence.role == "fact")


def _measured(metric: Metric, outcomes: Sequence[Outcome]) -> Measurement:
    scores = [metric.score(outcome) for outcome in outcomes]
    return share(metric.name, [score for score in scores if score is not None], len(outcomes))
