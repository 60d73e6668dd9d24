"""The report of a real run, through the command."""

from pathlib import Path

from typer.testing import CliRunner

from eval.commands import app
from eval.run_suite import evaluate
from triage.engine import TriageEngine


def test_a_real_run_has_a_report(project: Path, demo_engine: TriageEngine, tmp_path: Path) -> None:
    desk, cases = project / "desks" / "demo", tmp_path / "cases.jsonl"
    lines = (desk / "cases.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    cases.write_text("".join(lines[:12]), encoding="utf-8")
    evaluate(desk, tmp_path / "run", cases, demo_engine)
    done = CliRunner().invoke(app, ["report", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 5
    assert "category.accuracy".replace(".", ".<wbr>") in page
