"""What is searched and what is found."""

from dataclasses import dataclass, field
from typing import Literal

Audience = Literal["public", "internal"]
Status = Literal["published", "draft"]
BlockKind = Literal["paragraph", "step", "bullet", "row", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, list item, table row or code block, or a piece of a long one: `document.text[start:end]`."""

    kind: BlockKind
    start: int
    end: int
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """An article as plain text. All offsets in Firstline count characters of `text`.

    source: the SHA-256 of the file that it was read from, "" where it came another way; it does not count when two
    are compared.
    """

    id: str
    title: str
    text: str
    blocks: tuple[Block, ...]
    audience: Audience = "public"
    status: Status = "published"
    locale: str = "en"
    revision: int = 1
    updated: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of blocks that is searched and quoted as one: `document.text[start:end]`.

    headings: those that it lies under, outermost first, then the sentence that led to its steps where that lies in an
    earlier passage.
    """

    id: str
    document_id: str
    headings: tuple[str, ...]
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, and why.

    score: what the ranking goes by; dense: cosine in [-1, 1]; lexical: BM25, >= 0; terms: the query's words in it.
    """

    passage: Passage
    document: Document
    score: float
    dense: float
    lexical: float
    terms: tuple[str, ...]
