"""Knowledge as nobody should write it: each file, record and query has a result that is stated here, or an error that
names file, line and remedy while all others are read."""

import gc
import gzip
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from small_search import ENCODER, document, search_over

from retrieval.article_files import read_article
from retrieval.article_folder import ArticlesRead, ReadChoices, read_source
from retrieval.article_import import import_articles
from retrieval.dense_index import DenseIndex
from retrieval.documents import Document, Hit
from retrieval.errors import ArticleError, DamagedIndexError
from retrieval.html_markdown import html_to_markdown
from retrieval.lexical_index import tokenize
from retrieval.passages import LONGEST_HEADING, split_into_passages, text_to_encode
from retrieval.plain_text import LONGEST_TEXT, to_plain_text
from retrieval.search import PassageSearch

HEAD = "---\nid: kb-1\ntitle: Reset the till\n"
CHOICES = ReadChoices(datetime(2026, 11, 20, tzinfo=UTC))
MB_5 = 5_000_000
#: Linear work takes 4 times as long on 4 times as much, quadratic work 16 times.
MORE, NOT_QUADRATIC = 4, 11


def article(folder: Path, body: str, keys: str = "") -> Document:
    path = folder / "a.md"
    path.write_bytes(f"{HEAD}{keys}---\n{body}".encode())
    return read_article(path)


def refusal(folder: Path, body: str, keys: str = "") -> ArticleError:
    with pytest.raises(ArticleError) as caught:
        article(folder, body, keys)
    return caught.value


def rows(markdown: str) -> list[str]:
    text, blocks = to_plain_text(markdown)
    return [text[block.start : block.end] for block in blocks]


def folder_of(folder: Path, **files: str | bytes) -> ArticlesRead:
    """Read a folder of such files; a name's double underscore stands for its dot."""
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_source(folder, CHOICES)


def refused(read: ArticlesRead) -> list[str]:
    """What was refused, without the folder and the remedy; every refusal has one."""
    assert all(error.remedy for error in read.refusals)
    return [f"{error.path.name}:{error.line}: {error.problem}" for error in read.refusals]


def ids(read: ArticlesRead) -> list[str]:
    return [one.id for one in read.documents]


def seconds(work: Callable[[str], object], text: str) -> float:
    """The least processor time of three tries, without the collector, which looks at all that other tests left."""
    tries = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            start = time.process_time()
            work(text)
            tries.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(tries)


# ---- sizes ----


@pytest.mark.parametrize(
    ("unit", "passages"),
    [("The till opens with a key. ", 3_700), ("till ", 1_250), ("閉", 416)],
    ids=["sentences", "no full stop", "no spaces"],
)
def test_an_article_of_5_mb_becomes_short_passages_that_lose_nothing(tmp_path: Path, unit: str, passages: int) -> None:
    count = MB_5 // len(unit.encode())
    split = split_into_passages(article(tmp_path, unit * count))
    assert len(split) >= passages
    assert max(len(passage.text) for passage in split) <= LONGEST_TEXT
    kept = "".join("".join(passage.text.split()) for passage in split)
    assert kept == "".join(unit.split()) * count


def test_a_table_cell_and_a_step_of_100_000_characters_are_cut_too(tmp_path: Path) -> None:
    for body, kind in ((f"|a|b|\n|-|-|\n|{'x ' * 50_000}|y|", "row"), (f"1. {'x ' * 50_000}", "step")):
        found = article(tmp_path, body)
        sizes = [block.end - block.start for block in found.blocks]
        assert len(sizes) >= 25
        assert max(sizes) <= LONGEST_TEXT
        assert [block.kind for block in found.blocks[:2]] == [kind, kind if kind == "code" else "paragraph"]


def test_10_000_headings_each_head_their_own_passage_and_alone_are_no_article(tmp_path: Path) -> None:
    found = article(tmp_path, "".join(f"{'#' * (n % 6 + 1)} Part {n}\n\nWord {n}.\n\n" for n in range(10_000)))
    split = split_into_passages(found)
    assert len(split) == 10_000
    assert split[13].headings == ("Part 12", "Part 13")
    assert split[13].text == "Word 13."
    error = refusal(tmp_path, "".join(f"## Part {n}\n\n" for n in range(10_000)))
    assert (error.line, error.problem) == (5, "the article has no text")


