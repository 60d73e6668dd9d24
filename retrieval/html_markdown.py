"""HTML into Markdown, so that an article of either kind is read, edited and quoted in the same way."""

import re
from dataclasses import dataclass, field

from retrieval.html_tree import HEADINGS, Element, text_of, tree_of
from retrieval.markdown_text import INLINE_MARK, escaped, leading_escaped

#: Lists and quotations nested deeper are written as if they were not: Markdown's parser gives up far below this.
MAX_CONTAINERS = 10
#: A cell that spans rows is repeated in them where it is no longer than this, in tables of so many columns.
REPEATED_CELL, SPANNED_COLUMNS = 200, 60
MAX_NUMBER = 999_999_999
#: Text nested deeper than this among what is kept is written without its structure.
MAX_LEVEL = 60

CALLOUT = re.compile(r"(?<![a-z])(?:note|warning|callout|alert|tip|important|caution|admonition)(?![a-z])", re.I)
BACKTICKS = re.compile(r"`+")
#: Marks amid words; readable text holds none of these characters.
BREAK, LINK_START, LINK_END = "\x00", "\x01", "\x02"
LINK = re.compile("\x01([^\x01\x02]*)\x02([0-9]+)\x02")
#: Editors leave zero-width spaces in paragraphs that are to look empty.
UNSEEN = " \n\u00ad\u200b\u200c\u200d\u2060\ufeff"
_HASH, _NEWLINE = "\\#", "\n"


def html_to_markdown(markup: str, title: str = "") -> str:
    """Return the Markdown of an HTML body, without scripts, styles, images and emphasis.

    Headings, numbered and nested lists, tables, code, callouts (as quotations) and link targets stay. A first heading
    that only says `title` again goes. Raises `DeepMarkupError`.
    """
    writer = _Writer()
    writer.render(tree_of(markup))
    writer.paragraph()
    lines = writer.lines
    mark, _, first = lines[0].partition(" ") if lines else ("", "", "")
    if title and mark.strip("#") == "" and first == escaped(title).replace("#", _HASH):
        del lines[:2]
    return "\n".join(lines)


@dataclass(slots=True)
class _List:
    """A list that is being written. delimiter: what its numbers end with; another one begins another list."""

    ordered: bool
    number: int
    delimiter: str
    written: int | None = None


@dataclass(slots=True, eq=False)
class _Container:
    """A quotation or list item: what its first line begins with, and what later ones do."""

    first: str
    rest: str
    used: bool = False


