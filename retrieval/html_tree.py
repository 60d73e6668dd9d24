"""HTML as a tree of what an article keeps: cleaned, balanced, and no deeper than can be read in good time."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import nh3

from retrieval.errors import DeepMarkupError
from retrieval.markdown_text import readable

#: The cleaner is quadratic in nesting: deeper markup is refused.
MAX_DEPTH = 256

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
#: What begins and ends a paragraph.
BLOCKS = frozenset(
    (*HEADINGS, "address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "div", "dl", "dt")
) | frozenset(("figcaption", "figure", "footer", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section"))
BLOCKS |= frozenset(("summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"))
KEPT = {*BLOCKS, "a", "br"}
#: Dropped with all that is in them.
DROPPED = {"script", "style", "svg", "math", "template", "noscript", "iframe", "object", "title", "select", "textarea"}
ATTRIBUTES = {
    "a": {"href"},
    "ol": {"start"},
    "li": {"value"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
} | {name: {"class"} for name in ("div", "aside", "section", "p", "table")}
SCHEMES = {"http", "https", "mailto", "tel"}

#: Tags that only change how text looks. A page may open many once and have them all opened again in each paragraph.
LOOKS = "b|big|code|em|font|i|kbd|mark|nobr|s|small|span|strike|strong|sub|sup|tt|u"
LOOK_TAG = re.compile(rf"""</?(?:{LOOKS})(?![\w-])(?:[^<>"']|"[^"<]*"|'[^'<]*')*>""", re.I)
LOOK_START = re.compile(rf"<(?=/?(?:{LOOKS})(?![\w-]))", re.I)
TAG_START = re.compile(r"<(/?)([a-z][a-z0-9-]*)", re.I)
#: Void elements, and those that the next of their kind closes.
NOT_NESTING = frozenset(
    (
        "br",
        "col",
        "dd",
        "dt",
        "embed",
        "hr",
        "img",
        "input",
        "li",
        "link",
        "meta",
        "option",
        "p",
        "td",
        "th",
        "tr",
        "wbr",
    )
)
#: In drawings and formulas other rules hold: there all but these nest.
NOT_NESTING_IN_DRAWINGS = NOT_NESTING - {"col", "input", "link", "option", "td", "th", "tr", "wbr"}


def looks_like_html(text: str) -> bool:
    """Tell whether a text has a tag of HTML that ends, or a line break."""
    tags = {match.group(2).lower() for match in TAG_START.finditer(text) if match.group(1)}
    return bool(tags & {*KEPT, "b", "i", "em", "strong", "span", "html", "body", "code"}) or bool(
        re.search(r"<br ?/?>|<img ", text, re.I)
    )


def depth_of(markup: str) -> int:
    """Return a bound on how deep elements nest; an end tag counts only where it ends the innermost element."""
    names = {name.lower() for _, name in TAG_START.findall(markup)}
    not_nesting = NOT_NESTING_IN_DRAWINGS if names & {"svg", "math"} else NOT_NESTING
    open_elements: list[str] = []
    deepest = 0
    for closing, name in TAG_START.findall(markup):
        lower = name.lower()
        if lower in not_nesting:
            continue
        if not closing:
            open_elements.append(lower)
            deepest = max(deepest, len(open_elements))
        elif open_elements and open_elements[-1] == lower:
            open_elements.pop()
    return deepest


@dataclass(slots=True)
class Element:
    """An element with its attributes and what is in it."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    def rows(self) -> list["Element"]:
        """The rows of a table, those of tables within it left out."""
        parts = [child for child in self.children if isinstance(child, Element)]
        groups = [part.rows() if part.name in ("thead", "tbody", "tfoot") else [part] for part in parts]
        return [row for group in groups for row in group if row.name == "tr"]

    def cells(self) -> list["Element"]:
        """The cells of a row."""
        return [child for child in self.children if isinstance(child, Element) and child.name in ("td", "th")]

    def number(self, attribute: str, otherwise: int) -> int:
        """A whole number that an attribute says."""
        said = self.attributes.get(attribute, "").strip()
        return int(said) if re.fullmatch(r"[0-9]{1,9}", said) else otherwise


def tree_of(markup: str) -> Element:
    """Return clean markup as a tree: the cleaner balances tags, so that the parser never meets a broken one."""
    text = shallow(readable(markup))
    if depth_of(text) > MAX_DEPTH:
        raise DeepMarkupError(f"the markup is nested deeper than {MAX_DEPTH} elements")
    clean = nh3.clean(
        text, tags=KEPT, clean_content_tags=DROPPED, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=None
    )
    builder = _Builder()
    # Character references may have stood for what text must not hold.
    builder.feed(readable(clean))
    builder.close()
    return builder.open[0]


def shallow(markup: str) -> str:
    """Return markup without drawings, formulas and the tags that only change how text looks."""
    for name in ("svg", "math"):
        markup = _without(markup, name)
    return LOOK_START.sub("&lt;", LOOK_TAG.sub("", markup))


def _without(markup: str, name: str) -> str:
    """Return markup without the elements of a name that end."""
    lower, parts, position = markup.lower(), [], 0
    if len(lower) != len(markup):
        return markup
    while (start := lower.find(f"<{name}", position)) >= 0:
        end = lower.find(f"</{name}", start)
        if end < 0:
            break
        parts.append(markup[position:start])
        close = markup.find(">", end)
        position = close + 1 if close >= 0 else len(markup)
    return "".join([*parts, markup[position:]])


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("body")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in ("br", "hr"):
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if len(self.open) > 1 and self.open[-1].name == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def text_of(element: Element) -> str:
    """Return all text in an element, a line break where one is marked."""
    found: list[str] = []
    left: list[Element | str] = [element]
    while left:
        node = left.pop()
        if isinstance(node, str):
            found.append(node)
        else:
            found.append("\n" if node.name == "br" else "")
            left += reversed(node.children)
    return "".join(found)