def test_a_title_or_heading_of_50_000_characters_is_not_repeated_whole_for_each_passage(tmp_path: Path) -> None:
    sections = "".join(f"## Part {n}\n\nWord {n}.\n\n" for n in range(1_000))
    found = replace(article(tmp_path, f"# {'Very long ' * 5_000}\n\n{sections}"), title="Till " * 10_000)
    seen = [text_to_encode(found, passage) for passage in split_into_passages(found)]
    assert len(seen) == 1_000
    assert max(map(len, seen)) < 2 * LONGEST_HEADING + 50
    assert seen[7].endswith("Part 7\nWord 7.")


@pytest.mark.parametrize("unit", ["# Part\n\nx\n\n", "1. step\n", "|x|y|\n", "![", "*a **b ", "<td>\n\n"])
def test_reading_markdown_is_not_quadratic(unit: str) -> None:
    # A table's rows need their table.
    start = "|a|b|\n|-|-|\n" if unit == "|x|y|\n" else ""
    few = seconds(to_plain_text, start + unit * 500)
    assert seconds(to_plain_text, start + unit * 500 * MORE) < NOT_QUADRATIC * few + 0.1


@pytest.mark.parametrize("unit", ["<p>x</p>", "<tr><td>a<td>b", "<li>x", "&amp;"])
def test_reading_html_is_not_quadratic(unit: str) -> None:
    start = "<table>" if unit.startswith("<tr") else ""
    few = seconds(html_to_markdown, start + unit * 1_000)
    assert seconds(html_to_markdown, start + unit * 1_000 * MORE) < NOT_QUADRATIC * few + 0.1


# ---- tables ----


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("|a|b|c|\n|-|-|-|\n|1|\n|1|2\n1|2|3", ["1", "1 – b: 2", "1 – b: 2; c: 3"]),
        ("|a|b|\n|-|-|\n|1|2|3|4|", ["1 – b: 2"]),
        ("|a|b|\n|-|-|\n|`x \\| y`|2|", ["x | y – b: 2"]),
        ("|a|b|\n|-|-|\n|`x | y`|2|", ["`x – b: y`"]),
        ("|a|b|c|\n|-|-|\n|1|2|3|", ["|a|b|c| |-|-| |1|2|3|"]),
        ("|a|b|\n|1|2|", ["|a|b| |1|2|"]),
        ("|a|b|\n|-|-|", ["a – b"]),
    ],
    ids=["short rows", "long row", "escaped pipe", "pipe in code", "header of another width", "no rule", "no rows"],
)
def test_a_broken_markdown_table_reads_as_a_renderer_shows_it(table: str, expected: list[str]) -> None:
    assert rows(table) == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("<table><tr><th>a<th>b<tr><td>1<td>2", ["1 – b: 2"]),
        ("<table><tr><td>1<td>2</table", ["1 – 2"]),
        ("<table>\n<tr><th>a<th>b</tr>\n\n<tr><td>1<td>2</tr>\n</table>\n\nafter", ["a – b", "1 – 2", "after"]),
        ("<table><tr>\n<td>\n\n```\ncode\n```\n\n</td></tr>\n</table>", ["code"]),
        ("<table><tr><th>a<th>b<tr><td><table><tr><td>1<td>2</table><td>3</table>", ["1 2 – b: 3"]),
        ("<table><tr><td>1<td>2</table> and then", ["1 – 2", "and then"]),
        ("- <table><tr><td>1<td>2</table>", ["1 – 2"]),
    ],
    ids=["unclosed", "cut off", "blank lines", "code in a cell", "nested", "words after it", "in a list"],
)
def test_a_broken_html_table_in_markdown_gives_its_rows_and_no_tags(table: str, expected: list[str]) -> None:
    assert rows(table) == expected


