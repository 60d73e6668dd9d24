"""Peers in processes of their own, from task to checked result, and every way in which one may fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from eval.peers.peers import (
    CLASSIFIERS,
    SEARCHERS,
    ClassifyTask,
    PeerFailure,
    PeerLimits,
    PeerResult,
    SearchTask,
    Task,
    run_peer,
)
from eval.peers.tasks import Example, TaskDocument, write_task

CLASSIFY = ClassifyTask(
    (
        Example("the till drawer is stuck", "till"),
        Example("my till will not open", "till"),
        Example("the till prints no receipt", "till"),
        Example("which rate of tax applies", "vat"),
        Example("the tax return is wrong", "vat"),
    ),
    ("the till is stuck again", "the rate of tax on bread"),
)
SEARCH = SearchTask(
    (
        TaskDocument("kb-till", "Open the till", "Turn the key of the till drawer to the left."),
        TaskDocument("kb-vat", "Tax rates", "Food is taxed at the lower rate. Other goods at the full rate."),
        TaskDocument("kb-staff", "New colleagues", "Invite colleagues under Settings."),
    ),
    ("how do I open the till", "tax rates for food"),
)


def result_of(name: str, task: Task, folder: Path) -> PeerResult:
    result = run_peer(name, task, folder)
    assert isinstance(result, PeerResult), str(result)
    assert result.peer == name
    assert result.milliseconds_per_query > 0
    assert result.peak_mib > 5
    return result


def failure_of(name: str, task: Task, folder: Path, seconds: float = 60) -> str:
    failure = run_peer(name, task, folder, PeerLimits(seconds))
    assert isinstance(failure, PeerFailure)
    assert failure.peer == name
    assert "\n" not in failure.reason
    return failure.reason


@pytest.mark.parametrize(
    ("name", "labels"), [("majority", ("till", "till")), ("tfidf_lr", ("till", "vat")), ("knn", ("till", "vat"))]
)
def test_a_classifier_runs_in_its_own_process(tmp_path: Path, name: str, labels: tuple[str, ...]) -> None:
    result = result_of(name, CLASSIFY, tmp_path)
    assert result.labels == labels
    assert result.confidence is not None
    assert all(0 < share <= 1 for share in result.confidence)


@pytest.mark.parametrize("name", SEARCHERS)
def test_a_searcher_runs_in_its_own_process(tmp_path: Path, name: str) -> None:
    result = result_of(name, SEARCH, tmp_path)
    assert [ranking[0] for ranking in result.rankings] == ["kb-till", "kb-vat"]
    assert result.confidence is None


def test_a_peer_s_memory_is_its_own(tmp_path: Path) -> None:
    """The process that starts it holds more than the peer ever does."""
    held = bytearray(b"x" * (200 * 2**20))
    assert result_of("majority", CLASSIFY, tmp_path).peak_mib < 150
    del held


def test_nothing_is_written_outside_the_work_folder(project: Path, tmp_path: Path) -> None:
    before = {path.name for path in project.iterdir()}
    result_of("majority", CLASSIFY, tmp_path)
    assert {path.name for path in project.iterdir()} == before
    assert {path.name for path in (tmp_path / "majority").iterdir()} == {"task", "report.json", "log.txt"}


@pytest.mark.parametrize(
    ("name", "task", "known"),
    [("oracle", CLASSIFY, CLASSIFIERS), ("bm25", CLASSIFY, CLASSIFIERS), ("setfit", SEARCH, SEARCHERS)],
)
def test_an_unknown_peer_is_a_failure_that_names_the_known(
    tmp_path: Path, name: str, task: Task, known: tuple[str, ...]
) -> None:
    reason = failure_of(name, task, tmp_path)
    assert reason == f"there is no such peer for this kind of task; use one of {', '.join(known)}"


def test_an_exception_in_a_peer_is_a_failure_with_its_words(tmp_path: Path) -> None:
    task = ClassifyTask(CLASSIFY.examples[:3], CLASSIFY.queries)
    reason = failure_of("tfidf_lr", task, tmp_path)
    assert reason.startswith("it failed with ValueError: ")
    assert "at least 2 classes" in reason
    assert "Traceback" in (tmp_path / "tfidf_lr" / "log.txt").read_text(encoding="utf-8")


def test_a_peer_is_stopped_at_its_limit(tmp_path: Path) -> None:
    assert failure_of("knn", CLASSIFY, tmp_path, 0.01) == "it was stopped at its limit of 0.01 seconds"


def test_an_older_report_is_never_taken_for_a_new_one(tmp_path: Path) -> None:
    result_of("majority", CLASSIFY, tmp_path)
    failure_of("majority", CLASSIFY, tmp_path, 0.01)
    assert not (tmp_path / "majority" / "report.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("majority",), "run_peer needs three arguments"),
        (("oracle", "{task}", "out.json"), "there is no peer 'oracle' for this kind of task"),
        (("majority", "nowhere", "out.json"), "nowhere/task.json: the file cannot be read"),
    ],
)
def test_a_wrong_call_of_the_process_ends_with_what_was_wrong(
    project: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    write_task(CLASSIFY, tmp_path)
    filled = [argument.format(task=tmp_path) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "eval.peers.run_peer", *filled], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
