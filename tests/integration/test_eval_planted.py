"""Faults planted on purpose fail a comparison; the bench of the gates plants more of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import build_desk
from eval_builders import small_desk

from eval.benches.gates import switch_off, unpublish
from eval.compare_runs import compare_runs
from eval.gates import Gate, Gates
from eval.run_record import Run
from eval.run_suite import evaluate
from triage.assembly import build_engine


def run_of(project: Path, home: Path, change: Callable[[Path], None]) -> Run:
    desk = small_desk(project, home / "desk")
    change(desk)
    build_desk(desk, home / "var")
    return evaluate(desk, home / "run", engine=build_engine(desk, home / "var"))


@pytest.fixture(scope="module")
def baseline(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(project, tmp_path_factory.mktemp("baseline"), lambda desk: None)


def test_a_sensitive_rule_that_is_off_fails_by_the_cases_it_misses(
    project: Path, tmp_path: Path, baseline: Run
) -> None:
    found = compare_runs(baseline, run_of(project, tmp_path, switch_off("sensitive_topic")))
    assert found.fails
    assert {flip.metric for flip in found.broken} == {"handoff.sensitive_topic.recall"}
    assert found.silenced == ("sensitive_topic",)
    assert any(change.startswith("policy ") for change in found.changed)


def test_missing_articles_fail_a_gate_on_search(project: Path, tmp_path: Path, baseline: Run) -> None:
    # The encoder without weights finds too little to show the loss through eleven gates at once.
    gates = Gates(gate=(Gate(metric="retrieval.ndcg_at_10"), Gate(metric="kind.accuracy")))
    found = compare_runs(baseline, run_of(project, tmp_path, unpublish(0)), gates)
    assert [d.gate.metric for d in found.differences if d.fails] == ["retrieval.ndcg_at_10"]


def test_the_same_desk_built_again_passes(project: Path, tmp_path: Path, baseline: Run) -> None:
    found = compare_runs(baseline, run_of(project, tmp_path, lambda desk: None))
    assert not found.fails
    assert found.flips == ()
