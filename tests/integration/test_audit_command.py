"""`firstline audit` on a desk that was built, with labels that were made wrong on purpose."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import NOW, build_desk
from eval_builders import small_desk
from typer.testing import CliRunner

import firstline
from eval.errors import RunError
from eval.report.audit_page import audit_page, write_audit_page
from models.hashing_encoder import HashingEncoder
from triage.assembly import build_engine, generations_of
from triage.audit import audit_desk, audit_queue, is_out_of_scope, read_queue, topics_of
from triage.audit_findings import (
    Audit,
    Contradiction,
    FieldAudit,
    OverlappingLabels,
    Place,
    ProposedLabel,
    Queue,
    SuspectLabel,
    TooFew,
)
from triage.audit_labels import WrongLabels
from triage.audit_text import topic_name
from triage.desk_files import Desk, read_desk, read_json_lines
from triage.engine import TriageEngine
from triage.errors import DeskFileError, GenerationError
from triage.generation_files import FIELDS
from triage.generations import Generation
from triage.held_out import HeldOut, write_held_out
from triage.suggestions import Handoff, HandoffReason
from triage.tickets import Ticket

FIRSTLINE = str(Path(sys.executable).with_name("firstline"))
ATTACK = '<script>alert("x")</script>'
ODD = "[bold]not bold[/bold]"
TWICE = "Where do I change the VAT rate of a pasty?"
ROWS = 90


def spoilt_desk(project: Path, folder: Path) -> Path:
    """A small desk with some of the demo's history, a blank line first and contradictions at the end."""
    small_desk(project, folder)
    labels = labels_of_category(folder)
    more = [
        {"id": "same-1", "body": TWICE, "labels": {"category": labels[0]}},
        {"id": "same-2", "body": f"  {TWICE.upper()} ", "labels": {"category": labels[1]}},
        {"body": ODD, "labels": {"category": labels[0]}},
        {"body": ODD.upper(), "labels": {"category": labels[1]}},
    ]
    lines = (project / "desks" / "demo" / "history.jsonl").read_text(encoding="utf-8").splitlines()[:ROWS]
    text = "\n".join(["", *lines, *(json.dumps(row) for row in more), ""])
    (folder / "history.jsonl").write_text(text, encoding="utf-8")
    return folder


def labels_of_category(folder: Path) -> list[str]:
    return [*read_desk(folder).rules.taxonomy.fields["category"]]


def current(desk: Desk, var: Path) -> Generation:
    return generations_of(desk.rules.settings, var).open_current(lambda _: None)


