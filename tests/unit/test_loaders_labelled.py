import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eval.errors import DataError
from eval.loaders import banking77, clinc150, columns, load, ticket_csv
from eval.loaders.columns import Columns
from eval.loaders.held_out import divide, hold_out
from eval.loaders.labelled_rows import LabelledRow
from eval.loaders.loaded import Loaded

DOMAINS = {"garden": ["water_plants", "cut_hedge"], "kitchen": ["boil_egg"]}
HEADER = "subject,body,answer,type,queue,priority,language,tags\n"


def rows_of(*labelled: tuple[str, str]) -> list[LabelledRow]:
    return [
        LabelledRow({"id": str(number), "body": text}, {"category": label})
        for number, (text, label) in enumerate(labelled)
    ]


def many(words: str, count: int) -> list[tuple[str, str]]:
    return [(f"{words} {number}", words) for number in range(count)]


@pytest.fixture
def banking(tmp_path: Path) -> Path:
    train = "".join(f"{text},{label}\n" for text, label in (*many("lost_card", 10), *many("top_up", 5)))
    (tmp_path / "train.csv").write_text(f"text,category\n{train}", encoding="utf-8")
    (tmp_path / "test.csv").write_text('text,category\n"My card, is it lost?",lost_card\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def clinc(tmp_path: Path) -> Path:
    data = {
        "train": [
            [f"{intent} {number}", intent] for intents in DOMAINS.values() for intent in intents for number in range(5)
        ],
        "val": [["an egg please", "boil_egg"]],
        "test": [["six minutes for an egg", "boil_egg"]],
        "oos_train": [["who won", "oos"]],
        "oos_val": [["who lost", "oos"]],
        "oos_test": [["what is love", "oos"]],
    }
    (tmp_path / "data_full.json.gz").write_bytes(gzip.compress(json.dumps(data).encode()))
    (tmp_path / "domains.json").write_text(json.dumps(DOMAINS), encoding="utf-8")
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


def fault(source: Path, named: Columns, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        columns.load(source, named, **options)
    return str(caught.value)


def test_banking77_is_history_and_cases(banking: Path) -> None:
    loaded = banking77.load(banking)
    assert (loaded.name, len(loaded.history), loaded.fields) == ("banking77", 15, {"category": ["lost_card", "top_up"]})
    assert loaded.history[0] == {"id": "train-2", "body": "lost_card 0", "labels": {"category": "lost_card"}}
    assert loaded.cases == [
        {
            "id": "test-2",
            "ticket": {"id": "test-2", "body": "My card, is it lost?"},
            "expect": {"category": "lost_card"},
        }
    ]
    assert [path.name for path in loaded.sources] == ["train.csv", "test.csv"]


def test_rows_held_out_of_training_leave_the_test_file_closed(banking: Path) -> None:
    (banking / "test.csv").unlink()
    loaded = banking77.load(banking, held_out="train")
    assert Counter(case["expect"]["category"] for case in loaded.cases) == {"lost_card": 2, "top_up": 1}
    assert len(loaded.history) == 12
    assert not set(ids(loaded.cases)) & set(ids(loaded.history))
    assert [path.name for path in loaded.sources] == ["train.csv"]


def test_rows_without_text_or_label_are_left_out_and_counted(banking: Path) -> None:
    with (banking / "train.csv").open("a", encoding="utf-8") as file:
        file.write(" ,top_up\nwhat is this,\n")
    loaded = banking77.load(banking)
    assert len(loaded.history) == 15
    assert loaded.left_out == {"blank_texts": 1, "rows_without_label": 1}


def test_a_file_in_which_nothing_can_be_used_is_refused(banking: Path) -> None:
    path = write(banking / "test.csv", "text,category\n")
    with pytest.raises(DataError) as caught:
        banking77.load(banking)
    assert str(caught.value) == f"{path}: no row has a text and a label; check that it is the right file"


def test_exact_duplicates_of_one_file_are_kept(banking: Path) -> None:
    write(banking / "test.csv", "text,category\nagain,top_up\nagain,top_up\n")
    assert len(banking77.load(banking).cases) == 2


def test_clinc150_has_teams_and_queries_out_of_scope(clinc: Path) -> None:
    loaded = clinc150.load(clinc)
    assert loaded.fields == {"category": ["boil_egg", "cut_hedge", "water_plants"], "team": ["garden", "kitchen"]}
    assert len(loaded.history) == 15
    assert [(case["id"], case["expect"]) for case in loaded.cases] == [
        ("test-1", {"category": "boil_egg", "team": "kitchen"}),
        ("oos_test-1", {"handoff": True, "handoff_reasons": ["out_of_scope"]}),
    ]
    assert loaded.left_out == {"oos_train": 1, "oos_val": 1, "val": 1}


def test_clinc150_held_out_of_training_uses_no_test_query(clinc: Path) -> None:
    loaded = clinc150.load(clinc, held_out="train")
    assert [case["id"].split("-")[0] for case in loaded.cases] == ["train"] * 3 + ["oos_train", "oos_val"]
    assert (len(loaded.history), loaded.left_out) == (12, {"val": 1})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train", None, "there is no list 'train'; give the file data_full.json of CLINC150"),
        ("test", [["egg"]], 'entry 1 of \'test\' is no pair; write ["text", "intent"]'),
        ("test", [["egg", "fry_egg"]], "entry 1 of 'test' has the intent 'fry_egg', which domains.json does not name"),
    ],
)
def test_a_fault_in_clinc150_is_named(clinc: Path, key: str, value: object, said: str) -> None:
    path = clinc / "data_full.json.gz"
    data = json.loads(gzip.decompress(path.read_bytes())) | {key: value}
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    with pytest.raises(DataError) as caught:
        clinc150.load(clinc)
    assert str(caught.value).startswith(f"{path}: {said}")


