"""Article files: every error names the file, the line and the remedy; what is not stated is kept from customers."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.article_files import read_article, read_articles, read_front_matter, read_html_file
from retrieval.article_folder import ReadChoices, read_source
from retrieval.articles import MAX_BYTES, file_text, usable_id
from retrieval.errors import ArticleError
from retrieval.markdown_text import escaped
from retrieval.plain_text import to_plain_text

HEAD = "id: kb-1\ntitle: Reset the till\n"


def write(folder: Path, head: str = HEAD, body: str = "Press the button.\n", name: str = "a.md") -> Path:
    path = folder / name
    path.write_text(f"---\n{head}---\n{body}", encoding="utf-8")
    return path


def refusal(path: Path) -> ArticleError:
    with pytest.raises(ArticleError) as caught:
        read_article(path)
    error = caught.value
    assert error.path == path
    assert str(error) == f"{path}:{error.line}: {error.problem}; {error.remedy}"
    return error


def test_all_keys_are_read(tmp_path: Path) -> None:
    head = HEAD + "audience: public\nstatus: published\nlocale: de\nupdated: 2026-03-01\nowner: Tills\n"
    document = read_article(write(tmp_path, head + "tags: [till, reset]\nrevision: 4\n"))
    assert (document.id, document.title, document.text) == ("kb-1", "Reset the till", "Press the button.\n")
    assert (document.audience, document.status, document.locale) == ("public", "published", "de")
    assert (document.updated, document.owner, document.revision) == ("2026-03-01", "Tills", 4)
    assert document.tags == ("till", "reset")


def test_what_is_not_stated_is_kept_from_customers(tmp_path: Path) -> None:
    document = read_article(write(tmp_path))
    assert (document.audience, document.status) == ("internal", "draft")
    assert (document.locale, document.revision, document.updated, document.tags) == ("en", 1, "", ())


@pytest.mark.parametrize(
    ("head", "line", "problem", "remedy"),
    [
        ("id: kb-1\n", 1, "the article has no title", "add a line `title: …` to its front matter"),
        ("id: kb-1\ntitle: ' '\n", 1, "the article has no title", "add a line `title: …` to its front matter"),
        ("title: A\n", 1, "the article has no id", "add a line `id: …` to its front matter"),
        (HEAD + "colour: red\n", 1, "unknown key 'colour' in the front matter", "use only ['audience', 'id', "),
        (HEAD + "1: x\nzebra: y\n", 1, "unknown key", "use only ['audience', 'id', "),
        ("id: a b\ntitle: A\n", 1, "id 'a b' is not usable", "use letters, digits, dot, dash, at most 64"),
        (f"id: {'a' * 65}\ntitle: A\n", 1, f"id '{'a' * 65}' is not usable", "use letters, digits, dot, dash"),
        (HEAD + "audience: staff\n", 1, "audience is 'staff'", "write internal or public"),
        (HEAD + "audience:\n", 1, "audience is ''", "write internal or public"),
        (HEAD + "status: live\n", 1, "status is 'live'", "write draft or published"),
        (HEAD + "revision: 0\n", 1, "revision is '0'", "write a whole number from 1 up"),
        (HEAD + "revision: two\n", 1, "revision is 'two'", "write a whole number from 1 up"),
        (HEAD + "revision: yes\n", 1, "revision is 'yes'", "write a whole number from 1 up"),
        ("id: kb-1\ntitle: Tills: reset\n", 3, "the front matter does not parse", "quote values with a colon"),
        ("id: [kb-1\n", 3, "the front matter does not parse", "quote values with a colon"),
        ("", 2, "the front matter holds no keys", "write lines such as `title: …`"),
        ("only words\n", 2, "the front matter holds no keys", "write lines such as `title: …`"),
    ],
)
def test_a_bad_front_matter_is_refused(tmp_path: Path, head: str, line: int, problem: str, remedy: str) -> None:
    error = refusal(write(tmp_path, head))
    assert error.line == line
    assert error.problem.startswith(problem)
    assert error.remedy.startswith(remedy)


@pytest.mark.parametrize("line", ["updated: 2026-02-30", "tags: billing", "tags: 7", "locale: [no]"])
def test_a_value_of_the_wrong_kind_is_refused_and_never_changed_in_silence(tmp_path: Path, line: str) -> None:
    assert line.split(":")[0] in str(refusal(write(tmp_path, HEAD + line + "\n")))


def test_a_locale_stays_what_was_written(tmp_path: Path) -> None:
    assert read_article(write(tmp_path, HEAD + "locale: no\n")).locale == "no"


@pytest.mark.parametrize("text", ["", "Just words.\n", "---\ntitle: A\nno end\n", "\n---\nid: a\n---\nBody\n"])
def test_a_file_without_front_matter_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.md"
    path.write_text(text, encoding="utf-8")
    error = refusal(path)
    assert (error.line, error.problem) == (1, "there is no front matter")
    assert error.remedy == "begin the file with `---`, keys, and `---` again"


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("lines", [0, 1, 5_000])
def test_a_file_that_is_not_utf8_is_refused_with_the_line(tmp_path: Path, lines: int, newline: bytes) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(newline.join(["Grüße".encode()] * lines + [b"caf\xe9", b"more"]))
    error = refusal(path)
    assert (error.line, error.problem) == (lines + 1, "the file is not UTF-8")
    assert error.remedy.startswith("save it with the encoding UTF-8 (if it is Windows-1252: iconv -f WINDOWS-1252")


@pytest.mark.parametrize("body", ["", "\n \n", "# Only a heading\n", "![image](https://pictures.example/a.png)\n"])
def test_an_article_without_text_is_refused_where_its_body_starts(tmp_path: Path, body: str) -> None:
    error = refusal(write(tmp_path, body=body))
    assert (error.line, error.problem) == (5, "the article has no text")
    assert error.remedy == "write its body below the front matter"


def test_a_missing_file_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    with (tmp_path / "huge.md").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    problems = {name: refusal(tmp_path / name).problem for name in ("missing.md", "folder.md", "huge.md")}
    assert problems == {
        "missing.md": "the file cannot be read (No such file or directory)",
        "folder.md": "the file cannot be read (Is a directory)",
        "huge.md": "the file is larger than 10 MB",
    }


def test_two_articles_with_one_id_are_refused_naming_a_file(tmp_path: Path) -> None:
    write(tmp_path, name="a.md")
    write(tmp_path, name="b.md")
    with pytest.raises(ArticleError, match=r"the id 'kb-1' is a\.md's already; give one") as caught:
        read_articles(tmp_path)
    assert caught.value.path.name in ("a.md", "b.md")


def test_a_folder_is_read_in_name_order_and_only_markdown(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write(tmp_path, f"id: {name}\ntitle: T\n", name=f"{name}.md")
    write(tmp_path, "broken", name="notes.txt")
    assert [document.id for document in read_articles(tmp_path)] == ["a", "b", "c"]


def test_front_matter_gives_keys_body_and_the_line_of_the_body(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"--- \r\ntitle: A\r\n---\r\nBody\r\n---\r\nMore\r\n")
    assert read_front_matter(path) == ({"title": "A"}, "Body\n---\nMore\n", 4)


NOW = ReadChoices(datetime(2026, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("---\nid: a\n".encode("utf-16"), "the file is UTF-16"),
        (b"---\nid: a\ntitle: A\n---\nx\x00y\n", "the file is not text (it holds a NUL)"),
        (b"---\nid: " + b"[" * 5_000 + b"\n---\nx\n", "the front matter does not parse"),
        (b"---\nid: " + b"a" * 100_000 + b"\n---\nx\n", "there is no front matter"),
    ],
)
def test_what_is_no_text_or_no_front_matter_is_refused(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(data)
    assert refusal(path).problem == problem


def test_surrogates_and_control_characters_do_not_get_in(tmp_path: Path) -> None:
    document = read_article(
        write(tmp_path, 'id: kb-1\ntitle: "a\\ud800b\\ac"\nowner: "x\\ny"\n', "Bell\x07 and\x85line\n")
    )
    assert (document.title, document.owner, document.text) == ("a?bc", "x y", "Bell and line\n")


def test_one_word_is_an_article(tmp_path: Path) -> None:
    assert read_article(write(tmp_path, body="Word")).text == "Word\n"


def test_a_folder_is_read_whole_and_what_is_broken_is_listed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for number in range(30):
        write(tmp_path / "sub", f"id: n{number}\ntitle: T\n", name=f"{number:02}.md")
    write(tmp_path, "id: n7\ntitle: T\n", name="z.md")
    write(tmp_path, "title: T\n", name="b.md")
    (tmp_path / ".hidden.md").write_text("broken", encoding="utf-8")
    steps: list[tuple[int, int]] = []
    read = read_source(tmp_path, NOW, lambda _, done, total: steps.append((done, total)))
    assert len(read.documents) == len(read.articles) == 30
    assert [document.id for document in read.documents] == [article.id for article in read.articles]
    assert [(error.path.name, error.line, error.problem) for error in read.refusals] == [
        ("b.md", 1, "the article has no id"),
        ("z.md", 5, f"the id 'n7' is that of {tmp_path / 'sub' / '07.md'}:5 already"),
    ]
    assert steps == [(done, 32) for done in range(33)]
    with pytest.raises(ArticleError, match="the article has no id"):
        read_source(tmp_path, ReadChoices(NOW.now, strict=True))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<h1>Top</h1><p>a</p>", ("a-b", "Top", "a\n", "internal", "draft", ())),
        ("<p>a</p>", ("a-b", "a b", "a\n", "internal", "draft", ())),
        ("---\nid: x\ntitle: X\nstatus: published\n---\n<p>a</p>", ("x", "X", "a\n", "internal", "published", ())),
        (
            "<title>T</title><meta name='tags' content='a, b'><meta name='audience' content='public'><p>a</p>",
            ("a-b", "T", "a\n", "public", "draft", ("a", "b")),
        ),
    ],
)
def test_a_page_of_html(tmp_path: Path, page: str, expected: tuple[object, ...]) -> None:
    path = tmp_path / "a b.html"
    path.write_text(page, encoding="utf-8")
    article = read_html_file(path)
    text = to_plain_text(article.markdown)[0]
    article_id = article.id if article.id == "x" else article.id[:3]
    assert (article_id, article.title, text, article.audience, article.status, article.tags) == expected


@given(st.text(max_size=30))
def test_an_id_of_any_text_is_usable_and_told_from_others(text: str) -> None:
    assert "/" not in usable_id(text)
    assert usable_id(usable_id(text)) == usable_id(text)
    assert usable_id(f"{text}/") != usable_id(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=30))
def test_escaped_words_read_as_they_are(words: str) -> None:
    plain = " ".join(words.split())
    assert to_plain_text(escaped(words))[0].rstrip("\n") == plain


def test_a_file_that_was_written_reads_as_the_same_article(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "audience: public\nowner: 'no: 7'\ntags: ['yes', b]\nrevision: 3\n", "# A\n\n1. b\n")
    article = next(iter(read_source(path, NOW).articles))
    path.write_text(file_text(article), encoding="utf-8")
    assert read_source(path, NOW).articles == (article,)