@pytest.fixture(scope="module")
def desk(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = spoilt_desk(project, tmp_path_factory.mktemp("audit") / "desk")
    build_desk(folder, folder.parent / "var")
    return read_desk(folder)


@pytest.fixture(scope="module")
def var(desk: Desk) -> Path:
    return desk.folder.parent / "var"


@pytest.fixture(scope="module")
def engine(desk: Desk, var: Path) -> TriageEngine:
    return build_engine(desk.folder, var)


@pytest.fixture(scope="module")
def audit(desk: Desk, var: Path) -> Audit:
    return audit_desk(desk, current(desk, var))


def run(*words: object) -> Any:
    return CliRunner().invoke(firstline.app, ["audit", *map(str, words)], catch_exceptions=False)


def test_all_fields_are_audited_and_lines_are_those_of_the_file(desk: Desk, audit: Audit) -> None:
    assert [field.field for field in audit.fields] == [*desk.rules.taxonomy.fields]
    rows = dict(read_json_lines(desk.folder / "history.jsonl"))
    for field in audit.fields:
        assert field.n >= ROWS
        assert 0 <= field.wrong.low <= field.wrong.expected <= field.wrong.high <= field.n
        assert field.suspects
        for suspect in field.suspects:
            row = rows[suspect.place.line]
            assert row.get("id") == suspect.place.ticket
            assert row["labels"][field.field] == suspect.given != suspect.suggested
        margins = [suspect.suggested_chance / suspect.given_chance for suspect in field.suspects]
        assert margins == sorted(margins, reverse=True)


def test_contradictions_are_listed_with_their_lines(desk: Desk, audit: Audit) -> None:
    found = {place.line: each for each in audit.fields[0].contradictions for place in each.places}
    last = len((desk.folder / "history.jsonl").read_text(encoding="utf-8").splitlines())
    assert {last - 3, last - 2, last - 1, last} <= {*found}
    assert found[last - 3] is found[last - 2]
    assert [place.ticket for place in found[last - 3].places] == ["same-1", "same-2"]
    assert list(found[last - 3].labels) == labels_of_category(desk.folder)[:2]


def test_a_label_made_wrong_is_suspected_and_its_right_one_suggested(desk: Desk, var: Path, tmp_path: Path) -> None:
    generation = current(desk, var)
    names = tuple(desk.rules.taxonomy.fields["category"])
    truth = np.array([names.index(past.labels["category"]) for past in desk.history], dtype=np.int64)
    large, second = np.argsort(-np.bincount(truth), kind="stable")[:2]
    targets, wrong = truth.copy(), np.flatnonzero(truth == large)[:3]
    targets[wrong] = second
    logits = np.random.default_rng(0).normal(0, 1, (len(truth), len(names))).astype(np.float32)
    logits[np.arange(len(truth)), truth] += 6
    history = tuple(
        replace(past, labels={"category": names[at]}) for past, at in zip(desk.history, targets, strict=True)
    )
    (tmp_path / FIELDS).mkdir()
    write_held_out(tmp_path / FIELDS, {"category": HeldOut(names, np.arange(len(truth)), targets, logits, 1.0)})
    spoilt = audit_desk(replace(desk, history=history), Generation(tmp_path, generation.manifest), "category")
    suspects = spoilt.fields[0].suspects[:3]
    assert {suspect.place.ticket for suspect in suspects} == {desk.history[row].ticket.id for row in wrong}
    for suspect in suspects:
        assert (suspect.given, suspect.suggested) == (names[second], names[large])


def test_the_command_prints_tables_json_and_a_page(desk: Desk, var: Path, tmp_path: Path, audit: Audit) -> None:
    page = tmp_path / "audit.html"
    shown = run(desk.folder, "--var", var, "--field", "category", "--top", 3, "--html", page)
    assert shown.exit_code == 0
    for words in ("Labels of demo", "category: about", "Labels to check", "the first 3 of", "Contradictions"):
        assert words in shown.stdout
    assert "priority" not in shown.stdout
    assert ODD in " ".join(shown.stdout.split())
    read = Page(page.read_text(encoding="utf-8"))
    assert read.sections == ["field-0"]
    told = run(desk.folder, "--var", var, "--json")
    assert json.loads(told.stdout) == json.loads(json.dumps(audit.as_json()))


class Page(HTMLParser):
    """Reads a page as a browser would, and refuses what it must not hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: list[str | None] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert tag not in ("script", "link", "img", "iframe", "object")
        assert not {"src", "onclick", "onload"} & {*found}
        assert not (found.get("href") or "#").removeprefix("#").startswith(("http", "/", "javascript"))
        if tag == "section":
            self.sections.append(found.get("id"))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_shows_hostile_text_as_text(audit: Audit) -> None:
    place = Place(ATTACK, 1, ATTACK)
    overlap = OverlappingLabels((ATTACK, ATTACK), 0.1, 0.05, 0.2, (1, 2), (10, 10), (place,))
    spoilt = FieldAudit(
        field=ATTACK,
        n=20,
        accuracy=0.5,
        max_error=0.05,
        wrong=WrongLabels(1, 0, 3, 20),
        suspects=(SuspectLabel(place, ATTACK, ATTACK, 0.001, 0.9),),
        overlaps=(overlap,),
        weak=(TooFew(ATTACK, 0, 0, 45, "no_history"),),
        contradictions=(Contradiction((place, place), (ATTACK, ATTACK)),),
    )
    queue = Queue(5, 4, (ProposedLabel((ATTACK,), 4, 0.9, 0.1, (place,)),))
    page = audit_page(Audit(ATTACK, ATTACK, 20, (*audit.fields, spoilt), queue), 1_000)
    assert Page(page).words.count(ATTACK) > 15
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page
    assert page == audit_page(Audit(ATTACK, ATTACK, 20, (*audit.fields, spoilt), queue), 1_000)


def test_a_page_that_cannot_be_written_is_said_so(audit: Audit, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the page cannot be written"):
        write_audit_page(audit, tmp_path / "no" / "audit.html", 5)


NEW = ("hovercraft", "eels")


def queue_of(tmp_path: Path) -> Path:
    path = tmp_path / "queue.jsonl"
    words = ("today", "since noon", "once more", "all week")
    rows = [{"id": f"q-{n}", "body": f"my hovercraft is full of eels {word}"} for n, word in enumerate(words)]
    rows += [{"body": "How do I reverse a till sale?"}]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    return path


def test_out_of_scope_tickets_are_proposed_as_labels(desk: Desk, audit: Audit, tmp_path: Path) -> None:
    tickets = read_queue(queue_of(tmp_path))
    assert [*tickets] == [1, 2, 3, 4, 5]
    queue = topics_of(desk, HashingEncoder(), tickets, [1, 2, 3, 4])
    (topic,) = queue.proposed
    assert (queue.tickets, queue.out_of_scope, topic.tickets) == (5, 4, 4)
    assert all(word in topic_name(topic.words) for word in NEW)
    assert {place.ticket for place in topic.examples} == {"q-0", "q-1", "q-2", "q-3"}
    page = Page(audit_page(replace(audit, queue=queue), 5))
    assert page.sections[-1] == "proposed"
    assert "hovercraft" in page.words
    assert topics_of(desk, HashingEncoder(), tickets, []) == Queue(5, 0, ())


def test_the_mark_is_a_reason_among_others(engine: TriageEngine) -> None:
    suggestion = engine.suggest(Ticket(body="my hovercraft is full of eels"), "x", NOW)

    def marked(codes: Sequence[str]) -> bool:
        reasons = tuple(HandoffReason(code=code, severity="low", evidence="", would_change="") for code in codes)
        handoff = Handoff(reasons=reasons, team=None, summary="") if codes else None
        return is_out_of_scope(suggestion.model_copy(update={"handoff": handoff}))

    assert marked(["low_confidence", "out_of_scope"])
    assert not marked(["low_confidence"])
    assert not marked([])


def test_the_command_reads_a_queue(desk: Desk, var: Path, engine: TriageEngine, tmp_path: Path) -> None:
    queue = audit_queue(desk, engine, read_queue(queue_of(tmp_path)), NOW)
    assert queue.tickets == 5
    shown = run(desk.folder, "--var", var, "--field", "team", "--tickets", queue_of(tmp_path))
    assert f"{queue.out_of_scope} of 5 tickets are marked out of scope" in " ".join(shown.stdout.split())
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    assert "0 of 0 tickets are marked" in run(desk.folder, "--var", var, "--tickets", tmp_path / "empty.jsonl").stdout


def test_what_cannot_be_audited_is_said_with_its_remedy(desk: Desk, var: Path, tmp_path: Path) -> None:
    generation, build = current(desk, var), f"run `firstline build {desk.folder}`"
    with pytest.raises(DeskFileError, match=r"history\.jsonl: there is no labelled ticket to audit; add some, then"):
        audit_desk(replace(desk, history=()), generation)
    with pytest.raises(GenerationError, match="keeps no chances of held-out tickets") as found:
        audit_desk(desk, Generation(tmp_path, generation.manifest))
    assert str(found.value).endswith(build)
    with pytest.raises(DeskFileError, match="there is no field 'mood' to audit; use one of category, priority"):
        audit_desk(desk, generation, "mood")
    sources = {**generation.manifest["sources"], "history.jsonl": "another"}
    with pytest.raises(DeskFileError, match=r"history\.jsonl: the file changed since the build"):
        audit_desk(desk, Generation(generation.folder, {**generation.manifest, "sources": sources}))
    (tmp_path / "queue.jsonl").write_text('{"body": "a"}\n{"colour": "red"}\n', encoding="utf-8")
    with pytest.raises(DeskFileError, match=r"queue\.jsonl:2: "):
        read_queue(tmp_path / "queue.jsonl")


def test_a_desk_that_was_not_built_is_one_sentence_and_exit_code_2(desk: Desk, tmp_path: Path) -> None:
    done = subprocess.run(
        [FIRSTLINE, "audit", desk.folder, "--var", tmp_path / "none"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("firstline: ")
    assert "run `firstline build`" in done.stderr


def test_a_field_with_too_little_history_is_told_as_such(desk: Desk, var: Path, tmp_path: Path) -> None:
    (tmp_path / FIELDS).mkdir()
    write_held_out(tmp_path / FIELDS, {})
    found = audit_desk(desk, Generation(tmp_path, current(desk, var).manifest))
    for field in found.fields:
        assert (field.n, field.accuracy, field.suspects, field.overlaps) == (0, None, (), ())
        assert {weak.weakness for weak in field.weak} == {"no_history"}
    assert "too few past tickets" in Page(audit_page(found, 5)).words.lower()
