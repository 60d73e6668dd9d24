"""What a build says of itself on the terminal."""

from dataclasses import replace

import numpy as np
import pytest

from triage.build import BuildReport
from triage.build_report import print_report
from triage.fit import WITHOUT_HISTORY, FieldReport
from triage.risk import find_threshold

CONFIDENCE = np.linspace(1, 0.5, 60)


def report(right: float, needed: tuple[str, ...]) -> BuildReport:
    correct = np.arange(60) % 10 < right * 10
    risk = find_threshold(CONFIDENCE, correct, 0.1)
    field = FieldReport("category", 60, 3, WITHOUT_HISTORY, risk)
    return BuildReport("000001", 5, 9, 0, 0, 60, (field,), ("en",), needed, "exact, 9 vectors")


def printed(made: BuildReport, capsys: pytest.CaptureFixture[str]) -> str:
    print_report(made)
    return " ".join(capsys.readouterr().out.split())


def test_a_needed_field_that_stays_undecided_is_told_with_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(report(0.8, ("category",)), capsys)
    assert "category: an error of 10% is not reachable with 60 tickets (the nearest is" in told
    assert "category: no reply is drafted while it is undecided; state an error that it can keep" in told


def test_nothing_is_said_of_drafts_where_the_field_decides_or_is_not_needed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "no reply is drafted" not in printed(report(1, ("category",)), capsys)
    assert "no reply is drafted" not in printed(report(0.8, ()), capsys)


def test_what_was_left_out_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    made = replace(report(1, ()), drafts_left_out=2, refused=1)
    assert "5 articles (2 unpublished left out, 1 broken left out), 9 passages" in printed(made, capsys)