@pytest.mark.parametrize(
    "words",
    ["\\<tr> is a tag", "`<tr>` is a tag", "`<table>` and `</table>`", "<TAB> and <tab>", "```\n<table><tr>\n```"],
)
def test_words_that_name_a_tag_stay(words: str) -> None:
    assert rows(words) == [words.strip("`\n") if words.startswith("```") else words.replace("`", "").replace("\\", "")]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<table><tr><td>1<td>2<tr><td>3", ["1 – 2", "3"]),
        ("<table><tr><td>1<table><tr><td>2<td>3</table><td>4</table>", ["1 2 3 – 4"]),
        ("<td>1</td><tr>2", ["12"]),
        ("<table>1<tr><td>2<td>3</table>4", ["1", "2 – 3", "4"]),
        ("<table></table><table><tr></table>x", ["x"]),
    ],
    ids=["unclosed", "nested", "cells without a table", "words without a cell", "empty"],
)
def test_a_broken_table_of_a_page_loses_no_words(page: str, expected: list[str]) -> None:
    assert rows(html_to_markdown(page)) == expected


# ---- bytes and signs ----


def test_files_of_other_encodings_are_named_with_their_line_and_the_sound_one_is_read(tmp_path: Path) -> None:
    read = folder_of(
        tmp_path,
        sound__md=f"{HEAD}---\nPress it.\n",
        latin__html=b"<p>One</p>\n<p>caf\xe9</p>",
        latin__csv=b"id,title,text\na,A,caf\xe9\n",
        latin__jsonl=b'{"id": "b"}\n{"id": "caf\xe9"}\n',
        nul__html=b"<p>One</p>\n\x00",
        nul__jsonl__gz=gzip.compress(b'{"id": "b"}\n\x00'),
        utf16__csv="id,title,text\n".encode("utf-16"),
        utf16_without_mark__md=HEAD.encode("utf-16-le"),
    )
    assert ids(read) == ["kb-1"]
    assert refused(read) == [
        "latin.csv:2: the file is not UTF-8",
        "latin.html:2: the file is not UTF-8",
        "latin.jsonl:2: the file is not UTF-8",
        "nul.html:2: the file is not text (it holds a NUL)",
        "nul.jsonl.gz:2: the file is not text (it holds a NUL)",
        "utf16.csv:1: the file is UTF-16",
        "utf16_without_mark.md:1: the file is not text (it holds a NUL)",
    ]


def test_a_byte_order_mark_and_old_line_ends_change_nothing(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    read = folder_of(
        tmp_path,
        a__md=mark + b"---\rid: a\rtitle: A\r---\r# Till\r\rOne\rtwo\r",
        b__csv=mark + b'id,title,text\r"b",B,One\r\n',
        c__jsonl=mark + b'{"id": "c", "title": "C", "text": "One"}\r\n\r\n',
        d__html=mark + b"---\r\nid: d\r\ntitle: D\r\n---\r\n<p>One\rtwo</p>",
    )
    assert not read.refusals
    assert [one.text for one in read.documents] == ["Till\nOne two\n", "One\n", "One\n", "One two\n"]


def test_right_to_left_text_and_piled_marks_stay_as_they_were_written(tmp_path: Path) -> None:
    for words in ("לחץ על כפתור האיפוס", "e\u0301 caf\u0065\u0301", "a" + "\u0301" * 20_000, "\u202eabc\u202c x"):
        found = article(tmp_path, words)
        assert found.text == f"{words}\n"
        assert "".join(passage.text for passage in split_into_passages(found)).replace(" ", "") == words.replace(
            " ", ""
        )


def test_a_line_of_100_000_characters_is_read(tmp_path: Path) -> None:
    assert len(article(tmp_path, f"{'z' * 100_000} end").text) == 100_005
    assert article(tmp_path, f"a{' ' * 100_000}b").text == "a b\n"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>a&#1;b&#2;0&#2;c</p>", ["ab0c"]),
        ("<p>a&#x2028;b&#11;c&#13;d</p>", ["a b c d"]),
        ("<p>&#x85;&#xD800;&#99999999999;</p>", ["…\ufffd\ufffd"]),
        ("<a href='https://a.example/&#1;&#2;'>x</a>", ["x (https://a.example/)"]),
        ("<pre>a&#8;b&#27;</pre>", ["ab"]),
        ("<p>&#8203;</p><p>&nbsp;&shy;</p><p>a&#8203;b</p>", ["a\u200bb"]),
        ("<p>&lt;script&gt;x&amp;amp;&copy;&nosuch;</p>", ["<script>x&amp;©&nosuch;"]),
        ("<script>x</script><style>p{}</style><!-- y --><p onclick=z>a</p><script>", ["a"]),
    ],
)
def test_references_and_scripts_leave_only_what_may_be_read(page: str, expected: list[str]) -> None:
    assert rows(html_to_markdown(page)) == expected