def ticket_rows(count: int) -> str:
    rest = r"Dear all\n\nit jams.,Pull the tray\nout.,Incident,IT,high"
    return HEADER + "".join(f"Printer {n},{rest},{'de' if n % 2 else 'en'},x\n" for n in range(count))


def test_a_ticket_csv_has_all_fields_languages_and_replies(tmp_path: Path) -> None:
    loaded = ticket_csv.load(write(tmp_path / "tickets.csv", ticket_rows(60)))
    assert loaded.languages == ["de", "en"]
    assert loaded.fields == {"category": ["Incident"], "priority": ["high"], "team": ["IT"]}
    row, case = loaded.history[0], loaded.cases[0]
    assert (row["body"], row["reply"], row["resolved"]) == ("Dear all\n\nit jams.", "Pull the tray\nout.", True)
    assert case["slice"] == {"language": case["ticket"]["language"]}
    assert case["expect"] == {"category": "Incident", "team": "IT", "priority": "high", "reply": "Pull the tray\nout."}
    assert len(loaded.history) + len(loaded.cases) == 60
    assert 4 < len(loaded.cases) < 24


def test_a_ticket_csv_puts_its_test_fifth_aside_while_choices_are_made(tmp_path: Path) -> None:
    path = write(tmp_path / "tickets.csv", ticket_rows(100))
    final, trial = ticket_csv.load(path), ticket_csv.load(tmp_path, held_out="train")
    test = set(ids(final.cases))
    assert not test & {*ids(trial.cases), *ids(trial.history)}
    assert {*ids(trial.cases), *ids(trial.history)} == set(ids(final.history))
    assert trial.left_out == {"test_rows": len(test)}
    assert len(trial.cases) == len(final.history) // 5


