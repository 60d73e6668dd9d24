"""Splits documents into the passages that are searched and quoted."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from retrieval.documents import Block, Document, Passage


@dataclass(frozen=True, slots=True)
class PassageLimits:
    """How long passages may be.

    words: a section of more is cut between blocks; procedure_words: a numbered procedure is kept whole up to so many;
    lead_words: a longer sentence before a procedure does not go along with the parts of it.
    """

    words: int = 90
    procedure_words: int = 270
    lead_words: int = 40


LIMITS = PassageLimits()
#: An index sees so many characters of a title or heading: each passage below repeats it.
LONGEST_HEADING = 500
#: So many characters without white space count as a word.
LONGEST_WORD = 30
STEP_NUMBER = re.compile(r"\d{1,9}(?=\.)")
MAX_WORDS = LIMITS.words


def split_into_passages(document: Document, limits: PassageLimits = LIMITS) -> list[Passage]:
    """Return a document's passages in order: one per section, long sections cut between blocks.

    Every block lies in one passage. None is longer than the limits allow unless it is a single block. A passage that
    goes on with a procedure has the sentence that led to its steps as the last of its headings.
    """
    passages: list[Passage] = []
    for headings, section in groupby(document.blocks, key=lambda block: block.headings):
        for run, lead in _cut(document.text, list(section), limits):
            start, end = run[0].start, run[-1].end
            path = (*headings, lead) if lead else headings
            number = len(passages) + 1
            passages.append(Passage(f"{document.id}#{number}", document.id, path, start, end, document.text[start:end]))
    return passages


def text_to_encode(document: Document, passage: Passage) -> str:
    """Return what an index sees of a passage: title and headings first, since a section leaves its subject unsaid."""
    above = (line[:LONGEST_HEADING] for line in (document.title, *passage.headings))
    return "\n".join((*above, passage.text))


def _cut(text: str, blocks: Sequence[Block], limits: PassageLimits) -> Iterator[tuple[list[Block], str]]:
    """Yield runs of a section's blocks, each with the sentence that leads to it where that lies in an earlier run."""
    sizes = [_words(text[block.start : block.end]) for block in blocks]
    steps = [position for position, block in enumerate(blocks) if block.kind == "step"]
    first, last = (steps[0], steps[-1]) if steps else (len(blocks), -1)
    procedure = sum(sizes[first : last + 1])
    leads = _leads(text, blocks, limits)
    start = words = 0
    for position, size in enumerate(sizes):
        limit = limits.procedure_words if _inside_procedure(blocks, position, first, last) else limits.words
        begins = position if words + size > limit else start
        if position == first and procedure <= limits.procedure_words:
            if words + procedure > limits.procedure_words:
                begins = position
            # The sentence that leads to the steps goes along where it can.
            if begins == position and leads[first] and start < first - 1:
                begins -= sizes[first - 1] + procedure <= limits.procedure_words
        if begins > start:
            yield list(blocks[start:begins]), leads[start]
            start, words = begins, sum(sizes[begins:position])
        words += size
    yield list(blocks[start:]), leads[start]


def _words(text: str) -> int:
    """Return how many words a text counts as, however few white spaces are in it."""
    return max(len(text.split()), len(text) // LONGEST_WORD)


def _inside_procedure(blocks: Sequence[Block], position: int, first: int, last: int) -> bool:
    """Tell whether a block is a later step, lies between two steps, or is what directly follows the last one."""
    return first < position and (position <= last or blocks[position - 1].kind in ("step", "bullet"))


def _leads(text: str, blocks: Sequence[Block], limits: PassageLimits) -> list[str]:
    """Return for each step and bullet the sentence that led to its procedure, "" for other blocks and without one."""
    leads: list[str] = []
    lead, number = "", -1
    for position, block in enumerate(blocks):
        if block.kind == "step":
            stated = STEP_NUMBER.match(text, block.start, block.end)
            previous, number = number, int(stated.group()) if stated else number + 1
            if number <= previous or previous < 0:
                lead = _leading_sentence(text, blocks[position - 1], limits) if position else ""
        leads.append(lead if block.kind in ("step", "bullet") and number >= 0 else "")
    return leads


def _leading_sentence(text: str, block: Block, limits: PassageLimits) -> str:
    """Return the last sentence of a paragraph where it ends with a colon and is short enough, else ""."""
    words = text[block.start : block.end]
    if block.kind != "paragraph" or not words.endswith((":", "\uff1a")):
        return ""
    sentence = words[max(words.rfind(mark) for mark in (". ", "! ", "? ")) + 1 :].strip()
    return sentence if len(sentence.split()) <= limits.lead_words else ""