def test_a_page_of_scripts_alone_is_refused_like_one_without_text(tmp_path: Path) -> None:
    read = folder_of(
        tmp_path, a__html="<script>x</script>", b__html="<p>&#8203;&nbsp;</p>", c__html="", d__html="<p>x</p>"
    )
    assert [error.split(":", 1)[1] for error in refused(read)] == ["1: the article has no text"] * 3
    assert [one.text for one in read.documents] == ["x\n"]


# ---- what little there may be ----


def test_only_code_is_an_article_and_only_a_front_matter_is_none(tmp_path: Path) -> None:
    found = article(tmp_path, "```\nfirstline --help\n```\n")
    assert [passage.text for passage in split_into_passages(found)] == ["firstline --help"]
    error = refusal(tmp_path, "")
    assert (error.line, error.problem) == (5, "the article has no text")


# ---- front matter ----


@pytest.mark.parametrize(
    ("keys", "line", "problem"),
    [
        ("audience: internal\naudience: public\n", 5, "the key 'audience' stands twice in the front matter"),
        ("id: kb-2\n", 4, "the key 'id' stands twice in the front matter"),
        ("<<: {audience: public}\n", 1, "unknown key '<<' in the front matter"),
        ("owner: !!python/object/apply:os.system ['id']\n", 1, "owner is not a text"),
        ("tags: &a [*a]\n", 4, "the front matter does not parse"),
        ("owner: *nobody\n", 4, "the front matter does not parse"),
        ("? [a, b]\n: c\n", 4, "the front matter does not parse"),
        ("\towner: x\n", 4, "the front matter does not parse"),
    ],
)
def test_a_front_matter_that_plays_tricks_is_refused_by_its_line(
    tmp_path: Path, keys: str, line: int, problem: str
) -> None:
    error = refusal(tmp_path, "Words.", keys)
    assert (error.line, error.problem) == (line, problem)


def test_aliases_that_multiply_are_refused_at_once_and_a_plain_one_is_its_value(tmp_path: Path) -> None:
    bomb = "tags:\n- &a0 [x]\n" + "".join(f"- &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 40))
    start = time.process_time()
    assert refusal(tmp_path, "Words.", bomb).problem == "tags is not a list"
    assert time.process_time() - start < 2
    assert article(tmp_path, "Words.", "owner: &me Tills\ntags: [*me]\n").tags == ("Tills",)


@pytest.mark.parametrize(
    "said", ["2026-13-01", "01.02.2026", "2026-3-1", "2026-03-01T10:00:00Z", "yesterday", "0000-00-00", "1772355600"]
)
def test_a_date_of_another_form_is_refused_with_an_example(tmp_path: Path, said: str) -> None:
    error = refusal(tmp_path, "Words.", f"updated: {said}\n")
    assert (error.line, error.problem) == (1, f"updated is '{said}'")
    assert error.remedy == "write a date such as 2026-03-31"


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2026-03-01T23:59:59+14:00", "2026-03-01"),
        (1772355600, "2026-03-01"),
        ("1772355600", "2026-03-01"),
        (10**30, ""),
        (-1e9, ""),
        ("01.02.2026", ""),
        ("2026-13-01", ""),
        ([], ""),
    ],
)
def test_an_exports_odd_date_is_left_out_and_its_article_read(tmp_path: Path, said: object, day: str) -> None:
    record = {"id": "a", "title": "A", "text": "Words.", "updated": said}
    read = folder_of(tmp_path, a__jsonl=json.dumps(record))
    assert [one.updated for one in read.documents] == [day]
    assert not read.refusals


