import json
import tomllib
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eval.cases import Case, load_cases
from eval.errors import DataError
from eval.loaders import article_set
from eval.loaders.columns import RESERVED
from eval.loaders.loaded import Loaded, LoadedArticle
from eval.loaders.rule_files import fields_of, in_words, policy_toml, taxonomy_toml
from eval.loaders.write_desk import article_text, usable_id, write_desk
from retrieval.article_files import ID, read_article
from triage.desk_files import Desk, read_desk
from triage.drafting.policy import Policy
from triage.taxonomy import Taxonomy

HOSTILE = ('say "hi"', "back\\slash", "two\nlines", "über/straße", "a.b", "🐝", "\x7f\x00", "[x] = 1 # y", "_")
#: What a label may be: any text but lone surrogates, which no UTF-8 file can hold.
LABELS = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    source = tmp_path / "source" / "rows.csv"
    source.parent.mkdir()
    source.write_text("some rows", encoding="utf-8")
    labels = {"category": list(HOSTILE), "product kind": ["app", "web"]}
    return Loaded(
        name="my_columns",
        languages=("de", "en"),
        fields=labels,
        articles=[LoadedArticle("docs/a b.md", 'Paying: "how"', "By card."), LoadedArticle("kb-1", "T", "- x")],
        history=[
            {"id": f"h{n}", "body": "Hm.", "labels": {"category": label}, "reply": "Ja.", "resolved": True}
            for n, label in enumerate(HOSTILE)
        ],
        cases=[
            {"id": "c1", "ticket": {"body": "Ä\u2028b"}, "expect": {"category": HOSTILE[0], "product kind": "web"}},
            {"id": "c2", "ticket": {"body": "x"}, "expect": {"articles": ["docs/a b.md", "kb-1"]}},
        ],
        sources=[source],
        left_out={"blank_texts": 2},
    )


def read(folder: Path) -> tuple[Desk, list[Case]]:
    desk = read_desk(folder)
    articles = {article.id for article in desk.articles}
    return desk, load_cases(folder / "cases.jsonl", desk.rules.taxonomy, articles)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fault(loaded: Loaded, folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        write_desk(loaded, folder)
    return str(caught.value)


def test_what_is_written_is_a_desk_with_cases(tmp_path: Path, loaded: Loaded) -> None:
    data = write_desk(loaded, tmp_path / "new" / "desk")
    desk, cases = read(data.folder)
    assert desk.rules.settings.id == data.desk_id == f"my-columns-{data.checksum[:8]}"
    assert desk.rules.settings.languages == ("de", "en")
    fields = {field: [*labels] for field, labels in desk.rules.taxonomy.fields.items()}
    assert fields == loaded.fields | {"priority": ["normal"], "team": ["everyone"]}
    assert [row.labels["category"] for row in desk.history] == list(HOSTILE)
    assert (desk.history[0].reply, desk.history[0].resolved) == ("Ja.", True)
    assert [(a.title, a.text, a.audience, a.status, a.locale) for a in sorted(desk.articles, key=lambda a: a.text)] == [
        ("T", "- x\n", "public", "published", "de"),
        ('Paying: "how"', "By card.\n", "public", "published", "de"),
    ]
    assert cases[0].expect == loaded.cases[0]["expect"]
    assert cases[0].ticket.body == "Ä\nb"
    assert cases[1].expect["articles"] == [usable_id("docs/a b.md"), "kb-1"]


def test_data_json_says_what_the_desk_was_made_from(tmp_path: Path, loaded: Loaded) -> None:
    data = write_desk(loaded, tmp_path / "desk")
    assert json.loads((tmp_path / "desk" / "data.json").read_text(encoding="utf-8")) == {
        "format": "my_columns",
        "sources": {"rows.csv": sha256(b"some rows").hexdigest()},
        "checksum": data.checksum,
        "counts": {
            "history": 9,
            "cases": 2,
            "articles": 2,
            "category_labels": 9,
            "product kind_labels": 2,
            "left_out.blank_texts": 2,
        },
    }


def test_sources_of_one_name_are_told_apart(tmp_path: Path, loaded: Loaded) -> None:
    other = tmp_path / "other" / "rows.csv"
    other.parent.mkdir()
    other.write_text("other rows", encoding="utf-8")
    data = write_desk(replace(loaded, sources=[*loaded.sources, other]), tmp_path / "desk")
    assert [*data.sources] == ["other/rows.csv", "source/rows.csv"]


def test_other_data_is_another_desk_and_the_same_data_the_same(tmp_path: Path, loaded: Loaded) -> None:
    first = write_desk(loaded, tmp_path / "a")
    again = write_desk(loaded, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    changed: list[dict[str, Any]] = [
        {"history": loaded.history[1:]},
        {"cases": loaded.cases[1:]},
        {"articles": loaded.articles[1:], "cases": []},
        {"fields": dict(loaded.fields) | {"category": [*HOSTILE, "x"]}},
    ]
    others = [write_desk(replace(loaded, **change), tmp_path / f"c{n}") for n, change in enumerate(changed)]
    assert first.desk_id == again.desk_id
    assert len({first.desk_id, *(other.desk_id for other in others)}) == 5


def test_a_desk_without_articles_history_and_cases_can_be_read(tmp_path: Path, loaded: Loaded) -> None:
    write_desk(replace(loaded, articles=(), history=(), cases=()), tmp_path / "desk")
    desk = read_desk(tmp_path / "desk")
    assert (desk.articles, desk.history) == ((), ())
    assert not (tmp_path / "desk" / "cases.jsonl").exists()


def test_a_desk_of_the_same_format_is_replaced_as_a_whole(tmp_path: Path, loaded: Loaded) -> None:
    folder = tmp_path / "desk"
    write_desk(loaded, folder)
    write_desk(replace(loaded, articles=loaded.articles[1:], cases=()), folder)
    assert [path.name for path in (folder / "articles").iterdir()] == ["kb-1.md"]
    assert not (folder / "cases.jsonl").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["desk", "source"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("notes.txt", "keep me", "the folder holds notes.txt, which would be lost; name a new or empty folder"),
        ("desk.toml", 'id = "demo"', "the folder holds files that were not made from data; name a new"),
        ("data.json", "{", "the folder holds files that were not made from data; name a new"),
        ("data.json", "[]", "the folder holds files that were not made from data; name a new"),
        ("data.json", '{"format": "wixqa"}', "the folder holds a desk made from wixqa, not from my_columns; name"),
    ],
)
def test_what_somebody_else_wrote_is_not_overwritten(
    tmp_path: Path, loaded: Loaded, name: str, text: str, said: str
) -> None:
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / name).write_text(text, encoding="utf-8")
    assert fault(loaded, folder).startswith(f"{folder}: {said}")
    assert contents(folder) == {name: text.encode()}


