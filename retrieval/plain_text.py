"""Markdown into plain text and blocks, so that a draft can quote an article and point at the place."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.documents import Block, BlockKind

#: Deeper nesting is shown as text (THREATS: nesting makes parsers slow).
MAX_NESTING = 20

_parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING, "html": False}).enable("table")


@dataclass
class _Writer:
    """Collects lines of plain text and the blocks that lie in them."""

    text: str = ""
    blocks: list[Block] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)

    def heading(self, level: int, title: str) -> None:
        self.headings = [(depth, name) for depth, name in self.headings if depth < level] + [(level, title)]
        self.text += f"\n{title}\n" if self.text else f"{title}\n"

    def block(self, kind: BlockKind, text: str) -> None:
        text = text.strip()
        if not text:
            return
        start = len(self.text)
        self.text += text
        self.blocks.append(Block(kind, start, len(self.text), tuple(name for _, name in self.headings)))
        self.text += "\n"


def to_plain_text(markdown: str) -> tuple[str, tuple[Block, ...]]:
    """Return the plain text of a Markdown body and its blocks in order.

    Emphasis, link targets in brackets and images vanish; a numbered step keeps its number, a bullet its dash, and a
    table row becomes "header: cell; header: cell", so that it can be read without its table.
    """
    writer = _Writer()
    tokens = _parser.parse(markdown)
    lists: list[int | None] = []
    marker = ""
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.type == "heading_open":
            writer.heading(int(token.tag[1]), inline_text(tokens[position + 1]))
            position += 2
        elif token.type == "table_open":
            end = next(i for i in range(position, len(tokens)) if tokens[i].type == "table_close")
            for row in _table_rows(tokens[position:end]):
                writer.block("row", row)
            position = end
        elif token.type in ("ordered_list_open", "bullet_list_open"):
            start = token.attrs.get("start", 1)
            lists.append(int(start) if token.type == "ordered_list_open" else None)
        elif token.type in ("ordered_list_close", "bullet_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            number = lists[-1]
            marker = "- " if number is None else f"{number}. "
            lists[-1] = None if number is None else number + 1
        elif token.type == "inline":
            kind: BlockKind = "paragraph" if not marker else ("bullet" if marker == "- " else "step")
            writer.block(kind, marker + inline_text(token))
            marker = ""
        elif token.type in ("fence", "code_block"):
            writer.block("code", token.content)
        position += 1
    return writer.text, tuple(writer.blocks)


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