# ---- records ----


def test_a_broken_line_of_jsonl_is_named_and_the_lines_around_it_are_read(tmp_path: Path) -> None:
    sound = [json.dumps({"id": f"n{n}", "title": "T", "text": "Words."}) for n in range(3)]
    read = folder_of(
        tmp_path,
        a__jsonl="\n".join(
            [sound[0], '{"id": "x", "title"', sound[1], "[" * 100_000, "7", '{"id": 1, "id": 2}', sound[2]]
        ),
    )
    assert ids(read) == ["n0", "n1", "n2"]
    assert refused(read) == [
        "a.jsonl:2: not JSON (Expecting ':' delimiter, at character 20)",
        "a.jsonl:4: JSON nested too deep",
        "a.jsonl:5: not an article",
        "a.jsonl:6: not JSON (a key stands twice in one object)",
    ]


def test_broken_json_is_named_by_the_line_within_it(tmp_path: Path) -> None:
    read = folder_of(tmp_path, a__json='[\n {"id": "a",\n  "title" "A"}\n]\n')
    assert refused(read) == ["a.json:3: not JSON (Expecting ':' delimiter, at character 11)"]


def test_a_csv_without_a_column_says_which_key_each_record_lacks(tmp_path: Path) -> None:
    read = folder_of(
        tmp_path,
        no_id__csv="name,title,text\na,A,x\n",
        no_text__csv="id,title,owner\na,A,x\n",
        no_title__csv="id,name,text\na,A,x\n",
        short__csv="id,title,text\nb,B,x\nc,C\n",
    )
    assert ids(read) == ["b"]
    assert refused(read) == [
        "no_id.csv:2: the article has no id",
        "no_text.csv:2: the article has no markdown or html or body_html",
        "no_title.csv:2: the article has no title",
        "short.csv:3: the record has 2 values, and the header 3",
    ]


def test_a_csv_of_semicolons_is_refused_once_and_not_by_each_of_its_records(tmp_path: Path) -> None:
    read = folder_of(tmp_path, a__csv="id;title;text\n" + "a;A;x\n" * 100)
    assert refused(read) == ["a.csv:1: the header has fewer columns than id, title and text"]
    assert read.refusals[0].remedy == "separate columns with commas, in a .tsv with tabs"


def test_of_one_id_in_several_formats_the_first_file_by_name_is_read(tmp_path: Path) -> None:
    read = folder_of(
        tmp_path,
        a__md=f"{HEAD}---\nOne.\n",
        b__html="<meta name=id content=kb-1><title>T</title><p>Two</p>",
        c__jsonl='{"id": "kb-1", "title": "T", "text": "Three"}\n{"id": "KB-1", "title": "T", "text": "Four"}',
        d__csv="id,title,text\nkb-1,T,Five\nkb-2,T,Six\n",
    )
    assert [(one.id, one.text) for one in read.documents] == [("kb-1", "One.\n"), ("KB-1", "Four\n"), ("kb-2", "Six\n")]
    already = f"the id 'kb-1' is that of {tmp_path / 'a.md'}:5 already"
    assert refused(read) == [f"b.html:1: {already}", f"c.jsonl:1: {already}", f"d.csv:2: {already}"]


