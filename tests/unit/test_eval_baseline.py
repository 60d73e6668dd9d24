"""The run that a desk is held against: packed, the same bytes each time, and renewed with what it forgives."""

from pathlib import Path

import pytest
from eval_builders import FIELDS, right_and_wrong, run_of

from eval.baseline import BASELINE, baseline_of, refresh, write_baseline
from eval.compare_runs import compare_runs
from eval.errors import RunError
from eval.outcomes import PACKED

#: The gates that come along look at the team, too.
ALL_FIELDS = {**FIELDS, "priority": {"low": 1}, "team": {"books": 1}}
GOOD, BAD = [1] * 60, [0] * 9 + [1] * 51


def test_a_baseline_is_the_run_packed(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", right_and_wrong(BAD), fields=ALL_FIELDS)
    write_baseline(run, tmp_path)
    first = (tmp_path / BASELINE / PACKED).read_bytes()
    again = baseline_of(tmp_path)
    assert list(again.outcomes()) == list(run.outcomes())
    assert again.measurements == run.measurements
    assert not compare_runs(again, run).flips
    write_baseline(run, tmp_path)
    assert (tmp_path / BASELINE / PACKED).read_bytes() == first


def test_renewing_says_what_it_forgives(tmp_path: Path) -> None:
    good, bad = (
        run_of(tmp_path / name, right_and_wrong(rows), fields=ALL_FIELDS)
        for name, rows in (("good", GOOD), ("bad", BAD))
    )
    assert "is new" in refresh(good, tmp_path)
    assert compare_runs(baseline_of(tmp_path), bad).fails
    said = refresh(bad, tmp_path)
    assert "category.accuracy: 1.000 before, 0.850 now" in said
    assert said.count("category.accuracy: c-000") == 9
    assert "Forgiven" in said
    assert not compare_runs(baseline_of(tmp_path), bad).fails
    assert refresh(bad, tmp_path).endswith("Nothing is worse.")
    assert refresh(good, tmp_path).endswith("Nothing is worse.")


def test_a_missing_or_damaged_baseline_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="firstline eval baseline"):
        baseline_of(tmp_path)
    write_baseline(run_of(tmp_path / "run", right_and_wrong(GOOD), fields=ALL_FIELDS), tmp_path)
    packed = tmp_path / BASELINE / PACKED
    packed.write_bytes(packed.read_bytes()[:-40])
    with pytest.raises(RunError, match="cannot be read"):
        list(baseline_of(tmp_path).outcomes())
