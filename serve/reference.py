"""Writes the reference of what the service measures of itself out of the code: python -m serve.reference."""

import sys
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from serve import metrics

KINDS = {Counter: "counter", Histogram: "histogram", Gauge: "gauge"}
PAGE = "service-metrics.md"


HEAD = """# Service metrics

Made from the code (`make reference`). What `GET /metrics` tells, in the format of Prometheus, over all workers; no
label and no value holds a word of a ticket. A counter's name ends in `_total` there; a histogram has `_bucket`, `_sum`
and `_count`.

| metric | kind | says | labels |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Return the page of the metrics at ``/metrics``."""
    rows = []
    for instrument in vars(metrics).values():
        kind = next((name for sort, name in KINDS.items() if isinstance(instrument, sort)), None)
        if kind:
            labels = ", ".join(f"`{label}`" for label in instrument._labelnames) or "–"
            rows.append(f"| `{instrument._name}` | {kind} | {instrument._documentation} | {labels} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(metrics_page(), encoding="utf-8")
