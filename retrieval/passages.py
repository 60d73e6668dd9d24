"""Splits documents into the passages that are searched and quoted."""

from collections.abc import Iterator
from itertools import groupby

from retrieval.documents import Block, Document, Passage

#: A section of more words is cut between blocks; a numbered procedure is kept whole up to three times that.
MAX_WORDS = 90


def split_into_passages(document: Document) -> list[Passage]:
    """Return a document's passages in order: one per section, long sections cut between blocks."""
    passages: list[Passage] = []
    for headings, section in groupby(document.blocks, key=lambda block: block.headings):
        for run in _cut(document.text, list(section)):
            start, end = run[0].start, run[-1].end
            number = len(passages) + 1
            passages.append(
                Passage(f"{document.id}#{number}", document.id, headings, start, end, document.text[start:end])
            )
    return passages


def text_to_encode(document: Document, passage: Passage) -> str:
    """Return what an index sees of a passage: title and headings first, since a section leaves its subject unsaid."""
    return "\n".join((document.title, *passage.headings, passage.text))


def _cut(text: str, blocks: list[Block]) -> Iterator[list[Block]]:
    run: list[Block] = []
    words = 0
    for position, block in enumerate(blocks):
        size = len(text[block.start : block.end].split())
        limit = 3 * MAX_WORDS if _inside_procedure(blocks, position) else MAX_WORDS
        if run and words + size > limit:
            yield run
            run, words = [], 0
        run.append(block)
        words += size
    if run:
        yield run


def _inside_procedure(blocks: list[Block], position: int) -> bool:
    """Tell whether a block is a later step, lies between two steps, or is what directly follows the last one."""
    begun = any(block.kind == "step" for block in blocks[:position])
    goes_on = any(block.kind == "step" for block in blocks[position:])
    return begun and (goes_on or blocks[position - 1].kind in ("step", "bullet"))
