"""``firstline init`` on exports that have nothing in common, and on nothing at all."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eval_builders import without_wording

from eval.cases import load_cases
from eval.errors import DataError
from eval.init_command import InitChoices, init_desk
from eval.loaders.export_file import decoded, delimiter_of, read_export
from models.hashing_encoder import HashingEncoder
from triage.assembly import generations_of
from triage.build import BuildReport, build_generation
from triage.desk_files import Desk, read_desk

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ENGLISH = {"Incident": "the printer has jammed and stands still", "Request": "please send a new keyboard to my desk"}
GERMAN = {"3": "Die Rechnung für März enthält einen falschen Betrag", "B2": "Das Gerät lässt sich nicht mehr öffnen"}


def csv_text(rows: list[list[str]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


@pytest.fixture
def english(tmp_path: Path) -> Path:
    rows = [["Ticket ID", "subject", "body", "answer", "type", "queue", "priority", "language", "status"]]
    for n in range(60):
        kind, text = list(ENGLISH.items())[n % 2]
        body = rf"Dear all,\n\n{text}, number {n}"
        rows.append([f"T-{n}", f"Help {n}, please", body, r"Hello,\nwe look", kind, "IT", "high", "EN-gb", "open"])
    path = tmp_path / "english.csv"
    path.write_bytes(csv_text(rows).encode())
    return path


@pytest.fixture
def two_columns(tmp_path: Path) -> Path:
    rows = [["text", "category"]]
    rows += [[f"{text} {n}", kind] for n in range(30) for kind, text in ENGLISH.items()]
    rows += [
        ["Please send a NEW keyboard to my desk 1", "Request"],
        ["the printer has jammed and stands still 2", "Request"],
    ]
    rows += [["", "Request"], ["no label here", ""]]
    path = tmp_path / "two.csv"
    path.write_bytes(csv_text(rows).encode("utf-8-sig"))
    return path


@pytest.fixture
def german(tmp_path: Path) -> Path:
    rows = [["Ticketnummer", "Betreff", "Beschreibung", "Kategorie", "Warteschlange", "Dringlichkeit"]]
    for n in range(60):
        code, text = list(GERMAN.items())[n % 2]
        rows.append([str(1000 + n), f"Anfrage; Nummer {n}", f"Guten Tag,\n{text}, Kunde {n}", code, "Büro", "hoch"])
    path = tmp_path / "german.csv"
    path.write_bytes(csv_text(rows, ";").encode("latin-1"))
    return path


def init(folder: Path, history: Path | None, **choices: object) -> tuple[Desk, str]:
    """Make a desk without a terminal; return it as it is read back, and what was said."""
    said: list[str] = []
    init_desk(folder, history, InitChoices(**choices), said.append)  # type: ignore[arg-type]
    return read_desk(folder), "\n".join(said)


def build(desk: Desk, var: Path) -> BuildReport:
    settings = desk.folder / "desk.toml"
    settings.write_text(f'encoder = "hashing"\n{settings.read_text(encoding="utf-8")}', encoding="utf-8")
    again = read_desk(without_wording(desk.folder))
    return build_generation(again, HashingEncoder(), generations_of(again.rules.settings, var), NOW)


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def fault(attempt: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        attempt()
    return str(caught.value)


def test_an_english_export_with_everything(tmp_path: Path, english: Path) -> None:
    desk, said = init(tmp_path / "IT desk", english)
    assert (desk.rules.settings.id, desk.rules.settings.name) == ("it-desk", "IT desk")
    assert desk.rules.settings.languages == ("en",)
    assert {field: [*labels] for field, labels in desk.rules.taxonomy.fields.items()} == {
        "category": ["Incident", "Request"],
        "priority": ["high"],
        "team": ["IT"],
    }
    cases = load_cases(desk.folder / "cases.jsonl", desk.rules.taxonomy, set())
    assert len(desk.history) + len(cases) == 60
    assert 4 < len(cases) < 24
    assert (desk.history[0].ticket.body or "").startswith("Dear all,\n\nthe printer")
    assert desk.history[0].reply == "Hello,\nwe look"
    assert "60 rows, UTF-8, values between commas" in said
    assert "In 60 texts a line's end is written as a backslash and an n" in said
    assert "category  Incident (30), Request (30)" in said
    assert f"Next: firstline build {desk.folder}" in said
    assert build(desk, tmp_path / "var").history == len(desk.history)


def test_two_columns_with_duplicates_contradictions_and_blanks(tmp_path: Path, two_columns: Path) -> None:
    desk, said = init(tmp_path / "desk", two_columns)
    assert "Left out: 1 row without text." in said
    assert "Left out: 1 row without any label." in said
    assert "Left out: 1 row whose text and labels stand in another row already." in said
    assert "Kept, but look at them: 1 text with more than one category in different rows." in said
    assert 'priority  no column: every ticket is "normal"' in said
    assert desk.rules.taxonomy.fields["team"].keys() == {"everyone"}
    counts = json.loads((desk.folder / "data.json").read_text(encoding="utf-8"))["counts"]
    assert counts["history"] + counts["cases"] == 61
    assert counts["left_out.exact_duplicates"] == counts["noticed.contradictory_category"] == 1
    assert build(desk, tmp_path / "var").history == counts["history"]


def test_semicolons_latin_1_german_headers_and_codes(tmp_path: Path, german: Path) -> None:
    desk, said = init(tmp_path / "büro", german)
    assert desk.rules.settings.id == "buro"
    assert desk.rules.settings.languages == ("de",)
    assert "60 rows, Windows-1252, values between semicolons" in said
    assert "It is not UTF-8, so Windows-1252 is a guess. Do these words look right? für, März, enthält, Büro" in said
    assert {row.labels["team"] for row in desk.history} == {"Büro"}
    row = next(row for row in desk.history if row.labels["category"] == "3")
    assert (row.ticket.subject or "").startswith("Anfrage; Nummer")
    assert "Rechnung für März" in (row.ticket.body or "")
    labels = desk.rules.taxonomy.fields["category"]
    assert "rechnung" in labels["3"].description
    assert "gerät" in labels["B2"].description
    assert "please correct them in the file: category 2." in said
    assert (desk.folder / "taxonomy.toml").read_text(encoding="utf-8").count("# proposed: please correct") == 2
    assert build(desk, tmp_path / "var").history == len(desk.history)


def test_without_an_export_there_is_a_small_desk_that_builds_and_drafts_without_history(tmp_path: Path) -> None:
    desk, said = init(tmp_path / "desk", None)
    assert desk.rules.policy.draft.needs == ()
    assert {field: len(labels) for field, labels in desk.rules.taxonomy.fields.items()} == {
        "category": 4,
        "priority": 4,
        "team": 1,
    }
    assert "category  question, problem, account, billing" in said
    assert build(desk, tmp_path / "var").history == 0
    init_again = fault(lambda: init(tmp_path / "desk", None))
    assert "desk.toml was changed since, and the change would be lost; name a new or empty folder" in init_again


def test_options_take_the_place_of_guesses(tmp_path: Path, english: Path) -> None:
    labels = ("category=queue", "state=status", "team=", "priority=")
    desk, said = init(tmp_path / "desk", english, text="body", labels=labels, reply="", id="", language="")
    assert {*desk.history[0].labels} == {"category", "state"}
    assert (desk.history[0].ticket.subject, desk.history[0].reply) == (None, "")
    assert (desk.history[0].ticket.id or "").startswith("row-")
    assert "queue      category    as said" in said
    assert "priority   (not used)  as said: it is not the priority" in said


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"text": "Body"}, ("there is no column 'Body'", "the columns are Ticket ID, subject, body")),
        ({"labels": ("category",)}, ("--label category is not understood", "category=Type")),
        ({"labels": ("kind=type",)}, ("a field cannot be called 'kind'", "--label")),
        ({"text": ""}, ("no column looks like the text of a ticket", "subject, body", "write --text COLUMN")),
        ({"labels": ("category=", "team=", "priority=")}, ("no column looks like labels", "--label category=COLUMN")),
        ({"encoding": "utf-99"}, ("there is no encoding 'utf-99'", "windows-1252")),
        ({"encoding": "utf-16"}, ("the file is not utf-16", "--encoding")),
    ],
)
def test_a_choice_that_cannot_be_is_one_sentence_and_writes_nothing(
    tmp_path: Path, english: Path, choices: dict[str, object], words: tuple[str, ...]
) -> None:
    error = fault(lambda: init(tmp_path / "desk", english, **choices))
    assert all(word in error for word in words), error
    assert "\n" not in error
    assert not (tmp_path / "desk").exists()


def test_numbers_alone_are_no_tickets(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n3,4\n", encoding="utf-8")
    assert "no column looks like the text of a ticket (the columns are x, y)" in fault(
        lambda: init(tmp_path / "d", path)
    )


def test_a_folder_that_was_edited_or_is_somebody_elses_is_kept(
    tmp_path: Path, english: Path, two_columns: Path
) -> None:
    folder = tmp_path / "desk"
    init(folder, two_columns)
    desk, _ = init(folder, english)
    assert {row.labels["team"] for row in desk.history} == {"IT"}
    article = folder / "articles" / "one.md"
    article.write_text("---\nid: one\ntitle: One\n---\nText.\n", encoding="utf-8")
    assert "articles/one.md was changed since" in fault(lambda: init(folder, english))
    article.unlink()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert "the folder holds notes.txt, which would be lost" in fault(lambda: init(folder, english))


def test_columns_are_asked_for_until_they_are_right(tmp_path: Path, english: Path) -> None:
    # No; then column by column, the id and the subject refused, a wrong name tried once; then yes.
    answers = iter(["no", "skip", "skip", "", "", "kind", "topic", *[""] * 4, "yes"])
    shown: list[tuple[str, str]] = []

    def ask(question: str, default: str) -> str:
        shown.append((question.strip(), default))
        return next(answers)

    init_desk(tmp_path / "desk", english, InitChoices(), lambda _: None, ask)
    desk = read_desk(tmp_path / "desk")
    assert shown[1:3] == [("Ticket ID", "id"), ("subject", "subject")]
    assert shown[5:7] == [("type", "category")] * 2
    assert {*desk.history[0].labels} == {"topic", "team", "priority"}
    assert desk.history[0].ticket.subject is None
    assert next(answers, None) is None


def test_where_nothing_looks_like_labels_the_columns_are_asked_for_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "text,x,y\n" + "".join(f"my printer jams {n},{n % 2},{n % 3}\n" for n in range(40)), encoding="utf-8"
    )
    answers = iter(["", "", "product", "yes"])
    said: list[str] = []
    init_desk(tmp_path / "desk", path, InitChoices(), said.append, lambda _, default: next(answers) or default)
    assert "But no column looks like labels. Please say what the columns are." in said
    assert [*read_desk(tmp_path / "desk").rules.taxonomy.more] == ["product"]


def encodings() -> Iterator[tuple[bytes, str]]:
    text = "Text;Art\r\nfür März;a\r\n"
    yield text.encode(), "UTF-8"
    yield text.encode("utf-8-sig"), "UTF-8"
    yield text.encode("utf-16"), "UTF-16"
    yield text.encode("utf-16-le"), "UTF-16"
    yield text.encode("utf-16-be"), "UTF-16"
    yield text.encode("cp1252"), "Windows-1252"
    yield text.encode("latin-1") + b"\x81;b\r\n", "Latin-1"


@pytest.mark.parametrize(("data", "name"), [*encodings()])
def test_encodings_are_found_out(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    export = read_export(path)
    assert (export.encoding, export.delimiter, export.header) == (name, ";", ("Text", "Art"))
    assert export.rows[0] == {"Text": "für März", "Art": "a"}
    assert bool(export.doubtful) == (name in ("Windows-1252", "Latin-1"))


def test_utf_8_with_a_stray_byte_is_not_taken_for_windows_1252() -> None:
    data = "für Grüße über Öl\n".encode() * 3 + b"sch\xf6n\n"
    error = fault(lambda: decoded(Path("a.csv"), data))
    assert error.startswith("a.csv:4: the file is UTF-8 but for 1 byte, the first of them on this line")
    assert "the file is not text" in fault(lambda: decoded(Path("a.csv"), b"PK\x03\x04\x00\x00abc\x00"))


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1;5,2\n3;4,5\n", ","),
        ("Betreff;Text, lang\nx;y, z\nq;r\n", ";"),
        ("a\tb\n1,2\t3\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ("one column\nof, text\n", ","),
        ('a;b\n"x,y\n1,2,3";4\n', ";"),
        ("", ","),
    ],
)
def test_delimiters_are_found_out(text: str, delimiter: str) -> None:
    assert delimiter_of(text) == delimiter


def test_json_lines_may_miss_keys_and_hold_more_than_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"id": n, "text": f"my printer jams {n}", "via": {"x": 1}, "tags": ["a", "b"]} for n in range(40)]
    labelled = [row | ({"group": "IT" if n % 2 else "HR"} if n else {}) for n, row in enumerate(rows)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in labelled), encoding="utf-8")
    desk, said = init(tmp_path / "desk", path)
    assert "40 rows, UTF-8, JSON Lines" in said
    assert "via" not in said
    assert {row.labels["team"] for row in desk.history} == {"IT", "HR"}
    assert "Left out: 1 row without any label." in said


def test_on_the_command_line_without_a_terminal_nothing_is_asked(tmp_path: Path, english: Path) -> None:
    command = [str(Path(sys.executable).with_name("firstline")), "init", "desk", "--history", english.name]
    done = run(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Taken like this" in done.stdout
    assert read_desk(tmp_path / "desk").rules.settings.id == "desk"
    again = run([*command, "--text", "none"], tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
