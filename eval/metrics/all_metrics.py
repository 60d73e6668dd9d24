"""Every metric of a desk, in the order in which they are shown."""

from collections.abc import Iterable, Mapping

from eval.metrics.drafting import draft_metrics
from eval.metrics.fields import field_metrics, kind_metrics
from eval.metrics.handoff import handoff_metrics
from eval.metrics.latency import latency_metrics
from eval.metrics.metric import Metric
from eval.metrics.retrieval import answerable_metrics, retrieval_metrics


def all_metrics(fields: Mapping[str, Iterable[str]]) -> list[Metric]:
    """Return the metrics of a desk with these labels per field."""
    return [
        *kind_metrics(),
        *(metric for field, labels in fields.items() for metric in field_metrics(field, list(labels))),
        *retrieval_metrics(),
        *answerable_metrics(),
        *handoff_metrics(),
        *draft_metrics(),
        *latency_metrics(),
    ]
