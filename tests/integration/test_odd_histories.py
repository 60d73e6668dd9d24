"""Desks whose past tickets are not as one would wish: each is built, or refused with a sentence."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import build_desk

from triage.assembly import build_engine
from triage.build import BuildReport
from triage.errors import DeskFileError
from triage.suggestions import Suggestion
from triage.tickets import Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
Row = dict[str, Any]
Build = Callable[[list[Row]], tuple[BuildReport, Suggestion]]


def row(number: int, text: str, category: str, **more: Any) -> Row:
    return {"id": f"h-{number}", "subject": text, "labels": {"category": category, **more}}


@pytest.fixture
def with_history(
    desk_copy: Callable[[], Path], tmp_path: Path
) -> Callable[[list[Row]], tuple[BuildReport, Suggestion]]:
    """Returns a function that builds the small desk with a history and asks about a ticket."""

    def build(rows: list[Row]) -> tuple[BuildReport, Suggestion]:
        folder = desk_copy()
        for path in sorted((folder / "articles").glob("*.md"))[2:]:
            path.unlink()
        (folder / "history.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
        report = build_desk(folder, tmp_path / "var")
        engine = build_engine(folder, tmp_path / "var")
        return report, engine.triage(Ticket(subject="the till is dead"), "s", NOW)

    return build


def category(report: BuildReport) -> Any:
    return next(field for field in report.fields if field.field == "category")


def test_one_class_alone_is_learnt_and_calls_nothing_new(with_history: Build) -> None:
    report, found = with_history([row(n, f"till number {n} is dead", "till") for n in range(60)])
    assert (category(report).n, category(report).accuracy, report.novelty) == (60, 1.0, None)
    assert found.fields["category"].best == "till"


def test_one_row_per_class_decides_nothing(with_history: Build) -> None:
    report, found = with_history(
        [row(0, "till is dead", "till"), row(1, "vat return", "vat"), row(2, "stock", "stock")]
    )
    assert (category(report).n, category(report).accuracy) == (0, None) or category(report).risk.threshold is None
    assert not found.fields["category"].decided


def test_tickets_that_contradict_each_other_leave_doubt(with_history: Build) -> None:
    rows = [row(n, "the till is dead", ("till", "outage")[n % 2]) for n in range(80)]
    report, found = with_history(rows)
    assert category(report).risk.threshold is None
    assert found.fields["category"].confidence < 0.7
    assert not found.fields["category"].decided


def test_blank_texts_are_rows_like_others(with_history: Build) -> None:
    rows = [row(n, "till is dead", "till") for n in range(20)] + [row(n, " ", "vat") for n in range(20, 40)]
    report, found = with_history(rows)
    assert category(report).n == 40
    assert found.fields["category"].best == "till"


def test_a_label_that_the_taxonomy_does_not_know_is_refused_by_line(with_history: Build) -> None:
    with pytest.raises(DeskFileError, match=r"history\.jsonl:2: unknown category 'printer'; use one of"):
        with_history([row(0, "till", "till"), row(1, "printer", "printer")])
