"""Markdown as safe HTML: what an article looks like, and nothing that could act, load, or reach elsewhere."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

#: Characters; what is longer is shown as it was written.
MAX_LENGTH = 1_000_000
#: A paragraph of more is shown as it was written: some of Markdown's marks take time that is quadratic in a paragraph.
MAX_PARAGRAPH = 50_000
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


def as_html(markdown: str) -> Markup:
    """Return Markdown as HTML that may stand in a page: headings from the second level on, none skipped; no pictures,
    no HTML of its own; links to web and mail addresses alone. Takes time linear in the text.
    """
    import nh3

    if len(markdown) > MAX_LENGTH or any(len(part) > MAX_PARAGRAPH for part in markdown.split("\n\n")):
        return Markup("<pre>%s</pre>") % escape(markdown[:MAX_LENGTH])
    rendered = _outlined(_parser().render(markdown))
    # The parser lets no HTML through; the cleaner holds where the parser has a fault.
    return Markup(  # noqa: S704 - this is what makes it safe
        nh3.clean(
            rendered,
            tags=TAGS,
            attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
            url_schemes=SCHEMES,
            link_rel="noopener noreferrer nofollow",
        )
    )


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

    return MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table").disable("image")
