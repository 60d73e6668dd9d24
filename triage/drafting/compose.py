"""The writer without a language model: it quotes the passages that answer, whole steps in their order."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retrieval.documents import Hit, Passage
from retrieval.lexical_index import tokenize
from triage.suggestions import Draft, DraftSentence

#: A further passage is quoted when its score is this near to the best one's.
NEAR = 0.10
MAX_PASSAGES = 2
#: A table is quoted whole up to this many rows, else only the rows that share a word with the question.
MAX_ROWS = 4
#: A sentence ends at a stop that is followed by white space and something that opens a sentence.
SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’)]?\s+(?=[\"“‘(]?[A-Z0-9£])")
NAME = re.compile(r"[^\W\d_][^\W\d_'’-]{0,29}")


@dataclass(frozen=True)
class Voice:
    """The desk's own words around the facts."""

    greeting: str
    greeting_unnamed: str
    closing: str
    signature: str
    max_words: int


def compose(question: str, name: str | None, hits: Sequence[Hit], voice: Voice) -> tuple[Draft, list[Passage]]:
    """Return a draft that quotes the best public passages, and the passages it quotes.

    hits: best first, none of them internal; at least one.
    """
    chosen = choose_passages(hits)
    document = chosen[0].document
    sentences = [DraftSentence(text=greeting(name, voice), role="greeting")]
    sentences.append(
        DraftSentence(text=f"Thanks for getting in touch. Our article “{document.title}” covers this.", role="lead")
    )
    words = 0
    for hit in chosen:
        units = list(relevant_units(question, hit))
        size = sum(len(unit.split()) for unit in units)
        if words and words + size > voice.max_words:
            continue
        if hit.passage.headings:
            sentences.append(DraftSentence(text=hit.passage.headings[-1], role="lead"))
        for unit in _within(units, voice.max_words - words):
            sentences.append(DraftSentence(text=unit, role="fact"))
            words += len(unit.split())
    sentences.append(DraftSentence(text=voice.closing, role="closing"))
    if voice.signature:
        sentences.append(DraftSentence(text=voice.signature, role="closing"))
    draft = Draft(text=lay_out(sentences), sentences=tuple(sentences), source="articles")
    return draft, [hit.passage for hit in chosen]


def choose_passages(hits: Sequence[Hit]) -> list[Hit]:
    """Return the passages to quote: of the best hit's article, near to the best, in the article's order.

    An article's opening says what it is about and seldom answers: its best section stands in for it.
    """
    same = [hit for hit in hits if hit.document.id == hits[0].document.id]
    sections = [hit for hit in same if hit.passage.headings] or same
    best = sections[0].score
    near = [hit for hit in sections if hit.score >= best - NEAR][:MAX_PASSAGES]
    return sorted(near, key=lambda hit: hit.passage.start)


def greeting(name: str | None, voice: Voice) -> str:
    """Greet by the first word of the name where it looks like one, else without a name."""
    match = NAME.match((name or "").strip())
    return voice.greeting.replace("{name}", match.group()) if match else voice.greeting_unnamed


def relevant_units(question: str, hit: Hit) -> Iterator[str]:
    """Yield the sentences, steps, bullets and table rows of a passage that belong in an answer, in order."""
    asked = set(tokenize(question))
    blocks = [block for block in hit.document.blocks if hit.passage.start <= block.start < hit.passage.end]
    rows = [block for block in blocks if block.kind == "row"]
    for block in blocks:
        text = hit.document.text[block.start : block.end]
        if block.kind == "row" and len(rows) > MAX_ROWS and not asked & set(tokenize(_first_cell(text))):
            continue
        yield from sentences_of(text) if block.kind == "paragraph" else (text,)


def sentences_of(paragraph: str) -> list[str]:
    """Split a paragraph into sentences."""
    return [sentence.strip() for sentence in SENTENCE_END.split(paragraph) if sentence.strip()]


def lay_out(sentences: Sequence[DraftSentence]) -> str:
    """Join sentences into the text of a reply: steps and rows on lines of their own, sections apart."""
    text = ""
    previous: DraftSentence | None = None
    for sentence in sentences:
        if previous is None:
            separator = ""
        elif sentence.role != "fact":
            separator = "\n\n"
        elif previous.role == "lead":
            separator = "\n" if not previous.text.endswith(".") else "\n\n"
        elif _own_line(sentence.text) or _own_line(previous.text):
            separator = "\n"
        else:
            separator = " "
        text += separator + sentence.text
        previous = sentence
    return text


def _own_line(text: str) -> bool:
    return re.match(r"(?:\d+\. |- )", text) is not None or " – " in text


def _first_cell(row: str) -> str:
    return row.split(" – ")[0]


def _within(units: Sequence[str], budget: int) -> Iterator[str]:
    """Yield units up to a number of words; a numbered procedure that was begun is finished."""
    used = 0
    for unit in units:
        is_step = re.match(r"(?:[2-9]|\d\d)\. ", unit) is not None
        if used and used + len(unit.split()) > budget and not is_step:
            return
        used += len(unit.split())
        yield unit
