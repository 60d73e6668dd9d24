import json
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.errors import ArticleError
from triage.desk_files import hashes_of, read_desk, read_history, read_past_tickets
from triage.errors import DeskFileError
from triage.taxonomy import read_taxonomy

DeskCopy = Callable[[], Path]
ROW = '{"id": "X-1", "body": "hello", "labels": {"category": "till"}}\n'


def refused(folder: Path) -> DeskFileError | ArticleError:
    error: DeskFileError | ArticleError
    try:
        (error,) = read_desk(folder).refused
    except DeskFileError as raised:
        error = raised
    assert error.remedy
    assert str(error).startswith(f"{error.path}:{error.line}: " if error.line else f"{error.path}: ")
    assert str(error).endswith(f"; {error.remedy}")
    return error


def test_the_demo_desk_is_sound(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    desk = read_desk(folder)
    assert desk.folder == folder
    assert len(desk.articles) == len(list((folder / "articles").glob("*.md")))
    assert len(desk.macros) == len(list((folder / "macros").glob("*.md")))
    assert len(desk.history) == len((folder / "history.jsonl").read_text(encoding="utf-8").splitlines())


def test_a_desk_without_history_macros_and_routing_is_sound(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    for path in (folder / "history.jsonl", folder / "routing.toml", *(folder / "macros").glob("*.md")):
        path.unlink()
    desk = read_desk(folder)
    assert (desk.history, desk.macros, desk.rules.routing.rules) == ((), (), ())


@pytest.mark.parametrize("name", ["desk.toml", "taxonomy.toml", "policy.toml"])
def test_a_missing_file_is_named(desk_copy: DeskCopy, name: str) -> None:
    folder = desk_copy()
    (folder / name).unlink()
    error = refused(folder)
    assert (error.path, error.problem) == (folder / name, "the file is missing")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere").problem == "there is no such desk folder"


def test_a_desk_without_a_folder_of_articles_is_refused(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    for path in (folder / "articles").glob("*.md"):
        path.unlink()
    assert read_desk(folder).articles == ()  # an empty folder says that there is no knowledge yet
    (folder / "articles").rmdir()
    error = refused(folder)
    assert (error.path, error.problem) == (folder / "articles", "there is no article")


# File, what is replaced, by what, a part of the line that is to be named (None: no line), what the text must say.
BROKEN: list[tuple[str, str, str, str | None, str]] = [
    ("desk.toml", "[sla]", "[sla", "[sla", "not TOML"),
    ("desk.toml", "timezone =", "timezon =", "timezon =", "unknown key timezon"),
    ("desk.toml", "Europe/London", "Europe/Leeds", "Europe/Leeds", "no time zone 'Europe/Leeds'; write for instance"),
    ("desk.toml", "Europe/London", "../../etc/passwd", "passwd", "no time zone"),
    ("desk.toml", '"09:00-13:00"', '"13:00-09:00"', "13:00-09:00", "close before they open"),
    ("desk.toml", "sat =", "samstag =", "samstag", "are not understood; write for instance"),
    ("desk.toml", 'id = "demo"', 'id = "De mo"', "De mo", "id: String should match pattern"),
    ("desk.toml", "respond_hours = 4,", "respond_hours = -4,", "-4", "sla.high.respond_hours"),
    ("desk.toml", "high = { respond", "hihg = { respond", "hihg", "unknown priority 'hihg'"),
    ("desk.toml", "max_words = 170", "max_words = 7", "max_words", "drafting.max_words"),
    ("taxonomy.toml", 'next = "books"', 'next = "boks"', None, "team frontline names 'boks' as next, which is no team"),
    ("taxonomy.toml", 'next = "books"', 'next = "frontline"', None, "lead back to themselves (frontline -> frontline)"),
    (
        "taxonomy.toml",
        'skills = ["bookkeeping", "vat"]',
        'next = "frontline"',
        None,
        "(frontline -> books -> frontline)",
    ),
    ("taxonomy.toml", "tier = 3", "tear = 3", "tear = 3", "unknown key team.labels.trust.tear"),
    ("taxonomy.toml", '"09:00-17:00"', '"17:00-09:00"', "17:00-09:00", "close before they open"),
    ("policy.toml", 'team = "trust"', 'team = "thrust"', "thrust", "unknown team 'thrust'"),
    ("policy.toml", 'label = "urgent"', 'label = "pressing"', "pressing", "unknown priority 'pressing'"),
    ("policy.toml", 'needs = ["category"]', 'needs = ["topic"]', "topic", "unknown field 'topic'"),
    ("policy.toml", "max_error = 0.35", "max_error = 35", "= 35", "fields.priority.max_error"),
    ("policy.toml", "min_chance", "min_chanse", "min_chanse", "unknown key rules.urgent_priority.min_chanse"),
    ("policy.toml", '"self_harm"', '"selfharm"', "selfharm", "selfharm"),
    ("routing.toml", 'set = { team = "books" }', 'set = { team = "boks" }', "boks", "unknown team 'boks'"),
    ("routing.toml", 'set = { team = "books" }', 'set = { queue = "x" }', "queue", "unknown field 'queue'"),
    (
        "routing.toml",
        'skills = ["vat"]',
        'skills = ["vta"]',
        "vta",
        "unknown skill 'vta'; use one of open banking, rec",
    ),
    ("routing.toml", 'skills = ["tills"]', 'skills = ["tills", "vat"]', "vat", "no team has all the skills tills, vat"),
    ("routing.toml", 'skills = ["tills"]', "", "[[rules]]", "a rule needs set, skills or both"),
    ("routing.toml", 'channel = "practice"', "", "[[rules]]", "a rule needs keywords, tag, segment or channel"),
    ("articles/kb-102-two-step-codes.md", "title:", "titel:", "---", "unknown key 'titel'"),
    ("articles/kb-102-two-step-codes.md", "audience: public", "audience: all", "---", "audience is 'all'"),
    ("articles/kb-102-two-step-codes.md", "title: ", "title: a: ", "title: a: ", "does not parse"),
    ("macros/ask_error_number.md", "{task}", "{the task}", "{the task}", "placeholder {the task} is not a name"),
    ("macros/ask_error_number.md", "title: Ask", "titel: Ask", "---", "the macro has no title"),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "on_line", "said"), BROKEN, ids=[f"{row[0]}-{row[2]}" for row in BROKEN]
)
def test_a_fault_names_file_line_and_remedy(
    desk_copy: DeskCopy, name: str, old: str, new: str, on_line: str | None, said: str
) -> None:
    folder = desk_copy()
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    broken = text.replace(old, new, 1)
    (folder / name).write_text(broken, encoding="utf-8")
    error = refused(folder)
    assert error.path == folder / name
    assert said in str(error)
    if on_line is not None:
        assert error.line is not None
        assert on_line in broken.splitlines()[error.line - 1]


def test_an_article_without_title_is_refused(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    path = folder / "articles" / "kb-000.md"
    path.write_text("---\nid: kb-000\n---\nText.\n", encoding="utf-8")
    error = refused(folder)
    assert (error.path, error.problem) == (path, "the article has no title")
    assert error.remedy == "add a line `title: …` to its front matter"


def test_a_broken_article_is_left_out_and_the_others_are_read(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    sound = read_desk(folder)
    (folder / "articles" / "kb-000.md").write_text("no front matter", encoding="utf-8")
    desk = read_desk(folder)
    assert desk.articles == sound.articles
    assert [error.path.name for error in desk.refused] == ["kb-000.md"]


def test_a_desk_of_broken_articles_alone_is_refused(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    for path in (folder / "articles").glob("*.md"):
        path.write_text("no front matter", encoding="utf-8")
    with pytest.raises(DeskFileError, match=r"kb-1\d\d.*\.md:1: "):
        read_desk(folder)


def test_two_articles_of_one_id_are_refused_and_the_second_file_is_named(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    path = folder / "articles" / "kb-999.md"
    path.write_text("---\nid: kb-101\ntitle: Again\n---\nText.\n", encoding="utf-8")
    error = refused(folder)
    assert "'kb-101'" in error.problem
    assert error.path == path


HISTORY: list[tuple[str, str]] = [
    ('{"body": "x", "labels": {"category": "tills"}}', "unknown category 'tills'; use one of account_access, "),
    ('{"body": "x", "labels": {"topic": "till"}}', "unknown field 'topic'; use one of category, priority, team"),
    ('{"body": "x", "labels": {"category": null}}', "unknown category 'None'"),
    ('{"body": "x", "labels": {}}', "the row has no label; add"),
    ('{"body": "x"}', "the row has no label; add"),
    ('{"body": "x", "labels": ["till"]}', "the row has no label; add"),
    ('{"id": "X-2", "labels": {"category": "till"}}', "a ticket needs a subject or a body"),
    ('{"body": "x", "bdy": "y", "labels": {"category": "till"}}', "bdy: unknown key; correct"),
    ('{"body": "x", "labels": {"category": "till"}, "reply": 5}', "reply or resolved is of the wrong type; write"),
    ('{"body": "x", "labels": {"category": "till"}, "resolved": "yes"}', "reply or resolved is of the wrong type"),
    ("{body: x}", "not JSON (Expecting property name"),
    ('["a"]', "not a JSON object; write one object per line"),
    ('{"body": "x", "attributes": {"spent": NaN}, "labels": {"category": "till"}}', "NaN is no number of JSON"),
    ('{"body": "x", "attributes": {"spent": -Infinity}, "labels": {"category": "till"}}', "-Infinity is no number"),
    ('{"body": "x", "attributes": {"spent": 1e999}, "labels": {"category": "till"}}', "attributes.spent"),
    (f'{{"body": "x", "attributes": {{"n": {"9" * 5_000}}}, "labels": {{"category": "till"}}}}', "not JSON (Exceeds"),
    ('{"body": "x", "body": "y", "labels": {"category": "till"}}', "a key stands twice in one object"),
    ("[" * 100_000, "not JSON"),
    (ROW.strip(), "the id 'X-1' stands on line 1 already; give one of them another id"),
    (json.dumps({"body": "a" * 1_000_001}), "the line is longer than 1 MB; shorten the ticket"),
]


@pytest.mark.parametrize(("row", "said"), HISTORY, ids=[said[:30] for _, said in HISTORY])
def test_a_fault_in_the_history_names_its_line(project: Path, tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(f"{ROW}\n{row}\n", encoding="utf-8")
    with pytest.raises(DeskFileError) as caught:
        list(read_history(path, read_taxonomy(project / "desks" / "demo" / "taxonomy.toml")))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert str(caught.value).endswith(f"; {caught.value.remedy}")
    assert said in str(caught.value)


@pytest.mark.parametrize("row", ["{}", ROW, '{"body": "x", "labels": {"category": "tills"}}'])
def test_a_desk_with_a_fault_in_its_history_is_refused(desk_copy: DeskCopy, row: str) -> None:
    folder = desk_copy()
    (folder / "history.jsonl").write_text(ROW + row, encoding="utf-8")
    error = refused(folder)
    assert (error.path, error.line) == (folder / "history.jsonl", 2)


def test_history_that_is_not_utf_8_names_its_line(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    (folder / "history.jsonl").write_bytes(ROW.encode() + ROW.replace("hello", "gr\xfcn").encode("latin-1"))
    error = refused(folder)
    assert (error.line, error.remedy) == (2, "write one object per line, in UTF-8")


PAST = (
    '{"id": "X-1", "body": "mine", "labels": {"category": "till", "team": "frontline"}, "reply": "old",'
    ' "resolved": true}\n'
    '{"id": "X-2", "body": "other", "labels": {"category": "vat"}}\n'
    '{"body": "nameless", "labels": {"category": "vat"}}\n'
)


def test_a_correction_wins_over_the_row_of_its_ticket_field_by_field(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    (folder / "history.jsonl").write_text(PAST, encoding="utf-8")
    corrections = [
        {"id": "X-9", "body": "new", "labels": {"team": "books"}, "reply": "said", "resolved": True},
        {"id": "X-1", "body": "{NAME_1}", "labels": {"team": "books"}},
        {"body": "nameless too", "labels": {"category": "till"}},
    ]
    (folder / "corrections.jsonl").write_text("\n".join(map(json.dumps, corrections)), encoding="utf-8")
    rows = read_desk(folder).history
    assert [(row.ticket.body, row.labels, row.reply, row.resolved, row.file, row.line) for row in rows] == [
        ("mine", {"category": "till", "team": "books"}, "old", True, "history.jsonl", 1),
        ("other", {"category": "vat"}, "", False, "history.jsonl", 2),
        ("nameless", {"category": "vat"}, "", False, "history.jsonl", 3),
        ("new", {"team": "books"}, "said", True, "corrections.jsonl", 1),
        ("nameless too", {"category": "till"}, "", False, "corrections.jsonl", 3),
    ]


def test_the_reply_of_a_correction_is_the_one_that_counts(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    (folder / "history.jsonl").write_text(PAST, encoding="utf-8")
    corrected = {"id": "X-1", "body": "m", "labels": {"category": "vat"}, "reply": "new", "resolved": True}
    (folder / "corrections.jsonl").write_text(json.dumps(corrected), encoding="utf-8")
    first = next(read_past_tickets(folder, read_taxonomy(folder / "taxonomy.toml")))
    assert (first.reply, first.labels["category"]) == ("new", "vat")


def test_corrections_count_among_the_files_that_a_build_reads_and_are_checked_like_history(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    assert "corrections.jsonl" not in hashes_of(folder)
    (folder / "corrections.jsonl").write_text('{"id": "X-1", "body": "m", "labels": {"team": "x"}}', encoding="utf-8")
    assert "corrections.jsonl" in hashes_of(folder)
    error = refused(folder)
    assert (error.path, error.line, error.problem) == (folder / "corrections.jsonl", 1, "unknown team 'x'")


def test_a_desk_may_have_corrections_and_no_history(desk_copy: DeskCopy) -> None:
    folder = desk_copy()
    (folder / "history.jsonl").rename(folder / "corrections.jsonl")
    assert {row.file for row in read_desk(folder).history} == {"corrections.jsonl"}
