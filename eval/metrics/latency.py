"""How long a suggestion takes, one after another, on the machine of the run."""

from eval.metrics.metric import Metric, Row
from eval.outcomes import Outcome
from eval.statistics import quantile, rate


def latency_metrics() -> list[Metric]:
    """Return milliseconds per suggestion at the median and the 95th percentile, and suggestions per second."""
    shape = {"bounded": False, "sliced": False}
    return [
        Metric(
            "latency.p50_ms",
            "milliseconds of a suggestion, one after another, at the median",
            _milliseconds,
            quantile(0.50),
            lower_is_better=True,
            **shape,
        ),
        Metric(
            "latency.p95_ms",
            "the same at the 95th percentile",
            _milliseconds,
            quantile(0.95),
            lower_is_better=True,
            **shape,
        ),
        Metric("latency.tickets_per_second", "suggestions a second, one after another", _seconds, rate, **shape),
    ]


def _milliseconds(outcome: Outcome) -> Row | None:
    return None if outcome.suggestion is None else (outcome.seconds * 1_000,)


def _seconds(outcome: Outcome) -> Row | None:
    return None if outcome.suggestion is None else (outcome.seconds,)
