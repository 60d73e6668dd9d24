"""Markdown as safe HTML: what an article looks like, and nothing that could act, load, or reach elsewhere."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore

#: Characters; of what is longer the beginning is shown, as it was written.
MAX_LENGTH = 1_000_000
#: What takes time is not words but marks, and lines: with more of them a text is shown as it was written.
MAX_MARKS, MARKS = 20_000, "\n[]*_`!<>&|\\#-+~="
#: Characters of one paragraph, step or cell: what brackets and stars in it belong to takes quadratic time.
MAX_PARAGRAPH = 10_000
#: A list in a list takes two levels. Deeper ones cost time and Python's stack, and nobody could read them.
MAX_NESTING = 20
TAGS = {
    *(
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "p",
        "ul",
        "ol",
        "li",
        "strong",
        "em",
        "code",
        "pre",
        "blockquote",
        "hr",
        "br",
        "a",
    ),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
SCHEMES = {"https", "http", "mailto"}
HEADING = re.compile(r"<(/?)h([1-6])>")


class _TooMuch(Exception):
    """A text that would take long, or that the parser would leave a part of out."""


def as_html(markdown: str) -> Markup:
    """Return Markdown as HTML that may stand in a page: headings from the second level on, none skipped; no pictures,
    no HTML of its own; links to web and mail addresses alone. What is too long or too deep is shown as it was written.
    """
    import nh3

    if len(markdown) > MAX_LENGTH or sum(map(markdown.count, MARKS)) > MAX_MARKS:
        return _as_written(markdown)
    try:
        rendered = _outlined(_parser().render(markdown))
    except _TooMuch:
        return _as_written(markdown)
    # The parser lets no HTML through; the cleaner holds where the parser has a fault.
    return Markup(  # noqa: S704 - this is what makes it safe
        nh3.clean(
            rendered,
            tags=TAGS,
            attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
            url_schemes=SCHEMES,
            url_relative="deny",
            link_rel="noopener noreferrer nofollow",
        )
    )


def _as_written(markdown: str) -> Markup:
    shown = markdown if len(markdown) <= MAX_LENGTH else f"{markdown[:MAX_LENGTH]} …"
    return Markup("<pre>%s</pre>") % escape(shown)


def _outlined(html: str) -> str:
    """Return HTML whose headings go on from a page's first: each one level below the one that it stands under."""
    above: list[int] = []  # levels as they were written, of the headings that a heading stands under

    def renumbered(tag: re.Match[str]) -> str:
        level = int(tag[2])
        if not tag[1]:
            while above and above[-1] >= level:
                above.pop()
            above.append(level)
        return f"<{tag[1]}h{min(6, len(above) + 1)}>"

    return HEADING.sub(renumbered, html)


@lru_cache(maxsize=1)
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING}).enable("table").disable("image")
    parser.core.ruler.before("inline", "look_at_blocks", _look_at_blocks)
    return parser


def _look_at_blocks(state: "StateCore") -> None:
    """Refuse what takes long, and what the parser drops in silence because it lies too deep."""
    for token in state.tokens:
        if token.level >= MAX_NESTING - 1 or (token.type == "inline" and len(token.content) > MAX_PARAGRAPH):
            raise _TooMuch
