import json
from pathlib import Path
from typing import Any

import pytest

from eval.cases import load_cases
from eval.errors import CaseError
from triage.taxonomy import Taxonomy

ARTICLES = {"kb-101", "kb-102"}
SOUND: dict[str, Any] = {"id": "c-1", "ticket": {"body": "The till is stuck."}, "expect": {"category": "till"}}


@pytest.fixture
def taxonomy() -> Taxonomy:
    labels = {
        "category": ("till", "vat"),
        "priority": ("high", "low"),
        "team": ("books", "trust"),
        "product": ("app", "web"),
    }
    return Taxonomy.model_validate(
        {field: {"labels": {label: {"description": label} for label in named}} for field, named in labels.items()}
    )


def write(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "cases.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def fault(path: Path, taxonomy: Taxonomy) -> str:
    with pytest.raises(CaseError) as caught:
        load_cases(path, taxonomy, ARTICLES)
    return str(caught.value)


def test_sound_cases_are_read_in_order(tmp_path: Path, taxonomy: Taxonomy) -> None:
    expect = {
        "category": "vat",
        "product": "app",
        "articles": ["kb-101"],
        "answerable": True,
        "handoff": False,
        "handoff_reasons": ["human_requested", "angry_customer"],
        "kind": "request",
        "reply": "Hello.",
    }
    full = SOUND | {"id": "c-2", "expect": expect, "slice": {"channel": "chat"}}
    first, second = load_cases(write(tmp_path, SOUND, "", full), taxonomy, ARTICLES)
    assert (first.id, first.ticket.body, first.expect, first.slice) == (
        "c-1",
        "The till is stuck.",
        {"category": "till"},
        {},
    )
    assert (second.id, second.expect, second.slice) == ("c-2", expect, {"channel": "chat"})


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"category": "tills"}, "expects unknown category 'tills'; use one of till, vat, or add it to taxonomy.toml"),
        ({"product": "till"}, "expects unknown product 'till'; use one of app, web, or add it to taxonomy.toml"),
        ({"category": None}, 'category is not a text; write the label in quotes, such as "billing"'),
        ({"category": 1}, "category is not a text"),
        ({"queue": "x"}, "expects an unknown field 'queue'; use ['answerable', 'articles', "),
        (
            {"articles": ["kb-101", "kb-999"]},
            "expects an unknown article 'kb-999'; name the id of one of the desk's articles",
        ),
        ({"handoff_reasons": ["bored"]}, "expects an unknown reason 'bored'; use sensitive_topic, human_requested, "),
        ({"kind": "spam"}, "expects an unknown kind 'spam'; use request, thanks, "),
    ],
)
def test_an_expectation_that_the_desk_does_not_know_is_refused(
    tmp_path: Path, taxonomy: Taxonomy, expect: dict[str, Any], said: str
) -> None:
    path = write(tmp_path, SOUND, "", SOUND | {"id": "c-2", "expect": expect})
    assert fault(path, taxonomy).startswith(f"{path}:3: {said}")


@pytest.mark.parametrize(
    "expect",
    [
        {"articles": None},
        {"articles": "kb-101"},
        {"articles": [["kb-101"]]},
        {"handoff_reasons": None},
        {"handoff_reasons": 5},
        {"handoff": "no"},
        {"answerable": "true"},
        {"kind": None},
        {"reply": 5},
    ],
)
def test_an_expectation_of_the_wrong_type_is_refused(
    tmp_path: Path, taxonomy: Taxonomy, expect: dict[str, Any]
) -> None:
    path = write(tmp_path, SOUND | {"expect": expect})
    said = fault(path, taxonomy)
    assert said.startswith(f"{path}:1: ")
    assert next(iter(expect)).split("_")[-1].rstrip("s") in said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (SOUND, "the id 'c-1' stands twice; give one of them another id"),
        ({"id": "c-2", "ticket": {"body": "x"}}, "expect: is missing; correct the case"),
        ({"id": "", "ticket": {"body": "x"}, "expect": {}}, "id: String should have at least 1 character; correct"),
        (SOUND | {"id": "c-2", "expects": {}}, "expects: unknown key; correct the case"),
        (SOUND | {"id": "c-2", "ticket": {"id": "T"}}, "ticket: a ticket needs a subject or a body"),
        (SOUND | {"id": "c-2", "ticket": {"body": "x", "prio": 1}}, "ticket.prio: unknown key"),
        (SOUND | {"id": "c-2", "slice": {"n": 1}}, "slice.n: Input should be a valid string"),
        ("{", "not JSON"),
        ("[]", "not a JSON object; write one object per line"),
        ('{"id": "c-2", "id": "c-3"}', "not JSON (a key stands twice in one object)"),
    ],
)
def test_a_row_that_is_no_case_is_refused_at_its_line(
    tmp_path: Path, taxonomy: Taxonomy, row: object, said: str
) -> None:
    path = write(tmp_path, SOUND, row)
    assert fault(path, taxonomy).startswith(f"{path}:2: {said}")


@pytest.mark.parametrize("rows", [(), ("", " ")])
def test_zero_cases_are_refused(tmp_path: Path, taxonomy: Taxonomy, rows: tuple[str, ...]) -> None:
    path = write(tmp_path, *rows)
    assert fault(path, taxonomy) == f"{path}: there is no case in the file; write one JSON object per line"


def test_a_missing_file_is_named(tmp_path: Path, taxonomy: Taxonomy) -> None:
    path = tmp_path / "cases.jsonl"
    assert fault(path, taxonomy) == f"{path}: the file cannot be read (No such file or directory); check its name"


def test_a_group_is_read(tmp_path: Path, taxonomy: Taxonomy) -> None:
    grouped = SOUND | {"id": "c-2", "group": "thread ü-7"}
    first, second = load_cases(write(tmp_path, SOUND, grouped), taxonomy, ARTICLES)
    assert (first.group, second.group) == (None, "thread ü-7")


@pytest.mark.parametrize("group", [7, ["a"], "", "x" * 129])
def test_a_group_that_is_no_name_is_refused(tmp_path: Path, taxonomy: Taxonomy, group: object) -> None:
    path = write(tmp_path, SOUND, SOUND | {"id": "c-2", "group": group})
    assert fault(path, taxonomy).startswith(f"{path}:2: group: ")


def test_half_a_character_is_refused(tmp_path: Path, taxonomy: Taxonomy) -> None:
    path = write(tmp_path, SOUND, SOUND | {"id": "c-2", "expect": {"reply": "\ud800"}})
    assert fault(path, taxonomy).startswith(f"{path}:2: half a character stands alone")