def test_a_file_is_no_folder(tmp_path: Path, loaded: Loaded) -> None:
    assert fault(loaded, loaded.sources[0]).startswith(f"{loaded.sources[0]}: the folder cannot be written (Not a dir")


def test_an_article_set_survives_being_written_and_read_again(tmp_path: Path, loaded: Loaded) -> None:
    data = write_desk(loaded, tmp_path / "desk")
    again = article_set.load(data.folder / "articles")
    assert {(a.id, a.title) for a in again.articles} == {(usable_id(a.id), a.title) for a in loaded.articles}


@settings(deadline=None)
@given(st.lists(LABELS, min_size=1, unique=True), LABELS.filter(lambda name: name not in RESERVED))
@example(list(HOSTILE), "a.b")
@example(["\ud7ff", "\ue000", "\U0010ffff", "''", '"""'], '"')
def test_any_label_can_stand_in_the_rule_files(labels: list[str], field: str) -> None:
    fields = fields_of({"priority": labels, field: labels})
    taxonomy = Taxonomy.model_validate(tomllib.loads(taxonomy_toml(fields)))
    assert {name: list(found) for name, found in taxonomy.fields.items()} == {
        name: list(found) for name, found in fields.items()
    }
    policy = Policy.model_validate(tomllib.loads(policy_toml(fields)))
    assert {*policy.fields} == {*fields}
    assert policy.rules.urgent_priority.label in labels


@settings(deadline=None)
@given(st.text(), st.text(st.characters(codec="utf-8")))
@example("no", "---\n---")
@example("\x85\ufeff\x7f", "a")
@example("a: b", "a")
def test_any_title_can_stand_in_an_article(tmp_path_factory: pytest.TempPathFactory, title: str, more: str) -> None:
    path = tmp_path_factory.getbasetemp() / "article.md"
    article = LoadedArticle("a/b", f"T {title}", f"Words.\n\n{more}")
    path.write_text(article_text(article, "en"), encoding="utf-8")
    document = read_article(path)
    assert document.title.split()[0] == "T"
    assert document.text.startswith("Words.")


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
@example("a/b", "a-b")
@example("x" * 65, "x" * 64)
def test_ids_stay_apart_and_become_usable(one: str, other: str) -> None:
    assert ID.fullmatch(usable_id(one))
    assert (usable_id(one) == usable_id(other)) == (one == other)


@pytest.mark.parametrize(
    ("labels", "on", "label"),
    [
        (["high", "low", "Urgent"], True, "Urgent"),
        (["urgent", "critical"], True, "critical"),
        (["high", "low"], False, "high"),
    ],
)
def test_a_pressing_priority_is_handed_off_where_the_data_names_one(labels: list[str], on: bool, label: str) -> None:
    rule = Policy.model_validate(tomllib.loads(policy_toml(fields_of({"priority": labels})))).rules.urgent_priority
    assert (rule.on, rule.label) == (on, label)


def test_a_draft_waits_for_the_category_only_where_there_are_several() -> None:
    needs = [
        Policy.model_validate(tomllib.loads(policy_toml(fields_of(fields)))).draft.needs
        for fields in ({}, {"category": ["a", "b"]})
    ]
    assert needs == [(), ("category",)]


@pytest.mark.parametrize(("label", "words"), [("card_arrival", "card arrival"), ("_", "_"), ("a/b  c", "a/b c")])
def test_a_label_in_words(label: str, words: str) -> None:
    assert in_words(label) == words


def test_a_field_that_is_called_like_all_the_others_is_refused_with_a_sentence() -> None:
    fields = fields_of({"more": ["a"]})
    with pytest.raises(ValueError, match="a field cannot be called 'more'"):
        Taxonomy.model_validate(tomllib.loads(taxonomy_toml(fields)))
