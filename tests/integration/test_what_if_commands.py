"""Replay, tune and gate on the demo desk, as somebody would run them."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.errors import EvalError
from firstline import app
from triage.errors import TriageError

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def place(project: Path, demo_var: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a var of its own, a few cases, and a policy under which every category stays open."""
    folder = tmp_path_factory.mktemp("what-if-commands")
    (folder / "var").mkdir()
    for made in ("generations", "encoders"):
        (folder / "var" / made).symlink_to(demo_var / made)
    desk = folder / "desk"
    shutil.copytree(project / "desks" / "demo", desk)
    lines = (desk / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    (desk / "cases.jsonl").write_text("\n".join(lines[::9]), encoding="utf-8")
    policy = (desk / "policy.toml").read_text(encoding="utf-8")
    (folder / "strict.toml").write_text(policy.replace("max_error = 0.10", "max_error = 0.01"), encoding="utf-8")
    return folder


def run(place: Path, *words: str) -> tuple[int, str]:
    done = RUNNER.invoke(app, ["eval", *words, "--var", str(place / "var")])
    if isinstance(done.exception, EvalError | TriageError):  # what `firstline` says in one sentence, and ends with 2
        return 2, str(done.exception)
    return done.exit_code, done.output


def test_a_replay_names_what_changes_and_publishes_nothing(place: Path) -> None:
    desk, before = place / "desk", sorted((place / "var" / "generations" / "demo").iterdir())
    asked = ("replay", str(desk), "--history", str(desk / "cases.jsonl"), "--policy", str(place / "strict.toml"))
    code, said = run(place, *asked, "--out", str(place / "out"))
    assert code == 0, said
    assert "draft → handoff" in said
    values = json.loads((place / "out" / "replay.json").read_text(encoding="utf-8"))
    assert values["tickets"] == len((desk / "cases.jsonl").read_text(encoding="utf-8").splitlines())
    assert values["fields"]["category"]["coverage"][1]["value"] == 0
    assert values["before"]["policy"] != values["after"]["policy"]
    assert "What if, on" in (place / "out" / "replay.html").read_text(encoding="utf-8")
    assert sorted((place / "var" / "generations" / "demo").iterdir()) == before


def test_a_replay_asks_for_something_to_try(place: Path) -> None:
    desk = str(place / "desk")
    assert run(place, "replay", desk, "--history", f"{desk}/cases.jsonl")[0] == 2
    assert run(place, "replay", desk, "--history", f"{desk}/none.jsonl", "--policy", str(place / "strict.toml"))[0] == 2
    code, said = run(place, "replay", desk, "--history", f"{desk}/cases.jsonl", "--generation", "000777")
    assert code == 2
    assert "000777" in said


def test_tuning_writes_a_policy_to_review_and_changes_none(place: Path) -> None:
    desk = place / "desk"
    before = (desk / "policy.toml").read_bytes()
    code, said = run(
        place, "tune", str(desk), "--error", "category=0.2", "--recall", "0.9", "--out", str(place / "tuned")
    )
    assert code == 0, said
    assert "+category = { max_error = 0.2 }" in said
    assert (desk / "policy.toml").read_bytes() == before
    assert "max_error = 0.2 " in (place / "tuned" / "policy.proposed.toml").read_text(encoding="utf-8")
    values = json.loads((place / "tuned" / "tune.json").read_text(encoding="utf-8"))
    assert {curve["field"] for curve in values["fields"]} == {"category", "priority", "team"}
    assert "<svg" in (place / "tuned" / "tune.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [("--error", "colour=0.1"), ("--error", "category"), ("--coverage", "team=2")])
def test_a_target_that_is_none_is_refused(place: Path, words: tuple[str, str]) -> None:
    assert run(place, "tune", str(place / "desk"), *words)[0] == 2


def test_a_gate_holds_until_something_is_lost_and_says_how_to_forgive(place: Path) -> None:
    desk = str(place / "desk")
    shutil.rmtree(place / "desk" / "baseline", ignore_errors=True)
    code, said = run(place, "gate", desk)
    assert code == 2
    assert "firstline eval baseline" in said
    assert run(place, "baseline", desk)[0] == 0
    code, said = run(place, "gate", desk)
    assert code == 0, said
    assert run(place, "baseline", desk)[1].rstrip().endswith("Nothing is worse.")
