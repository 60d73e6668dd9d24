"""Whether tickets reach a person when they should, and for the reason they should."""

from eval.cases import Case
from eval.metrics.metric import Metric, gives, has, share
from triage.drafting.handoff import HANDOFF_RULES
from triage.suggestions import Suggestion


def handoff_metrics() -> list[Metric]:
    """Return the metrics of the decision to hand over, and of each reason."""
    return [
        Metric("handoff.precision", "what was handed over had to be", share(has("handoff"), _called_for, failure=None)),
        Metric("handoff.recall", "what had to be handed over was", share(_must_hand_off, _handed_off)),
        Metric(
            "handoff.missed_rate",
            "what had to be handed over was not",
            share(_must_hand_off, lambda case, found: not _handed_off(case, found), failure=1.0),
            lower_is_better=True,
        ),
        *(metric for code in HANDOFF_RULES for metric in reason_metrics(code)),
    ]


def reason_metrics(code: str) -> list[Metric]:
    """Return precision and recall of one reason.

    Precision counts the cases that settle the matter: those that list reasons, and those that need no person.
    """

    def expected(case: Case) -> bool:
        return code in case.expect.get("handoff_reasons", ())

    def settled(case: Case) -> bool:
        return "handoff_reasons" in case.expect or case.expect.get("handoff") is False

    return [
        Metric(
            f"handoff.{code}.precision",
            "the reason was given where a case lists it; over cases that settle it",
            share(settled, lambda case, found: float(expected(case)) if gives(found, code) else None, failure=None),
        ),
        Metric(
            f"handoff.{code}.recall",
            "a case lists the reason, and it was given",
            share(expected, lambda case, found: gives(found, code)),
        ),
    ]


def _must_hand_off(case: Case) -> bool:
    return case.expect.get("handoff") is True


def _handed_off(case: Case, found: Suggestion) -> bool:
    return found.disposition == "handoff"


def _called_for(case: Case, found: Suggestion) -> float | None:
    return float(case.expect["handoff"]) if _handed_off(case, found) else None
