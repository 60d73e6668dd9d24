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


Hit = Callable[[Case, Suggestion], bool | None]


def measure(outcomes: Sequence[Outcome], fields: Iterable[str]) -> list[Measurement]:
    """Return the measurements that these cases allow; a failed case counts against every metric it carries."""
    found = [_share(outcomes, "kind.accuracy", _kind)]
    for field in fields:
        found += [_share(outcomes, f"{field}.{name}", metric) for name, metric in _field_metrics(field).items()]
    found += [_share(outcomes, f"retrieval.hit_at_{k}", _hit_at(k)) for k in (1, 5)]
    found.append(
        _share(outcomes, "handoff.recall", lambda c, s: s.disposition == "handoff" if c.expect.get("handoff") else None)
    )
    found.append(_share(outcomes, "handoff.precision", _handoff_precision))
    found += [_share(outcomes, f"handoff.{reason}.recall", _reason_recall(reason)) for reason in HANDOFF_RULES]
    found.append(_share(outcomes, "draft.rate_on_answerable", _drafted))
    found.append(_share(outcomes, "draft.supported_sentences", _supported))
    return found


def _share(outcomes: Sequence[Outcome], name: str, hit: Hit) -> Measurement:
    scored = []
    for outcome in outcomes:
        if outcome.suggestion is None:
            scored.append(False)
        elif (value := hit(outcome.case, outcome.suggestion)) is not None:
            scored.append(value)
    return share(name, scored, len(outcomes))


def _kind(case: Case, suggestion: Suggestion) -> bool | None:
    return suggestion.kind == case.expect["kind"] if "kind" in case.expect else None


def _field_metrics(field: str) -> dict[str, Hit]:
    def accuracy(case: Case, suggestion: Suggestion) -> bool | None:
        return suggestion.fields[field].best == case.expect[field] if field in case.expect else None

    def coverage(case: Case, suggestion: Suggestion) -> bool | None:
        return suggestion.fields[field].decided if field in case.expect else None

    def error_when_decided(case: Case, suggestion: Suggestion) -> bool | None:
        right = accuracy(case, suggestion)
        return None if right is None or not suggestion.fields[field].decided else not right

    return {"accuracy": accuracy, "coverage": coverage, "error_when_decided": error_when_decided}


def _hit_at(k: int) -> Hit:
    def hit(case: Case, suggestion: Suggestion) -> bool | None:
        wanted = set(case.expect.get("articles", ()))
        if not wanted or suggestion.kind != "request":
            return None
        return bool(wanted & {article.article_id for article in suggestion.articles[:k]})

    return hit


def _handoff_precision(case: Case, suggestion: Suggestion) -> bool | None:
    if suggestion.disposition != "handoff" or "handoff" not in case.expect:
        return None
    return bool(case.expect["handoff"])


def _reason_recall(reason: str) -> Hit:
    def recall(case: Case, suggestion: Suggestion) -> bool | None:
        if reason not in case.expect.get("handoff_reasons", ()):
            return None
        return suggestion.handoff is not None and reason in {found.code for found in suggestion.handoff.reasons}

    return recall


def _drafted(case: Case, suggestion: Suggestion) -> bool | None:
    answerable = case.expect.get("answerable") is True and case.expect.get("handoff") is False
    return suggestion.disposition == "draft" if answerable else None


def _supported(case: Case, suggestion: Suggestion) -> bool | None:
    if suggestion.draft is None:
        return None
    return all(sentence.support for sentence in suggestion.draft.sentences if sentence.role == "fact")
