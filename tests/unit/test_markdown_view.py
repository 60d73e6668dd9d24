"""Markdown as HTML: what articles need is there, and nothing that acts (T4), nor takes long (T5)."""

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.console.markdown_view import MAX_LENGTH, SCHEMES, TAGS, as_html


class Reader(HTMLParser):
    """Notes every tag and attribute as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    handle_startendtag = handle_starttag


def check(html: str) -> Reader:
    read = Reader(html)
    assert set(read.tags) <= TAGS
    for tag, name, value in read.attributes:
        assert (tag, name) in {("a", "href"), ("a", "rel"), ("ol", "start")}
        if name == "href":
            assert value.partition(":")[0].lower() in SCHEMES, value
    return read


PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![a](http://canary.example/a.png)",
    "![a](javascript:alert(1))",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:msgbox(1))",
    "[a](file:///etc/passwd)",
    "[a](//canary.example 'x\" onmouseover=\"alert(1)')",
    "[a]: javascript:alert(1)\n\n[a]",
    "[a](/console/sign-out)",
    "[a](\\\\canary.example/share)",
    "[a](?q=1)",
    "<javascript:alert(1)>",
    "<a href=javascript:alert(1)>a</a>",
    "<svg onload=alert(1)>",
    "<math><mtext></mtext><script>alert(1)</script></math>",
    "<iframe src=//canary.example></iframe>",
    "<object data=x></object>",
    "<embed src=x>",
    "<style>*{background:url(//canary.example)}</style>",
    "<link rel=stylesheet href=//canary.example>",
    "<meta http-equiv=refresh content=0;url=//canary.example>",
    "<base href=//canary.example>",
    "<form action=//canary.example><input></form>",
    "<details ontoggle=alert(1) open>",
    "<video><source onerror=alert(1)></video>",
    "<p style=position:fixed>a</p>",
    "<p id=main class=card>a</p>",
    "`</code><script>alert(1)</script>`",
    "```\n</pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\na\n```',
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "# <script>alert(1)</script>",
    "- <svg/onload=alert(1)>",
    "> <iframe src=x>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<<script>script>alert(1)<</script>/script>",
    "\u003cscript\u003ealert(1)\u003c/script\u003e",
    "<!--<img src='--><img src=x onerror=alert(1)>'>",
    "<![CDATA[<script>alert(1)</script>]]>",
    '[a](https://ok.example" onclick="alert(1))',
    "[a](mailto:a@b.example?subject=x%0d%0aBcc:c@d.example)",
    "\x00<script>\x00alert(1)</script>",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_acts_gets_through(payload: str) -> None:
    check(as_html(payload))


@given(st.text(max_size=300))
def test_any_text_gives_allowed_tags_alone(text: str) -> None:
    check(as_html(text))


@given(st.lists(st.sampled_from([*PAYLOADS, "\n\n", "| a |\n|---|\n", "- ", "> ", "```", "[", "](", ")"]), max_size=12))
def test_any_mixture_gives_allowed_tags_alone(parts: list[str]) -> None:
    check(as_html("".join(parts)))


def test_what_articles_are_made_of_is_there() -> None:
    steps, table = "1. one\n2. two", "| a | b |\n|---|---|\n| c | d |"
    html = as_html(f"# Top\n\n## Next\n\nA **bold** [link](https://a.example/b).\n\n{steps}\n\n{table}\n")
    read = check(html)
    assert [tag for tag in read.tags if tag.startswith("h")] == ["h2", "h3"]
    assert {"strong", "a", "ol", "li", "table", "th", "td"} <= set(read.tags)
    assert ("a", "href", "https://a.example/b") in read.attributes
    assert ("a", "rel", "noopener noreferrer nofollow") in read.attributes


@pytest.mark.parametrize("depth", [1, 5, 9, 10, 11, 19, 20, 21, 60, 300])
@pytest.mark.parametrize("mark", ["> ", "- ", "1. "])
def test_no_word_is_lost_however_deep_it_stands(depth: int, mark: str) -> None:
    lists = "".join(f"{' ' * len(mark) * at}{mark}word\n" for at in range(depth))
    text = f"{mark * depth}innermost" if mark == "> " else f"{lists}{' ' * len(mark) * depth}innermost"
    html = as_html(f"{text}\n\nbehind")
    check(html)
    assert "innermost" in html
    assert "behind" in html


def test_what_is_too_long_is_shown_as_it_was_written() -> None:
    html = as_html("*a* <b>" * 200_000)
    assert html.startswith("<pre>*a* &lt;b&gt;*a*")
    assert html.endswith(" …</pre>")
    assert html.count("*a*") == pytest.approx(MAX_LENGTH / 7, abs=1)
    assert as_html("*a* " * 3_000) == f"<pre>{'*a* ' * 3_000}</pre>"  # one paragraph


BOMBS = [">" * 100_000, "a" * 1_000_000, "[" * 100_000, "*a" * 50_000, "- " * 50_000, "`" * 100_000]
BOMBS += [
    "<div>" * 100_000,
    "|" * 90_000,
    "|a|\n|-|\n" + "|a|\n" * 12_000,
    "![" * 4_900,
    "[a](" * 2_400,
    "&a" * 400_000,
]
BOMBS += [("[" * 9_000 + "\n\n") * 110, "[a]: <" * 150_000, "- a\n" * 250_000, "word and more\n\n" * 70_000]


@pytest.mark.parametrize("text", BOMBS)
def test_bombs_are_shown_in_no_time(text: str) -> None:
    began = time.process_time()
    check(as_html(text))
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("markdown", "levels"),
    [
        ("## a\n\n## b", "22"),
        ("# a\n\n### b\n\n# c", "232"),
        ("### a\n\n## b\n\n#### c", "223"),
        ("# a\n\n## b\n\n### c", "234"),
    ],
)
def test_no_level_of_headings_is_skipped(markdown: str, levels: str) -> None:
    read = check(as_html(markdown))
    assert [tag for tag in read.tags if tag in TAGS and tag[0] == "h"] == [f"h{level}" for level in levels]
