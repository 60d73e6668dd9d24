"""Markdown into plain text and blocks, so that a draft can quote an article and point at the place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.documents import Block, BlockKind
from retrieval.errors import DeepMarkupError
from retrieval.html_markdown import html_to_markdown

#: The parser drops in silence what is nested deeper than this: such a body is read line by line, as it stands.
MAX_NESTING = 60

#: A paragraph, step, bullet or code of more words is several blocks, so that a passage need not hold all of it.
LONGEST_BLOCK = 270

#: No block has more characters, whatever is in it.
LONGEST_TEXT = 4_000

#: Where a long paragraph may be cut: behind a sentence; and a long listing: behind a line.
SENTENCE_GAP = re.compile(r"(?<=[.!?:;])[ ]+")
LINE_GAP = re.compile(r"\n+")
#: And a text with neither: behind a word, or within one that is too long itself.
PIECE = re.compile(rf"\S(?:.{{0,{LONGEST_TEXT - 2}}}\S)?(?!\S)|\S{{1,{LONGEST_TEXT}}}", re.S)
_TABLE_TAG = r"</?(?:table|caption|thead|tbody|tfoot|tr|td|th)\b[^<>]*>"
#: Markdown has no tables with lists or spans in them, so that authors write those in HTML. A blank line cuts one in
#: two paragraphs, and some are never closed.
HTML_TABLE = re.compile(rf"{_TABLE_TAG}(?:.*{_TABLE_TAG}|\s*\Z)", re.I | re.S)
#: Markdown has no other line break within a cell.
LINE_TAG = re.compile(r"<br ?/?>", re.I)
_NAMES = (
    "a|abbr|article|aside|audio|b|base|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del"
    "|details|dfn|div|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img"
    "|input|ins|kbd|label|li|link|main|map|mark|math|meta|nav|object|ol|option|p|param|picture|pre|q|s|samp|script|section"
    "|select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|tt"
    "|u|ul|var|video|wbr"
)
#: Markup that an article holds beside its Markdown: readers of it never see it. What else stands in angle brackets,
#: such as "<your name>", are words; with an equals sign in them they are marks of somebody's.
MARKUP = re.compile(
    rf"<(?:script|style)\b[^<>]{{0,2000}}>[^<]{{0,4000}}|</?(?:{_NAMES})\b[^<>]{{0,2000}}>|</[a-z][\w:-]{{0,40}}\s?>"
    rf"|<[a-z][\w:-]{{0,40}}\s[^<>=]{{0,200}}=[^<>]{{0,2000}}>",
    re.I,
)
HIDING = re.compile(r"<(?:script|style)\b", re.I)
#: Links that run or load something are no links for the parser, which leaves them as they stand.
ODD_LINK = re.compile(r"!?\[(?P<words>[^\[\]\n]{0,200})\]\(\s*(?:javascript|vbscript|data|file)\s*:\S{0,2000}", re.I)
#: How a callout begins in the Markdown of code hosts and documentation tools.
CALLOUT = re.compile(r"\[!(note|tip|important|warning|caution)\][ ]?", re.I)

_parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING, "html": True}).enable("table")
_parser_without_html = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING, "html": False}).enable("table")


def to_plain_text(markdown: str) -> tuple[str, tuple[Block, ...]]:
    """Return the plain text of a Markdown body and its blocks in order. Takes time linear in the body.

    Emphasis, images, comments and HTML marks vanish, as they do for its readers; a link keeps its target where its
    words do not say it; a numbered step keeps its number, a bullet its dash, a callout its kind ("Note: …"). A row of
    a table, also one in HTML, becomes "cell – header: cell; header: cell", so that it can be read without its table.
    """
    writer = _Writer()
    # The parser looks for the end of each of these through the whole rest; nobody who reads the article sees one.
    tokens = _parser.parse(markdown.replace("<![CDATA[", ""))
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        for line in markdown.splitlines():
            writer.block("paragraph", line)
        return writer.text, tuple(writer.blocks)
    writer.take_all(tokens)
    return writer.text, tuple(writer.blocks)


@dataclass
class _Writer:
    """Collects lines of plain text and the blocks that lie in them."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    blocks: list[Block] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    numbers: list[int | None] = field(default_factory=list)
    marker: str = ""

    @property
    def text(self) -> str:
        """All that was written."""
        return "".join(self.parts)

    def take_all(self, tokens: list[Token]) -> None:
        """Write all tokens."""
        position = 0
        while position < len(tokens):
            position += self.take(tokens, position)

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
        if token.type == "html_block" and HTML_TABLE.match(token.content):
            self.html_table(token)
        elif token.type == "html_block":
            self.take_all(_parser_without_html.parse(_without_markup(token.content)))
        elif token.type == "inline":
            kind: BlockKind = "paragraph" if not self.marker else ("bullet" if self.marker == "- " else "step")
            self.block(kind, self.marker + _named_callout(inline_text(token)))
            self.marker = ""
        elif token.type in ("fence", "code_block"):
            self.block("code", token.content)
        else:
            self.list_mark(token)
        return 1

    def html_table(self, token: Token) -> None:
        """Write a table, or part of one, that stands in the Markdown as HTML."""
        try:
            whole = token.content.casefold().startswith("<table")
            tokens = _parser.parse(html_to_markdown(token.content if whole else f"<table>{token.content}"))
        except DeepMarkupError:
            self.take_all(_parser_without_html.parse(_without_markup(token.content)))
        else:
            self.take_all(tokens)

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
        self.headings = [(depth, name) for depth, name in self.headings if depth < level]
        if not title:
            return
        self.headings.append((level, title))
        self.write(f"\n{title}\n" if self.parts else f"{title}\n")

    def block(self, kind: BlockKind, text: str) -> None:
        """Write a block, unless there is nothing in it."""
        text = text.strip("\n").rstrip() if kind == "code" else text.strip()
        if not text:
            return
        headings = tuple(name for _, name in self.headings)
        for number, (start, end) in enumerate(_pieces(kind, text)):
            # What goes on with a step or bullet is a paragraph: the number belongs to where it begins.
            part_kind = kind if number == 0 or kind == "code" else "paragraph"
            self.blocks.append(Block(part_kind, self.length + start, self.length + end, headings))
        self.write(f"{text}\n")

    def write(self, text: str) -> None:
        """Add to the plain text."""
        self.parts.append(text)
        self.length += len(text)


