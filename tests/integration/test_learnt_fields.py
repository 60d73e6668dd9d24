"""Fields are not learnt again where nothing that they were learnt from changed, and are where anything did.

The same goes for articles: a file that is as it was is not parsed again.
"""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eval_builders import small_desk

from models.hashing_encoder import HashingEncoder
from retrieval.documents import Document
from triage.build import BuildReport, build_generation
from triage.desk_files import read_desk
from triage.folds import FoldPlan
from triage.generation_files import articles_read_before
from triage.generations import Generation, Generations

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class Built:
    """A small desk with some history, and what its builds do."""

    def __init__(self, project: Path, tmp_path: Path) -> None:
        self.desk = small_desk(project, tmp_path / "desk")
        rows = (project / "desks/demo/history.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (self.desk / "history.jsonl").write_text("".join(rows[:60]), encoding="utf-8")
        self.generations = Generations(tmp_path / "generations")
        self.steps: set[str] = set()

    def build(self, seed: int = 20) -> BuildReport:
        self.steps = set()
        return build_generation(
            read_desk(self.desk, self.known()),
            HashingEncoder(),
            self.generations,
            NOW,
            lambda step, done, total: self.steps.add(step),
            FoldPlan(seed),
        )

    @property
    def learnt(self) -> bool:
        return "fit fields" in self.steps

    def known(self) -> dict[str, Document]:
        return articles_read_before(self.generations.sound_current())

    def current(self) -> Generation:
        return self.generations.open_current(pytest.fail)


@pytest.fixture
def built(project: Path, tmp_path: Path) -> Built:
    return Built(project, tmp_path)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_an_edited_article_takes_the_fields_over_and_is_found(built: Built) -> None:
    first = built.build()
    assert built.learnt
    before = built.current()
    edit(next(built.desk.glob("articles/kb-101*")), "60 minutes", "quetzalcoatl minutes")
    second = built.build()
    after = built.current()
    assert not built.learnt
    assert (second.fields, second.novelty) == (first.fields, first.novelty)
    assert after.name != before.name
    for path in (before.folder / "fields").rglob("*"):
        if path.is_file():
            assert (after.folder / "fields" / path.relative_to(before.folder / "fields")).read_bytes() == (
                path.read_bytes()
            )
    assert "quetzalcoatl" in (after.folder / "articles.documents.jsonl").read_text(encoding="utf-8")
    told = [json.loads((one.folder / "report.json").read_bytes())["fields"] for one in (before, after)]
    assert told[0] == told[1]


CHANGES: dict[str, Callable[[Built], object]] = {
    "history": lambda built: edit(built.desk / "history.jsonl", '"subject": "', '"subject": "Hello '),
    "policy": lambda built: edit(built.desk / "policy.toml", "max_error = 0.10", "max_error = 0.2"),
    "a damaged generation": lambda built: (built.current().folder / "fields" / "heads.npz").write_bytes(b"x"),
    "a report that cannot be read": lambda built: rewritten(built, "report.json", b'{"fields": 3, "novelty": null}'),
    "no generation": lambda built: shutil.rmtree(built.generations.root),
}


def rewritten(built: Built, name: str, data: bytes) -> None:
    """Change a file of the current generation and its manifest with it."""
    generation = built.current()

    def write(folder: Path) -> dict[str, object]:
        shutil.copytree(generation.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))
        (folder / "fields" / name).write_bytes(data)
        return {key: value for key, value in generation.manifest.items() if key not in ("files", "format")}

    built.generations.publish(write)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_fields_are_learnt_from_has_them_learnt_anew(built: Built, change: str) -> None:
    built.build()
    CHANGES[change](built)
    built.build()
    assert built.learnt


def test_another_seed_has_them_learnt_anew_and_the_same_one_has_not(built: Built) -> None:
    built.build()
    built.build(seed=21)
    assert built.learnt
    built.build(seed=21)
    assert not built.learnt


def test_an_article_that_is_as_it_was_is_not_parsed_again_and_an_edited_one_is(built: Built) -> None:
    assert built.known() == {}
    built.build()
    known = built.known()
    edited = next(built.desk.glob("articles/kb-101*"))
    edit(edited, "60 minutes", "quetzalcoatl minutes")
    fresh, again = read_desk(built.desk).articles, read_desk(built.desk, known).articles
    assert again == fresh
    taken = {document.id for document in again if any(document is one for one in known.values())}
    published = {document.id for document in fresh if document.status == "published"}
    assert len(taken) > 3
    assert taken == published - {"kb-101"}
    assert "quetzalcoatl" in next(document.text for document in again if document.id == "kb-101")


def test_articles_that_other_code_read_are_parsed_anew(built: Built) -> None:
    built.build()
    generation = built.current()
    before = Generation(generation.folder, generation.manifest | {"code": "of another version"})
    assert articles_read_before(before) == {}
