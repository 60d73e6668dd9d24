"""What is counted of a suggestion, with labels from closed sets alone, and how several workers count together."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from served_process import make_home

from serve import metrics
from triage.assembly import build_engine
from triage.engine import TriageEngine
from triage.suggestions import Suggestion
from triage.tickets import Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SECRET = "zanzibar"


@pytest.fixture(scope="module")
def engine(project: Path, tmp_path_factory: pytest.TempPathFactory) -> TriageEngine:
    home = make_home(project, tmp_path_factory.mktemp("metrics"))
    return build_engine(home.folder / "desk", home.folder / "var")


@pytest.fixture(scope="module")
def handoff(engine: TriageEngine) -> Suggestion:
    words = f"I will sue you over the {SECRET} invoice, my lawyer writes tomorrow"
    made = engine.suggest(Ticket(id=SECRET, subject=words, set_fields={"team": "frontline"}), SECRET, NOW)
    assert made.handoff is not None
    return made


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"firstline_{name}", labels) or 0.0


def test_a_suggestion_is_counted_by_what_came_of_it(handoff: Suggestion) -> None:
    metrics.observe_suggestion("counted", handoff)
    metrics.observe_suggestion("counted", handoff)
    assert value("suggestions_total", desk="counted", disposition="handoff") == 2
    assert handoff.handoff is not None
    for reason in handoff.handoff.reasons:
        assert value("handoff_reasons_total", desk="counted", code=reason.code) == 2
    for name, prediction in handoff.fields.items():
        decided = str(prediction.decided).lower()
        assert value("predictions_total", desk="counted", field=name, decided=decided) == 2
        assert value("confidence_count", desk="counted", field=name) == 2
        assert value("confidence_sum", desk="counted", field=name) == pytest.approx(2 * prediction.confidence)
    assert {prediction.decided for prediction in handoff.fields.values()} == {True, False}
    for step in ("classify", "search", "draft"):
        assert value("step_seconds_count", desk="counted", step=step) == 2
        seconds = handoff.timing_ms[step] / 1000
        assert value("step_seconds_sum", desk="counted", step=step) == pytest.approx(2 * seconds)


def test_a_step_that_did_not_happen_is_not_counted(engine: TriageEngine) -> None:
    metrics.observe_suggestion("triaged", engine.triage(Ticket(subject="New phone"), "x", NOW))
    assert value("step_seconds_count", desk="triaged", step="classify") == 1
    assert value("step_seconds_count", desk="triaged", step="search") == 0


def test_no_word_of_a_ticket_stands_in_the_numbers(handoff: Suggestion) -> None:
    metrics.observe_suggestion("demo", handoff)
    assert SECRET in handoff.model_dump_json()
    content, kind = metrics.render()
    assert b'firstline_suggestions_total{desk="demo"' in content
    assert SECRET.encode() not in content
    assert kind == "text/plain; version=0.0.4; charset=utf-8"


def test_gauges_say_what_they_were_told_last() -> None:
    metrics.set_generation("g", "000007", refuses_current=False)
    metrics.set_generation("g", "000012", refuses_current=True)
    metrics.set_knowledge("g", 17, 0.25)
    metrics.set_encoder_waiting(3)
    metrics.set_build("1.2.3")
    assert (value("generation", desk="g"), value("generation_refused", desk="g")) == (12, 1)
    assert (value("knowledge_revision", desk="g"), value("knowledge_lag_seconds", desk="g")) == (17, 0.25)
    assert value("encoder_waiting") == 3
    assert value("build_info", version="1.2.3") == 1


def test_requests_are_measured_by_route() -> None:
    metrics.request_began()
    metrics.observe_request("GET", "/measured", 200, 0.015)
    assert value("requests_total", route="/measured", method="GET", status="200") == 1
    assert value("request_seconds_bucket", route="/measured", le="0.01") == 0
    assert value("request_seconds_bucket", route="/measured", le="0.02") == 1


WORKER = """
import os, sys
from serve import metrics
for _ in range(int(sys.argv[1])):
    metrics.request_began()
metrics.observe_request("GET", "/x", 200, 0.01)
metrics.set_generation("demo", sys.argv[2], False)
sys.stdout.write(metrics.render()[0].decode())
"""


def work(folder: Path, place: int, began: int, generation: str) -> dict[str, float]:
    """Count as a worker, and end without a word; return all numbers as it sees them."""
    own = {metrics.FOLDER_VARIABLE: str(folder), metrics.WORKER_VARIABLE: str(place)}
    command = [sys.executable, "-c", WORKER, str(began), generation]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=True, timeout=60)
    rows = (line.rsplit(" ", 1) for line in done.stdout.splitlines() if not line.startswith("#"))
    return {name: float(number) for name, number in rows}


def test_workers_count_together_and_a_place_counts_on_when_its_worker_died(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    (folder / "sub").mkdir(parents=True)
    (folder / "counter_9.db").write_bytes(b"of an earlier run")
    metrics.clear_folder(folder)
    requests = 'firstline_requests_total{method="GET",route="/x",status="200"}'
    generation = 'firstline_generation{desk="demo"}'
    work(folder, 0, 5, "000002")
    told = work(folder, 1, 3, "000001")
    assert (told[requests], told["firstline_requests_in_flight"], told[generation]) == (2, 4 + 2, 1)
    assert told['firstline_request_seconds_count{route="/x"}'] == 2
    metrics.forget_worker(folder, 1)
    told = work(folder, 1, 2, "000003")
    assert (told[requests], told["firstline_requests_in_flight"], told[generation]) == (3, 4 + 1, 2)
    assert len(list(folder.glob("*.db"))) == len({file.name for file in folder.glob("*_[01].db")})