def _pieces(kind: BlockKind, text: str) -> list[tuple[int, int]]:
    """Return where a block's pieces begin and end: one, or for a long one several that end with a sentence or line."""
    found: list[tuple[int, int]] = []
    for start, end in _sentences(kind, text):
        if end - start <= LONGEST_TEXT:
            found.append((start, end))
        else:
            found += [piece.span() for piece in PIECE.finditer(text, start, end)]
    return found


def _sentences(kind: BlockKind, text: str) -> list[tuple[int, int]]:
    """Return where whole sentences or lines begin and end that are together no longer than a block may be."""
    if kind == "row" or len(text) <= LONGEST_BLOCK or len(text.split()) <= LONGEST_BLOCK:
        return [(0, len(text))]
    gaps = (LINE_GAP if kind == "code" else SENTENCE_GAP).finditer(text)
    units = [*((gap.start(), gap.end()) for gap in gaps), (len(text), len(text))]
    pieces: list[tuple[int, int]] = []
    begin = unit_begin = words = 0
    previous_end = 0
    for unit_end, next_begin in units:
        size = len(text[unit_begin:unit_end].split())
        if words and words + size > LONGEST_BLOCK:
            pieces.append((begin, previous_end))
            begin, words = unit_begin, 0
        words += size
        unit_begin, previous_end = next_begin, unit_end
    return [*pieces, (begin, len(text))]


def _named_callout(words: str) -> str:
    """Return a paragraph with "Note: " where it begins with ``[!NOTE]``."""
    mark = CALLOUT.match(words)
    return f"{mark.group(1).capitalize()}: {words[mark.end() :]}" if mark else words


def inline_text(token: Token) -> str:
    """Return an inline token's words without marks; a link keeps its words, and its target where that differs."""
    words, hidden = "", False
    targets: list[tuple[int, str]] = []
    for child in token.children or []:
        if child.type == "html_inline":
            words += _without_markup(child.content)
            hidden = HIDING.match(child.content) is not None
        elif child.type in ("text", "code_inline"):
            words += "" if hidden else child.content
        elif child.type in ("softbreak", "hardbreak"):
            words += " "
        elif child.type == "link_open":
            targets.append((len(words), str(child.attrs.get("href", ""))))
        elif child.type == "link_close" and targets:
            start, target = targets.pop()
            shown = words[start:]
            if target.removeprefix("https://").removeprefix("mailto:") not in shown:
                words += f" ({target})"
    return " ".join(ODD_LINK.sub(r"\g<words>", words).split())


def _without_markup(html: str) -> str:
    """Return HTML without its marks, scripts and comments; what only looks like a mark stays."""
    parts, at = [], 0
    while (start := html.find("<!--", at)) >= 0 and (end := html.find("-->", start)) >= 0:
        parts.append(html[at:start])
        at = end + 3
    return MARKUP.sub("", LINE_TAG.sub(" ", "".join([*parts, html[at:]])))


def _table_rows(tokens: list[Token]) -> Iterator[str]:
    header: list[str] | None = None
    cells: list[str] = []
    rows = 0
    for token in tokens:
        if token.type == "inline":
            cells.append(inline_text(token))
        elif token.type == "tr_close":
            if header is not None:
                yield _row_text(header, cells)
                rows += 1
            else:
                header = cells
            cells = []
    if header and not rows:
        # A table of one row: there is nothing for it to head.
        yield _row_text([""] * len(header), header)


def _row_text(header: list[str], cells: list[str]) -> str:
    named = [(name, cell) for name, cell in zip(header, cells, strict=False) if cell]
    if not named:
        return ""
    lead = named[0][1] if not named[0][0] or header[0] == named[0][0] else f"{named[0][0]}: {named[0][1]}"
    rest = [f"{name}: {cell}" if name else cell for name, cell in named[1:]]
    return f"{lead} – {'; '.join(rest)}" if rest else lead
