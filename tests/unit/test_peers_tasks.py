"""The folder that a peer gets: nothing is lost in it, and what is broken in it is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eval.errors import DataError
from eval.peers.tasks import ClassifyTask, Example, SearchTask, TaskDocument, read_task, write_task

STRANGE = "Zeile\nzwei\u2028\r€ \ud800 \x00"
CLASSIFY = ClassifyTask((Example("The till is stuck.", "till"), Example(STRANGE, "vat")), ("Which rate?", STRANGE))
SEARCH = SearchTask((TaskDocument("kb-1", "Tills", STRANGE), TaskDocument("kb-2", "", "Rates of tax")), ("a till",))


@pytest.mark.parametrize("task", [CLASSIFY, SEARCH])
def test_a_task_is_read_as_it_was_written(tmp_path: Path, task: ClassifyTask | SearchTask) -> None:
    write_task(task, tmp_path / "new" / "task")
    assert read_task(tmp_path / "new" / "task") == task


def test_a_classify_task_shows_no_label_of_a_query(tmp_path: Path) -> None:
    write_task(CLASSIFY, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [set(row) for row in rows] == [{"text"}] * 2
    assert {path.name for path in tmp_path.iterdir()} == {"task.json", "train.jsonl", "test.jsonl"}


def test_a_document_is_searched_by_title_and_text() -> None:
    assert TaskDocument("kb-1", "Tills", "are boxes").whole == "Tills\nare boxes"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("task.json", "{", "task.json: not JSON"),
        ("task.json", "[]", "task.json: not a JSON object"),
        ("task.json", '{"kind": "guess"}', "kind is 'guess'"),
        ("train.jsonl", '{"text": "a", "label": "b"}\n{"text": "a"}\n', "train.jsonl:2: the row has other keys"),
        ("train.jsonl", '{"text": "a", "label": 7}\n', "train.jsonl:1: the row has other keys or types"),
        ("train.jsonl", '{"text": "a", "label": "b", "more": 1}\n', "train.jsonl:1: the row has other keys"),
        ("train.jsonl", "\n", "train.jsonl: there is no row"),
        ("test.jsonl", "nonsense\n", "test.jsonl:1: not JSON"),
    ],
)
def test_a_broken_task_is_one_sentence(tmp_path: Path, name: str, content: str, words: str) -> None:
    write_task(CLASSIFY, tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_task(tmp_path)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["task.json", "train.jsonl", "test.jsonl"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_task(CLASSIFY, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"{name}: the file cannot be read"):
        read_task(tmp_path)


def test_what_another_environment_imports_needs_the_standard_library_only(project: Path) -> None:
    """SetFit's environment has none of our packages; -S hides them here too."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", "import eval.peers.setfit_peer"], cwd=project, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