def test_of_a_folder_with_two_ticket_files_none_is_guessed(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", HEADER)
    write(tmp_path / "b.csv", HEADER)
    with pytest.raises(DataError, match="the folder holds 2 CSV files; name the file that should be read"):
        ticket_csv.load(tmp_path)


def test_the_order_of_rows_decides_nothing() -> None:
    rows = rows_of(*many("a", 40), *many("b", 30))
    for split in (divide, hold_out):
        for one, other in zip(split(rows), split(rows[::-1]), strict=True):
            assert {row.text for row in one} == {row.text for row in other}


def test_duplicates_stay_on_one_side_whatever_their_labels() -> None:
    rows = rows_of(*many("a", 40), *((f"A  {number}", "b") for number in range(40)), *many("b", 10))
    for split in (divide, hold_out):
        left, right = ({" ".join(row.text.lower().split()) for row in part} for part in split(rows))
        assert left
        assert right
        assert not left & right


def test_every_label_keeps_training_rows() -> None:
    rows = rows_of(*(row for number in range(1, 12) for row in many(f"label {number}", number)))
    kept, held = hold_out(rows)
    assert {row.labels["category"] for row in kept} == {row.labels["category"] for row in rows}
    assert Counter(row.labels["category"] for row in held) == {
        f"label {number}": number // 5 for number in range(5, 12)
    }


def test_columns_of_two_files(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", "No,Title,Text,More,Kind,Answer,Lang\n7,Jam,It jams.,Help!,bug,Pull.,en\n")
    test = write(tmp_path / "test.csv", "No,Title,Text,More,Kind,Answer,Lang\n9,,Hm.,,wish,,de-AT\n")
    named = Columns(("Title", "Text", "More"), {"product kind": "Kind"}, reply="Answer", id="No", language="Lang")
    loaded = columns.load(train, named, test)
    ticket = {"id": "7", "subject": "Jam", "body": "It jams.\n\nHelp!", "language": "en"}
    assert loaded.history == [ticket | {"labels": {"product kind": "bug"}, "reply": "Pull.", "resolved": True}]
    assert loaded.cases == [
        {
            "id": "9",
            "ticket": {"id": "9", "body": "Hm.", "language": "de-AT"},
            "expect": {"product kind": "wish"},
            "slice": {"language": "de-AT"},
        }
    ]
    assert loaded.fields == {"product kind": ["bug", "wish"]}
    assert loaded.languages == ["de-AT", "en"]


def test_with_rows_held_out_of_training_the_second_file_stays_closed(tmp_path: Path) -> None:
    text = "Text,Kind\n" + "".join(f"{text},{label}\n" for text, label in many("bug", 10))
    train = write(tmp_path / "train.csv", text)
    loaded = columns.load(train, Columns(("Text",), {"category": "Kind"}), tmp_path / "none.csv", held_out="train")
    assert (len(loaded.history), len(loaded.cases), loaded.sources) == (8, 2, [train])


def test_a_blank_label_is_left_out_and_the_row_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"t": "hello", "k": null, "p": " high "}\n')
    loaded = columns.load(path, Columns(("t",), {"category": "k", "priority": "p"}), path)
    assert loaded.history[0]["labels"] == {"priority": "high"}
    assert loaded.left_out == {"blank_labels": 2}


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (Columns((), {"category": "k"}), "no column is named for the text; name at least one"),
        (Columns(("t",)), "no column is named for a label; name at least one"),
        (Columns(("t",), {"kind": "k"}), "a field cannot be called 'kind'; choose a name that is none of answerable"),
        (Columns(("t",), {"category": "K"}), "the object has no 'K'; give every object the keys"),
        (Columns(("t",), {"category": "k"}, id="n"), "the id '1' stands on line 1 already; give one of them another"),
        (Columns(("t",), {"category": "k"}, id="k"), "k is blank; give every row an id, or name no column for ids"),
        (Columns(("s", "t"), {"category": "k"}), "subject: String should have at most 1000"),
        (Columns(("t",), {"category": "k"}, language="s"), "language: String should match pattern"),
    ],
)
def test_a_fault_in_columns_is_named(tmp_path: Path, named: Columns, said: str) -> None:
    rows = [{"n": 1, "s": "en", "t": "hello", "k": "a"}, {"n": 1, "s": "x" * 1001, "t": "you", "k": ""}]
    rows[1] |= {"k": " "} if named.id == "k" else {"k": "b"}
    path = write(tmp_path / "a.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    found = fault(path, named, test=path)
    assert found.startswith(str(path))
    assert f": {said}" in found


def test_load_names_formats_and_options(banking: Path) -> None:
    loaded: Loaded = load("banking77", banking, held_out="train")
    assert len(loaded.cases) == 3
    with pytest.raises(DataError, match="there is no format 'banking'; use one of banking77, clinc150, ticket_csv"):
        load("banking", banking)
    with pytest.raises(DataError, match="the format banking77 has no option 'split'; leave it out"):
        load("banking77", banking, split="dev")
    with pytest.raises(DataError, match="the format columns needs names of columns; name those of text and labels"):
        load("columns", banking / "train.csv")