def test_an_import_goes_into_the_first_of_two_files_with_one_id_which_is_the_one_that_is_read(tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    (desk / "articles").mkdir(parents=True)
    (desk / "desk.toml").touch()
    for name in ("a.md", "b.md"):
        (desk / "articles" / name).write_text(f"{HEAD}---\nOld words.\n", encoding="utf-8")
    (tmp_path / "new").mkdir()
    read = folder_of(tmp_path / "new", a__md=f"{HEAD}---\nNew words.\n")
    assert import_articles(read.articles, desk, replace=True).written == 1
    assert read_article(desk / "articles" / "a.md").text == "New words.\n"
    assert read_article(desk / "articles" / "b.md").text == "Old words.\n"


def test_odd_articles_that_were_imported_read_as_before(tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "desk.toml").touch()
    (tmp_path / "new").mkdir()
    read = folder_of(
        tmp_path / "new",
        con__md=f"{HEAD.replace('kb-1', 'con')}tags: ['a: b', '- c', '#d', '']\nowner: 'null'\n---\n---\n\nA rule.\n",
        long__jsonl=json.dumps({"id": "x" * 500, "title": "T " * 5_000, "text": f"{'word ' * 50_000}\n---\nid: y"}),
        rtl__html="<title>\u202eאיפוס</title><table><tr><td>1<td>2|3",
    )
    assert not read.refusals
    assert import_articles(read.articles, desk).written == 3
    again = {one.id: one for one in read_source(desk / "articles", CHOICES).documents}
    assert again == {one.id: one for one in read.documents}


# ---- queries and vectors ----


@pytest.fixture(scope="module")
def search() -> PassageSearch:
    texts = {
        "till": "Press the reset button of the till.",
        "feed": "The bank feed stopped with BR-77120.",
        "rtl": "איפוס",
    }
    return search_over([document(id, "", text) for id, text in texts.items()])


def find(search: PassageSearch, query: str) -> list[Hit]:
    return search.find(query, ENCODER.encode([query])[0])


def test_no_knowledge_answers_no_query() -> None:
    nothing = search_over([])
    for query in ("reset the till", "", "BR-77120", "word " * 20_000):
        assert find(nothing, query) == []


@pytest.mark.parametrize(
    "query", ["the", "🙂🙃", "\u202e", "\u0301" * 20, "_" * 20_000, "." * 20_000, "\u200b", "\x00"]
)
def test_a_query_without_words_finds_nothing(search: PassageSearch, query: str) -> None:
    assert find(search, query) == []


@pytest.mark.parametrize("rest", ["word ", "BR-77120 ", "e\u0301 ", "🙂 till ", "x"], ids=lambda rest: ascii(rest))
def test_a_query_of_20_000_words_finds_what_its_first_ones_name(search: PassageSearch, rest: str) -> None:
    start = time.process_time()
    hits = find(search, f"reset till {rest * 20_000}")
    assert "till" in [hit.document.id for hit in hits]
    assert all(np.isfinite(hit.score) for hit in hits)
    assert time.process_time() - start < 5


def test_20_000_different_identifiers_are_searched_in_time(search: PassageSearch) -> None:
    start = time.process_time()
    hits = find(search, " ".join(f"BR-{number}" for number in range(70_000, 90_000)))
    assert hits[0].document.id == "feed"
    assert time.process_time() - start < 5


def test_words_from_right_to_left_are_found(search: PassageSearch) -> None:
    assert tokenize("\u202eאיפוס\u202c") == ["איפוס"]
    assert find(search, "\u202eאיפוס\u202c")[0].document.id == "rtl"


def test_a_zero_vector_in_the_index_is_near_nothing_and_still_found_by_its_words(search: PassageSearch) -> None:
    vectors = ENCODER.encode([text_to_encode(search.documents[one.document_id], one) for one in search.passages])
    vectors[0] = 0
    damaged = replace(search, dense=DenseIndex.build(vectors))
    (till,) = (hit for hit in find(damaged, "press the reset button") if hit.document.id == "till")
    assert (till.dense, till.terms) == (0.0, ("press", "reset", "button"))
    assert find(damaged, "BR-77120")[0].document.id == "feed"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_vector_that_is_not_finite_is_not_indexed(number: float) -> None:
    vectors = np.eye(3, 8, dtype=np.float32)
    vectors[1, 2] = number
    with pytest.raises(DamagedIndexError, match="not finite"):
        DenseIndex.build(vectors)
