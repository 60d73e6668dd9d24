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
    for block in blocks:
        size = len(text[block.start : block.end].split())
        in_procedure = block.kind == "step" and run and run[-1].kind == "step"
        limit = 3 * MAX_WORDS if in_procedure else MAX_WORDS
        if run and words + size > limit:
            yield run
            run, words = [], 0
        run.append(block)
        words += size
    if run:
        yield run
