"""The loaders over the public data itself, where DATA names a folder that holds it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.cases import load_cases
from eval.loaders import LoadOptions, load
from eval.loaders.write_desk import DeskData, write_desk
from triage.desk_files import read_desk

Write = Callable[..., DeskData]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Returns a function that loads a data set, writes its desk, and reads that back."""

    def write(format_name: str, folder: str, **options: object) -> DeskData:
        source = Path(os.environ.get("DATA", "")) / folder
        if "DATA" not in os.environ or not source.is_dir():
            pytest.skip(f"DATA names no folder that holds {folder}/")
        given = LoadOptions(**options)  # type: ignore[typeddict-item]
        data = write_desk(load(format_name, source, **given), tmp_path / "desk")
        desk = read_desk(data.folder)
        articles = {article.id for article in desk.articles}
        cases = load_cases(data.folder / "cases.jsonl", desk.rules.taxonomy, articles)
        read = {"history": len(desk.history), "cases": len(cases), "articles": len(articles)}
        assert {key: data.counts[key] for key in read} == read
        return data

    return write


def counts(data: DeskData) -> tuple[int, int, int]:
    return data.counts["history"], data.counts["cases"], data.counts["articles"]


def test_banking77(written: Write) -> None:
    data = written("banking77", "banking77")
    assert counts(data) == (10_003, 3_080, 0)
    assert data.counts["category_labels"] == 77


def test_banking77_without_its_test_rows(written: Write) -> None:
    data = written("banking77", "banking77", held_out="train")
    assert data.counts["history"] + data.counts["cases"] == 10_003
    assert 0.19 < data.counts["cases"] / 10_003 <= 0.2
    assert [*data.sources] == ["train.csv"]


def test_clinc150(written: Write) -> None:
    data = written("clinc150", "clinc150")
    assert counts(data) == (15_000, 4_500 + 1_000, 0)
    assert (data.counts["category_labels"], data.counts["team_labels"]) == (150, 10)
    assert {key: value for key, value in data.counts.items() if "left_out" in key} == {
        "left_out.oos_train": 100,
        "left_out.oos_val": 100,
        "left_out.val": 3_000,
    }


def test_tickets(written: Write) -> None:
    data = written("ticket_csv", "tobi_tickets")
    assert data.counts["history"] + data.counts["cases"] == 4_048
    assert 0.18 < data.counts["cases"] / 4_048 < 0.22
    assert [data.counts[f"{field}_labels"] for field in ("category", "team", "priority")] == [4, 10, 3]


def test_wixqa(written: Write) -> None:
    assert counts(written("wixqa", "wixqa")) == (0, 160, 173)


def test_wixqa_among_distractors(written: Write) -> None:
    distractors = Path(os.environ.get("DATA", "")) / "kb_exchange" / "articles.jsonl.gz"
    assert counts(written("wixqa", "wixqa", distractors=distractors, max_distractors=20)) == (0, 160, 193)


def test_stackfaq(written: Write) -> None:
    assert counts(written("stackfaq", "stackfaq")) == (0, 1_249, 125)
