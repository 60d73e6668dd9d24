"""What the service measures of itself, in the format of Prometheus.

Labels come from closed sets alone: desks, fields and labels of steps, templates of routes. No value holds text of a
ticket. In a worker of several the numbers stand in files that all workers read, one set to a worker's place: the worker
that takes over a place counts on, so that no counter falls when a worker dies.
"""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client import values as client_values
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from triage.suggestions import Suggestion

#: Where workers keep their numbers (the client library's own name), and the place of this worker, from 0.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
WORKER_VARIABLE = "FIRSTLINE_WORKER"

WORKER = os.environ.get(WORKER_VARIABLE)
# Chosen before the first instrument is made: what it is then holds for all of them.
if WORKER is None:
    client_values.ValueClass = client_values.MutexValue
else:
    client_values.ValueClass = client_values.MultiProcessValue(lambda: WORKER)  # type: ignore[no-untyped-call]
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
STEPS = ("classify", "search", "draft")
#: Seconds.
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
STEP_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
CONFIDENCE_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)

REQUESTS = Counter(
    "firstline_requests", "Requests answered", ("route", "method", "status"), registry=REGISTRY
)  # fmt: skip
REQUEST_SECONDS = Histogram(
    "firstline_request_seconds", "Seconds to an answer", ("route",), registry=REGISTRY, buckets=REQUEST_BUCKETS
)
IN_FLIGHT = Gauge(
    "firstline_requests_in_flight", "Requests being worked on", registry=REGISTRY, multiprocess_mode="livesum"
)
STEP_SECONDS = Histogram(
    "firstline_step_seconds", "Seconds of a step", ("desk", "step"), registry=REGISTRY, buckets=STEP_BUCKETS
)
SUGGESTIONS = Counter(
    "firstline_suggestions", "Suggestions and triages made", ("desk", "disposition"), registry=REGISTRY
)
PREDICTIONS = Counter(
    "firstline_predictions", "Fields predicted; decided=false: abstained", ("desk", "field", "decided"),
    registry=REGISTRY,
)  # fmt: skip
CONFIDENCE = Histogram(
    "firstline_confidence", "Calibrated chance of the best guess", ("desk", "field"),
    registry=REGISTRY, buckets=CONFIDENCE_BUCKETS,
)  # fmt: skip
REASONS = Counter("firstline_handoff_reasons", "Rules that called a person", ("desk", "code"), registry=REGISTRY)
ENCODER_WAITING = Gauge(
    "firstline_encoder_waiting", "Calls that wait for an encoder", registry=REGISTRY, multiprocess_mode="livesum"
)
# Of several workers the one that lags shows.
GENERATION = Gauge(
    "firstline_generation", "Generation served", ("desk",), registry=REGISTRY, multiprocess_mode="livemin"
)
GENERATION_REFUSED = Gauge(
    "firstline_generation_refused", "1 where the current generation is not sound, so that an older one serves",
    ("desk",), registry=REGISTRY, multiprocess_mode="livemax",
)  # fmt: skip
KNOWLEDGE_REVISION = Gauge(
    "firstline_knowledge_revision", "Knowledge served", ("desk",), registry=REGISTRY, multiprocess_mode="livemin"
)
KNOWLEDGE_LAG = Gauge(
    "firstline_knowledge_lag_seconds", "Seconds since the knowledge was seen to be up to date", ("desk",),
    registry=REGISTRY, multiprocess_mode="livemax",
)  # fmt: skip
BUILD = Gauge(
    "firstline_build_info", "The program's version", ("version",), registry=REGISTRY, multiprocess_mode="livemax"
)


def observe_suggestion(desk: str, suggestion: Suggestion) -> None:
    """Count a suggestion or a triage: its steps, what came of it, and how sure each field was."""
    for step in STEPS:
        if step in suggestion.timing_ms:
            STEP_SECONDS.labels(desk, step).observe(suggestion.timing_ms[step] / 1000)
    SUGGESTIONS.labels(desk, suggestion.disposition).inc()
    for field, prediction in suggestion.fields.items():
        PREDICTIONS.labels(desk, field, "true" if prediction.decided else "false").inc()
        CONFIDENCE.labels(desk, field).observe(prediction.confidence)
    for reason in suggestion.handoff.reasons if suggestion.handoff else ():
        REASONS.labels(desk, reason.code).inc()


def request_began() -> None:
    """Count a request in; `observe_request` counts it out."""
    IN_FLIGHT.inc()


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request out. route: the template; method: one of a closed set."""
    IN_FLIGHT.dec()
    REQUESTS.labels(route, method, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)


def set_encoder_waiting(calls: int) -> None:
    """Tell how many calls wait for the encoders of this process."""
    ENCODER_WAITING.set(calls)


def set_generation(desk: str, name: str, refuses_current: bool) -> None:
    """Tell which generation a desk is served from (its name is a number), and whether the current one is refused."""
    GENERATION.labels(desk).set(int(name) if name.isdecimal() else 0)
    GENERATION_REFUSED.labels(desk).set(refuses_current)


def set_knowledge(desk: str, revision: int, lag_seconds: float) -> None:
    """Tell which knowledge revision a desk is served at, and for how long nobody saw that this is the newest."""
    KNOWLEDGE_REVISION.labels(desk).set(revision)
    KNOWLEDGE_LAG.labels(desk).set(lag_seconds)


def set_build(version: str) -> None:
    """Tell the program's version."""
    BUILD.labels(version).set(1)


def render() -> tuple[bytes, str]:
    """Return all numbers, of every worker, and their content type."""
    registry = REGISTRY
    if WORKER is not None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, os.environ[FOLDER_VARIABLE])  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def clear_folder(folder: Path) -> None:
    """Make the workers' folder, empty of what an earlier run left."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()


def forget_worker(folder: Path, worker: int) -> None:
    """Take back what only a living worker can say; what it has counted stays."""
    mark_process_dead(worker, str(folder))  # type: ignore[no-untyped-call]
