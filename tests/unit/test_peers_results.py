"""A peer's report is held against the task before anything is scored."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval.peers.results import PeerFailure, PeerResult, read_result
from eval.peers.tasks import ClassifyTask, Example, SearchTask, Task, TaskDocument

CLASSIFY = ClassifyTask((Example("a", "till"), Example("b", "vat")), ("x", "y"))
SEARCH = SearchTask(tuple(TaskDocument(f"kb-{n}", "", "text") for n in range(12)), ("x", "y"))
COSTS: dict[str, Any] = {
    "load_seconds": 1,
    "fit_seconds": 0.5,
    "milliseconds_per_query": 2.5,
    "peak_mib": 40.0,
    "versions": {"python": "3.11.7"},
    "settings": {"C": 10, "sublinear_tf": True, "metric": "cosine"},
}
LABELS = {"peer": "echo", "answers": ["till", "vat"], "confidence": [0.9, 0.8]} | COSTS
RANKINGS = {"peer": "echo", "answers": [["kb-1", "kb-0"], []], "confidence": None} | COSTS


def read(tmp_path: Path, report: object, task: Task) -> PeerResult | PeerFailure:
    path = tmp_path / "report.json"
    path.write_text(report if isinstance(report, str) else json.dumps(report), encoding="utf-8")
    return read_result("echo", path, task)


def test_a_classifier_s_report_is_read_whole(tmp_path: Path) -> None:
    result = read(tmp_path, LABELS, CLASSIFY)
    assert isinstance(result, PeerResult)
    assert (result.labels, result.rankings, result.confidence) == (("till", "vat"), (), (0.9, 0.8))
    assert result.settings == COSTS["settings"]
    assert (result.fit_seconds, result.milliseconds_per_query, result.peak_mib) == (0.5, 2.5, 40.0)


def test_a_searcher_s_report_is_read_whole(tmp_path: Path) -> None:
    result = read(tmp_path, RANKINGS, SEARCH)
    assert isinstance(result, PeerResult)
    assert (result.labels, result.rankings) == ((), (("kb-1", "kb-0"), ()))


@pytest.mark.parametrize(
    ("task", "report", "words"),
    [
        (CLASSIFY, "{", "its result is not well formed"),
        (CLASSIFY, {"peer": "echo"}, "is missing"),
        (CLASSIFY, LABELS | {"answers": "till"}, "answers"),
        (CLASSIFY, LABELS | {"answers": [1, 2]}, "answers"),
        (CLASSIFY, LABELS | {"peak_mib": -1}, "peak_mib"),
        (CLASSIFY, LABELS | {"fit_seconds": None}, "fit_seconds"),
        (CLASSIFY, LABELS | {"confidence": [0.9, 1.5]}, "confidence.1"),
        (CLASSIFY, LABELS | {"peer": "majority"}, "it calls itself 'majority'"),
        (CLASSIFY, LABELS | {"answers": ["till"]}, "1 answers to 2 queries"),
        (CLASSIFY, LABELS | {"confidence": [0.9]}, "1 confidences for 2 queries"),
        (CLASSIFY, LABELS | {"answers": ["till", "tilt"]}, "'tilt' is no label of the task"),
        (CLASSIFY, RANKINGS, "is no label of the task"),
        (SEARCH, LABELS | {"confidence": None}, "'till' is a text, not a ranking"),
        (SEARCH, RANKINGS | {"answers": [["kb-1"], ["kb-99"]]}, "'kb-99' is no document of the task"),
        (SEARCH, RANKINGS | {"answers": [["kb-1", "kb-1"], []]}, "twice"),
        (SEARCH, RANKINGS | {"answers": [[f"kb-{n}" for n in range(11)], []]}, "more than 10"),
    ],
)
def test_a_malformed_report_is_a_failure_that_says_what_is_wrong(
    tmp_path: Path, task: Task, report: object, words: str
) -> None:
    failure = read(tmp_path, report, task)
    assert isinstance(failure, PeerFailure)
    assert failure.peer == "echo"
    assert words in failure.reason
    assert str(failure) == f"not run: {failure.reason}"


def test_a_report_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    failure = read_result("echo", tmp_path / "report.json", CLASSIFY)
    assert failure == PeerFailure("echo", "it wrote no result (No such file or directory)")
