"""Markdown into plain text and blocks, so that a draft can quote an article and point at the place."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.documents import Block, BlockKind

#: The parser drops in silence what is nested deeper than this: such a body is read line by line, as it stands.
MAX_NESTING = 60

_parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING, "html": False}).enable("table")


def to_plain_text(markdown: str) -> tuple[str, tuple[Block, ...]]:
    """Return the plain text of a Markdown body and its blocks in order.

    Emphasis and images vanish; a link keeps its target where its words do not say it; a numbered step keeps its
    number, a bullet its dash, and a table row becomes "cell – header: cell; header: cell", so that it can be read
    without its table.
    """
    writer = _Writer()
    tokens = _parser.parse(markdown)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        for line in markdown.splitlines():
            writer.block("paragraph", line)
        return writer.text, tuple(writer.blocks)
    position = 0
    while position < len(tokens):
        position += writer.take(tokens, position)
    return writer.text, tuple(writer.blocks)


@dataclass
class _Writer:
    """Collects lines of plain text and the blocks that lie in them."""

    text: str = ""
    blocks: list[Block] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    numbers: list[int | None] = field(default_factory=list)
    marker: str = ""

    def take(self, tokens: list[Token], position: int) -> int:
        """Write what begins at a token, and return how many tokens that took."""
        token = tokens[position]
        if token.type == "heading_open":
            self.heading(int(token.tag[1]), inline_text(tokens[position + 1]))
            return 3
        if token.type == "table_open":
            end = next(i for i in range(position, len(tokens)) if tokens[i].type == "table_close")
            for row in _table_rows(tokens[position:end]):
                self.block("row", row)
            return end - position + 1
        if token.type == "inline":
            kind: BlockKind = "paragraph" if not self.marker else ("bullet" if self.marker == "- " else "step")
            self.block(kind, self.marker + inline_text(token))
            self.marker = ""
        elif token.type in ("fence", "code_block"):
            self.block("code", token.content)
        else:
            self.list_mark(token)
        return 1

    def list_mark(self, token: Token) -> None:
        """Keep count of lists and their items."""
        if token.type in ("ordered_list_open", "bullet_list_open"):
            start = int(token.attrs.get("start", 1))
            self.numbers.append(start if token.type == "ordered_list_open" else None)
        elif token.type in ("ordered_list_close", "bullet_list_close"):
            self.numbers.pop()
        elif token.type == "list_item_open":
            number = self.numbers[-1]
            self.marker = "- " if number is None else f"{number}. "
            self.numbers[-1] = None if number is None else number + 1
        elif token.type == "list_item_close":
            self.marker = ""

    def heading(self, level: int, title: str) -> None:
        """Write a heading, which the blocks after it lie under."""
        self.headings = [(depth, name) for depth, name in self.headings if depth < level] + [(level, title)]
        self.text += f"\n{title}\n" if self.text else f"{title}\n"

    def block(self, kind: BlockKind, text: str) -> None:
        """Write a block, unless there is nothing in it."""
        text = text.strip("\n").rstrip() if kind == "code" else text.strip()
        if not text:
            return
        start = len(self.text)
        self.text += text
        self.blocks.append(Block(kind, start, len(self.text), tuple(name for _, name in self.headings)))
        self.text += "\n"


def inline_text(token: Token) -> str:
    """Return an inline token's words without marks; a link keeps its words, and its target where that differs."""
    words = ""
    targets: list[tuple[int, str]] = []
    for child in token.children or []:
        if child.type in ("text", "code_inline", "html_inline"):
            words += child.content
        elif child.type in ("softbreak", "hardbreak"):
            words += " "
        elif child.type == "link_open":
            targets.append((len(words), str(child.attrs.get("href", ""))))
        elif child.type == "link_close" and targets:
            start, target = targets.pop()
            shown = words[start:]
            if target.removeprefix("https://").removeprefix("mailto:") not in shown:
                words += f" ({target})"
    return " ".join(words.split())


def _table_rows(tokens: list[Token]) -> Iterator[str]:
    header: list[str] = []
    cells: list[str] = []
    for token in tokens:
        if token.type == "inline":
            cells.append(inline_text(token))
        elif token.type == "tr_close":
            if header:
                yield _row_text(header, cells)
            else:
                header = cells
            cells = []


def _row_text(header: list[str], cells: list[str]) -> str:
    named = [(name, cell) for name, cell in zip(header, cells, strict=False) if cell]
    if not named:
        return ""
    lead = named[0][1] if not named[0][0] or header[0] == named[0][0] else f"{named[0][0]}: {named[0][1]}"
    rest = [f"{name}: {cell}" if name else cell for name, cell in named[1:]]
    return f"{lead} – {'; '.join(rest)}" if rest else lead
