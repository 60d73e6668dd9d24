"""A change of rules, tried without a build: the engine decides as the one that a build of the changed desk gives."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import build_desk, copy_demo

from eval.cases import load_cases
from eval.run_suite import known_articles
from triage.assembly import build_engine, engine_of, generations_of
from triage.desk_files import read_rules
from triage.engine import TriageEngine
from triage.errors import DeskFileError, GenerationError
from triage.generations import Generation
from triage.what_if import with_rules

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def once(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a desk and its generation, which no test may change."""
    folder = tmp_path_factory.mktemp("what-if")
    build_desk(copy_demo(project, folder / "desk"), folder / "var")
    return folder


@pytest.fixture
def built(once: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A desk folder and where its generation lies, both of the test's own."""
    shutil.copytree(once, tmp_path / "own")
    return tmp_path / "own" / "desk", tmp_path / "own" / "var"


def current(desk: Path, var: Path) -> tuple[TriageEngine, Generation]:
    generation = generations_of(read_rules(desk).settings, var).open_current(pytest.fail)
    return engine_of(generation, desk, var), generation


def edited(desk: Path, name: str, old: str, new: str, to: Path) -> Path:
    text = (desk / name).read_text(encoding="utf-8")
    assert old in text
    to.write_text(text.replace(old, new), encoding="utf-8")
    return to


def said(engine: TriageEngine, desk: Path) -> list[str]:
    """What an engine says of every case of the desk, without ids, times and versions."""
    cases = load_cases(desk / "cases.jsonl", engine.rules.taxonomy, known_articles(desk, engine))
    left_out = {"id", "timing_ms", "versions"}
    return [engine.suggest(case.ticket, "s", NOW).model_dump_json(exclude=left_out) for case in cases]


CHANGES = [
    ("policy.toml", "category = { max_error = 0.10 }", "category = { max_error = 0.25, labels = { vat = 0.05 } }", ""),
    ("policy.toml", '[rules.angry_customer]\nseverity = "high"', '[rules.angry_customer]\nseverity = "low"', ""),
    ("policy.toml", '[rules.low_confidence]\nseverity = "medium"', "[rules.low_confidence]\non = false", ""),
    ("routing.toml", "phishing", "invoice", ""),
    ("taxonomy.toml", 'hours = { mon-fri = "09:00-17:00" }\nnext = "trust"', 'next = "trust"', ""),
    ("taxonomy.toml", "Sales invoices, quotes, credit notes", "Bills and quotes", "labels"),
    ("taxonomy.toml", "urgency = [-1, 0, 1, 3]", "urgency = [-1, 0, 1, 2]", "the priority matrix"),
    ("policy.toml", "[rules.vip", "[rules.out_of_scope]\nflag_at_most = 0.3\n[rules.vip", "out of scope"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "lessons"), CHANGES)
def test_a_change_decides_as_its_build_does(
    built: tuple[Path, Path], tmp_path: Path, name: str, old: str, new: str, lessons: str
) -> None:
    desk, var = built
    engine, generation = current(desk, var)
    changed = with_rules(engine, generation, desk, {name: edited(desk, name, old, new, tmp_path / "changed.toml")})
    assert changed.learnt_again == lessons
    (desk / name).write_bytes((tmp_path / "changed.toml").read_bytes())
    build_desk(desk, var)
    again = build_engine(desk, var)
    for field, head in again.classifier.heads.items():
        tried = changed.engine.classifier.heads[field]
        assert replace(tried, head=head.head, ngrams=head.ngrams) == head, field
    assert said(changed.engine, desk) == said(again, desk)
    assert changed.engine.versions.policy == again.versions.policy
    assert changed.engine.versions.taxonomy == again.versions.taxonomy


def test_languages_open_and_close_as_in_a_build(desk_copy: Callable[[], Path], tmp_path: Path) -> None:
    desk = desk_copy()
    settings = desk / "desk.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('["en"]', '["en", "de"]'), encoding="utf-8")
    build_desk(desk, tmp_path / "var")
    engine, generation = current(desk, tmp_path / "var")
    policy = edited(desk, "policy.toml", "max_error = 0.35", "max_error = 0.6", tmp_path / "changed.toml")
    changed = with_rules(engine, generation, desk, {"policy.toml": policy})
    (desk / "policy.toml").write_bytes(policy.read_bytes())
    build_desk(desk, tmp_path / "var")
    again = build_engine(desk, tmp_path / "var")
    found = {field: (head.threshold, head.languages) for field, head in changed.engine.classifier.heads.items()}
    assert found == {field: (head.threshold, head.languages) for field, head in again.classifier.heads.items()}
    with (desk / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(GenerationError, match=r"history\.jsonl changed since"):
        with_rules(again, current(desk, tmp_path / "var")[1], desk, {"policy.toml": policy_of(desk, tmp_path)})


def policy_of(desk: Path, folder: Path) -> Path:
    return edited(desk, "policy.toml", "max_error = 0.15", "max_error = 0.2", folder / "other.toml")


def test_what_a_desk_does_not_have_is_named(built: tuple[Path, Path], tmp_path: Path) -> None:
    desk, var = built
    engine, generation = current(desk, var)
    policy = edited(desk, "policy.toml", 'team = "trust"', 'team = "nobody"', tmp_path / "changed.toml")
    with pytest.raises(DeskFileError, match="nobody"):
        with_rules(engine, generation, desk, {"policy.toml": policy})
