"""``firstline articles``: into a desk, out of it, and what is said on the way."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from firstline import app
from retrieval.article_files import read_articles
from retrieval.article_folder import ReadChoices, read_source
from retrieval.article_import import export_articles, import_articles
from retrieval.articles import Article, to_document, usable_id
from retrieval.errors import ArticleError
from triage.articles_command import ImportChoices, export_from, import_into

PROJECT = Path(__file__).resolve().parents[2]
ARTICLES = [
    {"id": "a", "title": "A", "markdown": "Words of a.", "audience": "public", "status": "published"},
    {"id": "b", "title": "B", "markdown": "Words of b.", "audience": "internal", "status": "published"},
    {"id": "c", "title": "C", "markdown": "Words of c."},
]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    folder = tmp_path / "desk"
    folder.mkdir()
    shutil.copy(PROJECT / "desks" / "demo" / "desk.toml", folder)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "export.jsonl"
    path.write_text("".join(f"{json.dumps(article)}\n" for article in ARTICLES), encoding="utf-8")
    return path


def firstline(*words: object) -> Result:
    return CliRunner().invoke(app, ["articles", *map(str, words)])


def counts(done: Result) -> dict[str, int]:
    assert done.exit_code == 0, done.stderr
    return {name: int(count) for name, count in re.findall(r"^  (\w+) +(\d+)$", done.stdout, flags=re.M)}


def test_import_counts_and_writes_what_a_desk_reads(desk: Path, source: Path) -> None:
    with source.open("a", encoding="utf-8") as file:
        file.write('{"id": "a", "title": "Again", "text": "x"}\nno json\n{"id": "d", "title": "No text"}\n')
    done = firstline("import", source, desk)
    assert counts(done) == {"written": 3, "unchanged": 0, "drafts": 1, "internal": 2, "refused": 3}
    told = done.stderr.splitlines()
    assert f"skipped {source}:4: the id 'a' is that of {source}:1 already; give one of them another id" in told[1]
    assert f"skipped {source}:5: not JSON" in told[0]
    assert f"skipped {source}:6: the article has no markdown or html" in told[2]
    documents = read_articles(desk / "articles")
    assert [(one.id, one.audience, one.status) for one in documents] == [
        ("a", "public", "published"),
        ("b", "internal", "published"),
        ("c", "internal", "draft"),
    ]


def test_an_import_again_keeps_what_was_edited(desk: Path, source: Path) -> None:
    assert counts(firstline("import", source, desk))["written"] == 3
    assert counts(firstline("import", source, desk)) == {
        "written": 0,
        "unchanged": 3,
        "drafts": 1,
        "internal": 2,
        "refused": 0,
    }
    edited = desk / "articles" / "a.md"
    edited.write_text(edited.read_text(encoding="utf-8").replace("Words", "Better words"), encoding="utf-8")
    source.write_text(source.read_text(encoding="utf-8").replace("Words", "New words"), encoding="utf-8")
    done = firstline("import", source, desk)
    assert (counts(done)["written"], counts(done)["refused"]) == (2, 1)
    assert f"{edited} was changed since, or not written by an import; keep it, or overwrite it with" in done.stderr
    assert "Better words of a." in edited.read_text(encoding="utf-8")
    assert counts(firstline("import", source, desk, "--replace"))["written"] == 1
    assert "New words of a." in edited.read_text(encoding="utf-8")


def test_a_file_of_ones_own_is_kept_and_what_is_gone_from_the_source_is_named(desk: Path, source: Path) -> None:
    counts(firstline("import", source, desk))
    own = desk / "articles" / "mine.md"
    own.write_text("---\nid: d\ntitle: Mine\n---\nMy own.\n", encoding="utf-8")
    source.write_text('{"id": "d", "title": "D", "text": "Theirs."}\n', encoding="utf-8")
    done = firstline("import", source, desk)
    assert counts(done)["refused"] == 1
    assert f"not in {source}: a.md, b.md, c.md" in done.stdout
    assert "My own." in own.read_text(encoding="utf-8")
    counts(firstline("import", source, desk, "--replace"))
    assert "Theirs." in own.read_text(encoding="utf-8")


def test_a_folder_of_all_kinds_with_broken_files(desk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wiki"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_bytes(b"\xef\xbb\xbf---\r\nid: a\r\ntitle: A\r\naudience: public\r\n---\r\nOne\r\n")
    (folder / "sub" / "b c.html").write_text(
        '<html><head><title>B &amp; C</title><meta name="audience" content="public"></head><body><h1>B &amp; C</h1>'
        "<p>Two</p></body></html>",
        encoding="utf-8",
    )
    (folder / "latin.md").write_bytes(b"---\nid: l\ntitle: L\n---\ncaf\xe9\n")
    (folder / "utf16.md").write_bytes("---\nid: u\n".encode("utf-16"))
    (folder / "nul.md").write_bytes(b"---\nid: n\ntitle: N\n---\na\x00\n")
    (folder / "empty.md").write_bytes(b"")
    (folder / "deep.html").write_text("<div>" * 300 + "x", encoding="utf-8")
    (folder / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08")
    (folder / "rows.csv").write_text('id,title,text\nr,R,Three\ns,S\n"t,T\n', encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    done = firstline("import", folder, desk)
    assert counts(done) == {"written": 3, "unchanged": 0, "drafts": 3, "internal": 1, "refused": 8}
    assert "Files of other kinds were left alone: 1 .png" in done.stdout
    told = {Path(line.split(":")[1].removeprefix(" skipped ")).name: line for line in done.stderr.splitlines()}
    assert (
        "latin.md:5: the file is not UTF-8; save it with the encoding UTF-8 (if it is Windows-1252:" in told["latin.md"]
    )
    assert "utf16.md:1: the file is UTF-16; save it" in told["utf16.md"]
    assert "nul.md:5: the file is not text (it holds a NUL)" in told["nul.md"]
    assert "deep.html:1: the markup is nested deeper than 256 elements" in told["deep.html"]
    assert "cut.jsonl.gz:1: the gzip file is cut off or damaged" in told["cut.jsonl.gz"]
    assert "rows.csv:3: the record has 2 values, and the header 3" in done.stderr
    assert "rows.csv:4: the record does not parse" in done.stderr
    html = next(one for one in read_articles(desk / "articles") if one.title == "B & C")
    assert (html.text, html.audience, html.status) == ("Two\n", "public", "draft")


def test_strict_stops_at_the_first_and_nothing_readable_is_exit_code_2(desk: Path, tmp_path: Path) -> None:
    source = tmp_path / "export.jsonl"
    source.write_text("no json\n", encoding="utf-8")
    for words, problem in (
        (("import", source, desk, "--strict"), f"{source}:1: not JSON"),
        (("import", source, desk), "there is no article that can be read; see docs/knowledge.md"),
    ):
        command = [str(Path(sys.executable).with_name("firstline")), "articles", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (2, "")
        assert problem in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(desk.glob("articles/*.md"))


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path, desk: Path, source: Path) -> None:
    warnings: list[str] = []
    choices = ImportChoices(datetime(2026, 1, 1, tzinfo=UTC))
    for attempt, problem in (
        (lambda: import_into(tmp_path / "none", desk, choices, warnings.append), "there is no such file or folder"),
        (lambda: import_into(source, tmp_path, choices, warnings.append), "there is no such desk folder"),
        (lambda: import_into(desk / "desk.toml", desk, choices, warnings.append), "files of the kind '.toml' are not"),
        (
            lambda: import_into(source, desk, replace(choices, audience="all"), warnings.append),
            "--audience is 'all'; write internal or public",
        ),
        (lambda: export_from(desk, tmp_path / "out", False, warnings.append), "there is no article that can be read"),
        (lambda: export_from(tmp_path, tmp_path / "out", False, warnings.append), "there is no such desk folder"),
    ):
        with pytest.raises(ArticleError, match=re.escape(problem)):
            attempt()
    assert not warnings


def test_the_article_of_the_documentation_is_read_as_it_says(desk: Path) -> None:
    page = (PROJECT / "docs" / "knowledge.md").read_text(encoding="utf-8")
    article = re.search(r"```markdown article\n(---\n.*?)```", page, flags=re.DOTALL)
    assert article is not None
    (desk / "articles").mkdir()
    (desk / "articles" / "reset-password.md").write_text(article.group(1), encoding="utf-8")
    (document,) = read_articles(desk / "articles")
    assert (document.audience, document.revision, document.tags) == ("public", 2, ("login", "password"))
    for option in ("--replace", "--strict", "--overwrite", "--audience", "--status"):
        assert option in page


def test_the_demo_desk_goes_out_and_in_as_it_is(tmp_path: Path, desk: Path) -> None:
    out = tmp_path / "articles.jsonl"
    assert "written, 0 refused" in firstline("export", PROJECT / "desks" / "demo", out).stdout
    assert "the file is there already" in str(firstline("export", PROJECT / "desks" / "demo", out).exception)
    counts(firstline("import", out, desk))
    before, after = read_articles(PROJECT / "desks" / "demo" / "articles"), read_articles(desk / "articles")
    assert {one.id: one for one in before} == {one.id: one for one in after}


LINES = st.lists(
    st.sampled_from(["---", "# a", "- b", "1. c", "```", "> d", "|a|b|", "|-|-|", "", "    e", "\u2028", "<p>f</p>"])
    | st.text(st.characters(codec="utf-8"), max_size=20),
    max_size=8,
).map("\n".join)
articles = st.builds(
    Article,
    id=st.text(max_size=12).map(usable_id),
    title=st.text("ab:#'\" é-[{", min_size=1, max_size=12).map(lambda text: " ".join(f"T{text}".split())),
    markdown=LINES.map(lambda text: f"Words.\n\n{text}"),
    audience=st.sampled_from(["public", "internal"]),
    status=st.sampled_from(["published", "draft"]),
    locale=st.sampled_from(["en", "no", "de-AT"]),
    revision=st.integers(1, 999),
    updated=st.sampled_from(["", "2026-03-31"]),
    owner=st.sampled_from(["", "Tills: all", "null"]),
    tags=st.lists(st.sampled_from(["yes", "a b", "1", "c,d"]), unique=True, max_size=3).map(tuple),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(articles, min_size=1, max_size=3, unique_by=lambda article: article.id))
def test_export_and_import_give_equal_documents(tmp_path_factory: pytest.TempPathFactory, given: list[Article]) -> None:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "desk.toml").touch()
    import_articles(given, folder)
    first = {one.id: one for one in read_articles(folder / "articles")}
    assert first.keys() == {article.id for article in given}
    export_articles(folder, folder / "out.jsonl")
    read = read_source(folder / "out.jsonl", ReadChoices(datetime(2026, 1, 1, tzinfo=UTC)))
    assert not read.refusals
    assert {to_document(article).id: to_document(article) for article in read.articles} == first
    for article in given:
        found = first[article.id]
        assert (found.title, found.audience, found.status) == (article.title, article.audience, article.status)
        assert (found.locale, found.revision, found.updated) == (article.locale, article.revision, article.updated)
        assert (found.owner, found.tags) == (article.owner, article.tags)
