"""HTML into Markdown: what a reader of the page sees is what a reader of the article sees."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import DeepMarkupError
from retrieval.html_markdown import html_to_markdown
from retrieval.html_tree import MAX_DEPTH, looks_like_html
from retrieval.plain_text import to_plain_text


def blocks_of(markup: str, title: str = "") -> list[tuple[str, str]]:
    """Kind and text of every block that the Markdown has."""
    text, blocks = to_plain_text(html_to_markdown(markup, title))
    return [(block.kind, text[block.start : block.end]) for block in blocks]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>One <b>two</b>\n three&nbsp;&amp; &lt;four&gt;</p>five", "One two three & <four>|five"),
        ("a<br>b<br><br>c", "a b|c"),
        ("<p>1. no list</p><p># no heading</p><p>- *x* _y_ `z` [w](v)", "1. no list|# no heading|- *x* _y_ `z` [w](v)"),
        ("<script>x</script><style>y</style><svg><text>z</text></svg><p>a</p><img alt=b src=c>", "a"),
        ("<div class='callout--warning'><p>a</p><ol><li>b</ol></div>", "a|step 1. b"),
        ("<blockquote><ol><li>a<p>b</p></ol></blockquote>", "step 1. a|b"),
        ("<dl><dt>a<dd>b</dl>", "a|b"),
        ("<details><summary>a</summary>b</details>", "a|b"),
        ("<ol start=3><li>a<li>b<ul><li>c<ol><li>d</ol></ul></ol>", "step 3. a|step 4. b|bullet - c|step 1. d"),
        ("<ul><li>a<li><p>e</p><p>f</p></ul>", "bullet - a|bullet - e|f"),
        ("<ol><li>a</ol><ol><li>b<li value=9>c<li></li><li>d</ol>", "step 1. a|step 1. b|step 9. c|step 11. d"),
        ("<pre><code>if x:\n    ```run```\n\n</code></pre>", "code if x:\n    ```run```"),
        ("<ol><li>a<pre>x\n\n  y</pre><li>b</ol>", "step 1. a|code x\n\n  y|step 2. b"),
        ("", ""),
    ],
)
def test_blocks(markup: str, expected: str) -> None:
    shown = [text if kind == "paragraph" else f"{kind} {text}" for kind, text in blocks_of(markup)]
    assert "|".join(shown) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<tr><th>Plan<th>Price|EUR<tr><td>A<td>9", ["A – Price|EUR: 9"]),
        ("<thead><tr><td>Plan<td>Price<tbody><tr><td>A<td>9", ["A – Price: 9"]),
        ("<tr><td>A<td>9<tr><td>B<td>8", ["A – 9", "B – 8"]),
        ("<tr><th>Plan<td>A<tr><th>Price<td>9", ["Plan – A", "Price – 9"]),
        ("<tr><th>a<th>b<th>c<tr><td rowspan=2>x<td>1<td>2<tr><td>3<td>4", ["x – b: 1; c: 2", "x – b: 3; c: 4"]),
        ("<tr><th>a<th>b<th>c<tr><td colspan=2>x<td>2", ["x – c: 2"]),
        ("<tr><th>a<th>b<tr><td>x<br>y<td><ul><li>1<li>2</ul>", ["x y – b: 1 2"]),
        ("<tr><th>a<th>b", ["a – b"]),
        ("<tr><td>a<td>b<td>c<tr><td>d", ["a – b; c", "d"]),
    ],
)
def test_tables(markup: str, expected: list[str]) -> None:
    assert blocks_of(f"<table>{markup}</table>") == [("row", row) for row in expected]


def test_a_table_that_only_lays_something_out_is_none() -> None:
    markup = "<table><tr><td><h2>A</h2><ol><li>b</ol></td></tr></table>"
    assert blocks_of(markup) == [("step", "1. b")]
    assert to_plain_text(html_to_markdown(markup))[1][0].headings == ("A",)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<a href="https://help.example/a b">the <i>guide</i></a> now', "the guide (https://help.example/a%20b) now"),
        ('<a href="mailto:a@b.example">write</a>', "write (mailto:a@b.example)"),
        ('<a href="#part">part</a>', "part"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="data:text/html,y">x</a>', "x"),
        ('<a href="https://a.example/)](b">x</a>', "x (https://a.example/)%5D(b)"),
        ('<a href="https://a.example"><img src=x></a>', None),
    ],
)
def test_links_keep_words_and_target(markup: str, expected: str | None) -> None:
    assert blocks_of(markup) == ([("paragraph", expected)] if expected else [])


def test_headings_and_the_title_that_says_itself_again() -> None:
    text, blocks = to_plain_text(html_to_markdown("<h1>C# <i>tills</i> #</h1><p>a</p><h2></h2><h3>B</h3>b", "C# tills"))
    assert text == "C# tills #\na\n\nB\nb\n"
    assert [block.headings for block in blocks] == [("C# tills #",), ("C# tills #", "B")]
    assert to_plain_text(html_to_markdown("<h1>C# tills</h1><p>a</p>", "C# tills"))[0] == "a\n"


@pytest.mark.parametrize("element", ["div", "blockquote", "ul", "ol><li", "section", 'div title="<"', "table><tr><td"])
def test_markup_that_is_too_deep_is_refused_and_a_little_less_is_read(element: str) -> None:
    name = re.split("[> ]", element)[0]
    with pytest.raises(DeepMarkupError, match="nested deeper than 256"):
        html_to_markdown(f"<{element}>" * (MAX_DEPTH + 1) + "words")
    assert "words" in to_plain_text(html_to_markdown(f"<{element}>" * 120 + "words" + f"</{name}>" * 120))[0]


def test_hostile_markup_is_read_in_time() -> None:
    # Each would take minutes in quadratic time.
    for markup in (
        "".join(f"<b a={n}>" for n in range(200)) + "<p>x" * 1_000,
        "<svg>" * 100_000,
        "<svg>" + "<td>" * 100_000,
        '<b "' * 50_000,
        "<!--" * 50_000,
        "<table><tr>" + "<td rowspan=99999 colspan=99999>x" * 500,
    ):
        try:
            html_to_markdown(markup)
        except DeepMarkupError:
            continue


@pytest.mark.parametrize(
    ("text", "is_html"),
    [("<p>a</p>", True), ("a<br>b", True), ("a < b and c > d", False), ("press <Enter>", False), ("<b>a</b>", True)],
)
def test_html_is_told_from_text(text: str, is_html: bool) -> None:
    assert looks_like_html(text) == is_html


WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12).map(html.escape)
TAGS = ("p", "div", "h2", "ul", "ol", "li", "blockquote", "table", "tr", "td", "th", "pre", "b", "a href='/1'", "br")


def wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def wrap(tag: str, parts: list[str]) -> str:
        return f"<{tag}>{''.join(parts)}</{tag.split()[0]}>"

    return st.builds(wrap, st.sampled_from(TAGS), st.lists(inner, max_size=4))


@settings(max_examples=60, deadline=None)
@given(st.recursive(WORDS, wrapped, max_leaves=15))
def test_no_letter_of_a_page_is_lost(markup: str) -> None:
    text = to_plain_text(html_to_markdown(markup))[0]
    seen = [sign for sign in html.unescape(re.sub(r"<[^<>]*>", "", markup)) if sign.isalpha()]
    # What stands in a table outside its cells is put before it by the rules of HTML, so order is not looked at.
    assert sorted(sign for sign in text if sign.isalpha()) == sorted(seen)