@dataclass
class _Writer:
    """Writes elements as blocks of Markdown, each with the marks of the containers that it lies in.

    flat: all on one line, as in a cell of a table. level: how deep the element being written lies.
    """

    flat: bool = False
    level: int = 0
    lines: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    containers: list[_Container] = field(default_factory=list)
    last_containers: list[_Container] = field(default_factory=list)
    lists: list[_List] = field(default_factory=list)
    delimiters: dict[int, str] = field(default_factory=dict)

    def render(self, element: Element) -> None:
        """Write what is in an element."""
        if self.level > MAX_LEVEL:
            self.words.append(text_of(element))
            return
        self.level += 1
        for child in element.children:
            if isinstance(child, str):
                self.words.append(child)
            elif child.name == "br":
                self.words.append(BREAK)
            elif child.name == "a":
                self.link(child)
            else:
                self.paragraph()
                self.block(child)
                self.paragraph()
        self.level -= 1

    def block(self, element: Element) -> None:
        """Write an element that stands on lines of its own."""
        if self.flat:
            self.render(element)
        elif element.name in HEADINGS:
            self.heading(element)
        elif element.name == "pre":
            self.code(text_of(element))
        elif element.name == "table":
            self.table(element)
        elif element.name in ("ol", "ul"):
            self.list(element)
        elif element.name == "li" and self.lists:
            self.item(element)
        elif element.name == "blockquote" or CALLOUT.search(element.attributes.get("class", "")):
            self.inside(_Container("> ", "> "), element)
        else:
            self.render(element)

    def link(self, element: Element) -> None:
        """Write a link; one within the page is only words, and one around blocks stands behind them."""
        target = "%20".join(element.attributes.get("href", "").split())
        if not target or target.startswith("#"):
            self.render(element)
            return
        if not text_of(element).strip():
            return
        self.targets.append(target)
        around_blocks = any(not isinstance(child, str) and child.name not in ("br", "a") for child in element.children)
        if around_blocks:
            self.render(element)
            self.words.append(f" {LINK_START}{target}{LINK_END}{len(self.targets) - 1}{LINK_END}")
            return
        self.words.append(LINK_START)
        self.render(element)
        self.words.append(f"{LINK_END}{len(self.targets) - 1}{LINK_END}")

    def paragraph(self) -> None:
        """Write the words so far as paragraphs: two line breaks in a row part them."""
        if self.flat:
            self.words.append(" ")
            return
        lines = self.inline().split(BREAK)
        self.words = []
        for text in "\n".join(_line(line) for line in lines).split("\n\n"):
            if text.strip(UNSEEN):
                self.emit(text.strip("\n").replace("\n", "\\\n"))

    def inline(self) -> str:
        """Return the words so far as Markdown, line breaks still as they are marked."""
        pieces = LINK.split("".join(self.words))
        text = _marked(pieces[0])
        for shown, number, after in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
            words = _marked(" ".join(shown.replace(BREAK, " ").split()))
            target = self.targets[int(number)].replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E")
            # White space at the edges of the words stands outside the brackets.
            before = " " if shown[:1].isspace() else ""
            text += f"{before}[{words}](<{target}>)" if words else ""
            text += (" " if shown[-1:].isspace() else "") + _marked(after)
        return text

    def heading(self, element: Element) -> None:
        """Write a heading."""
        words = self.one_line(element)
        if words:
            self.emit(f"{'#' * int(element.name[1])} {words.replace('#', _HASH)}")

    def one_line(self, element: Element) -> str:
        """Return what is in an element on one line."""
        writer = _Writer(flat=True, level=self.level)
        writer.render(element)
        return " ".join(writer.inline().replace(BREAK, " ").split())

    def code(self, code: str) -> None:
        """Write preformatted text."""
        longest = max((len(run) for run in BACKTICKS.findall(code)), default=0)
        fence = "`" * max(3, longest + 1)
        if code.strip():
            self.emit(f"{fence}\n{code.strip(_NEWLINE).rstrip()}\n{fence}")

    def list(self, element: Element) -> None:
        """Write a list."""
        depth = len(self.containers)
        last = self.delimiters.get(depth, ")")
        listed = _List(element.name == "ol", element.number("start", 1), "." if last == ")" else ")")
        self.lists.append(listed)
        self.render(element)
        self.paragraph()
        self.lists.pop()
        self.delimiters[depth] = listed.delimiter

    def item(self, element: Element) -> None:
        """Write a list item with its number or dash."""
        listed = self.lists[-1]
        number = element.number("value", listed.number)
        listed.number = min(number + 1, MAX_NUMBER)
        if listed.written is not None and number != listed.written + 1:
            listed.delimiter = "." if listed.delimiter == ")" else ")"
        marker = f"{number}{listed.delimiter} " if listed.ordered else "- "
        if self.inside(_Container(marker, " " * len(marker)), element):
            listed.written = number

    def inside(self, container: _Container, element: Element) -> bool:
        """Write what is in an element within a container, and tell whether that was anything."""
        if len(self.containers) >= MAX_CONTAINERS:
            self.words.append(container.first if container.first != "> " else "")
            self.render(element)
            return False
        self.containers.append(container)
        self.render(element)
        self.paragraph()
        self.containers.pop()
        return container.used

    def table(self, element: Element) -> None:
        """Write a table; one of a single column only lays something out."""
        for child in element.children:
            if isinstance(child, Element) and child.name == "caption":
                self.render(child)
                self.paragraph()
        rows = element.rows()
        if max((len(row.cells()) for row in rows), default=0) <= 1:
            for row in rows:
                for cell in row.cells():
                    self.render(cell)
                    self.paragraph()
            return
        grid = _grid([[(cell, self.one_line(cell)) for cell in row.cells()] for row in rows])
        headed = all(cell.name == "th" for cell in rows[0].cells())
        headed = headed or any(isinstance(child, Element) and child.name == "thead" for child in element.children)
        width = max(map(len, grid))
        header = grid.pop(0) if headed else []
        lines = [header + [""] * (width - len(header)), ["---"] * width, *(line for line in grid if any(line))]
        self.emit("\n".join(f"| {' | '.join(line)} |" for line in lines))

    def emit(self, text: str) -> None:
        """Write a block of lines within the containers that are open."""
        shared = [one for one, other in zip(self.containers, self.last_containers, strict=False) if one is other]
        if self.lines:
            self.lines.append("".join(one.rest for one in shared).rstrip())
        first = "".join(one.rest if one.used else one.first for one in self.containers)
        rest = "".join(one.rest for one in self.containers)
        for number, line in enumerate(text.split("\n")):
            self.lines.append(f"{first if number == 0 else rest}{line}".rstrip(" " if not line else ""))
        for one in self.containers:
            one.used = True
        self.last_containers = list(self.containers)


def _marked(words: str) -> str:
    return INLINE_MARK.sub(r"\\\g<0>", words)


def _line(line: str) -> str:
    """Return one line of a paragraph whose words are marked already."""
    return leading_escaped(" ".join(line.split()))


def _grid(rows: list[list[tuple[Element, str]]]) -> list[list[str]]:
    """Return the cells of each row, those that span several in all of them."""
    grid: list[list[str]] = []
    carried: dict[int, tuple[str, int]] = {}
    for row in rows:
        line: list[str] = []
        for cell, words in [*row, (None, "")]:
            while len(line) in carried:
                text, left = carried.pop(len(line))
                if left > 1:
                    carried[len(line)] = (text, left - 1)
                line.append(text)
            if cell is None:
                break
            rows_spanned = cell.number("rowspan", 1)
            if rows_spanned > 1 and len(line) < SPANNED_COLUMNS:
                carried[len(line)] = (words if len(words) <= REPEATED_CELL else "", rows_spanned - 1)
            line.append(words)
            line += [""] * min(cell.number("colspan", 1) - 1, max(0, SPANNED_COLUMNS - len(line)))
        grid.append(line)
    return grid
