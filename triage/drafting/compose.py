"""The writer without a language model: it quotes the passages that answer, whole steps in their order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.documents import Hit, Passage
from retrieval.lexical_index import tokenize
from triage.suggestions import Draft, DraftSentence

#: A second passage is quoted when its score is this near to the best one's.
NEAR = 0.06
NEAR_STEPS = 0.2
#: From this many blocks of one kind on, a passage is taken for a list of cases rather than one explanation.
MANY = 3
#: A sentence ends at a stop that is followed by white space and something that opens a sentence.
SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"”’)]))\s+(?=[\"“‘(]?[A-Z0-9£])")
STEP = re.compile(r"\d+\. ")
NAME = re.compile(r"[^\W\d_](?:['’-]?[^\W\d_]){0,29}\.?(?=\s|$)")


@dataclass(frozen=True)
class Voice:
    """The desk's own words around the facts."""

    greeting: str
    greeting_unnamed: str
    closing: str
    signature: str
    max_words: int


def compose(question: str, name: str | None, hits: Sequence[Hit], voice: Voice) -> tuple[Draft, list[Passage]]:
    """Return a draft that quotes the best passages of the best hit's article, and the passages it quotes.

    hits: best first, at least one, none that customers may not read.
    """
    document = hits[0].document
    lead = f"Thanks for getting in touch. This is from our article “{document.title}”."
    sentences = [DraftSentence(text=greeting(name, voice), role="greeting"), DraftSentence(text=lead, role="lead")]
    quoted = choose_passages(question, hits, voice.max_words)
    heading = ""
    for hit, units in quoted:
        if hit.passage.headings and hit.passage.headings[-1] != heading:
            heading = hit.passage.headings[-1]
            sentences.append(DraftSentence(text=heading, role="lead"))
        sentences += units
    closings = [text for text in (voice.closing, voice.signature) if text]
    sentences += [DraftSentence(text=text, role="closing") for text in closings]
    draft = Draft(text=lay_out(sentences), sentences=tuple(sentences), source="articles")
    return draft, [hit.passage for hit, _ in quoted]


def choose_passages(question: str, hits: Sequence[Hit], max_words: int) -> list[tuple[Hit, list[DraftSentence]]]:
    """Return the passages to quote, each with its sentences, in the article's order.

    The best one is quoted; a second follows if it scores nearly as well and fits into the words left. Where the best
    one gives no steps, one that does may score somewhat less: customers ask what to do.
    """
    best, *others = quotable(hits)
    chosen = [(best, _within(relevant_units(question, best), max_words))]
    has_steps = any(STEP.match(unit.text) for unit in chosen[0][1])
    left = max_words - _words(chosen[0][1])
    for hit in others:
        units = relevant_units(question, hit)
        gives_steps = not has_steps and any(STEP.match(unit.text) for unit in units)
        if hit.score >= best.score - (NEAR_STEPS if gives_steps else NEAR) and _words(units) <= left:
            chosen.append((hit, units))
            break
    return sorted(chosen, key=lambda quoted: quoted[0].passage.start)


def quotable(hits: Sequence[Hit]) -> list[Hit]:
    """Return the passages of the best hit's article that may be quoted, best first.

    The article is chosen by its best passage, whichever that is. Its opening says what the article is about and seldom
    answers, so sections go before it, as long as one was found.
    """
    same = [hit for hit in hits if hit.document.id == hits[0].document.id]
    return [hit for hit in same if hit.passage.headings] or same


def greeting(name: str | None, voice: Voice) -> str:
    """Greet by the first word of the name where it looks like one, else without a name."""
    match = NAME.match((name or "").strip())
    return voice.greeting.replace("{name}", match.group().rstrip(".")) if match else voice.greeting_unnamed


def relevant_units(question: str, hit: Hit) -> list[DraftSentence]:
    """Return the sentences, steps, bullets and table rows of a passage that belong in an answer, in order.

    Numbered steps always do. Of many paragraphs, bullets or rows, each of which stands for a case of its own, only
    those are taken that share the most words with the question, as long as any shares one.
    """
    asked = set(tokenize(question))
    text = hit.document.text
    blocks = [block for block in hit.document.blocks if hit.passage.start <= block.start < hit.passage.end]
    shared = {block: len(asked & set(tokenize(text[block.start : block.end]))) for block in blocks}
    units: list[DraftSentence] = []
    for block in blocks:
        alike = [shared[other] for other in blocks if other.kind == block.kind]
        if block.kind != "step" and len(alike) >= MANY and shared[block] < max(alike) / 2:
            continue
        words = text[block.start : block.end]
        parts = sentences_of(words) if block.kind == "paragraph" else [words]
        units += [DraftSentence(text=part, role="fact", starts_line=number == 0) for number, part in enumerate(parts)]
    return units


def sentences_of(paragraph: str) -> list[str]:
    """Split a paragraph into sentences."""
    return [sentence.strip() for sentence in SENTENCE_END.split(paragraph) if sentence.strip()]


def lay_out(sentences: Sequence[DraftSentence]) -> str:
    """Join sentences into the text of a reply: steps and rows on lines of their own, sections apart."""
    text = ""
    previous: DraftSentence | None = None
    for sentence in sentences:
        text += "" if previous is None else _separator(previous, sentence)
        text += sentence.text
        previous = sentence
    return text


def _separator(previous: DraftSentence, sentence: DraftSentence) -> str:
    if sentence.role != "fact" or (previous.role == "lead" and previous.text.endswith(".")):
        return "\n\n"
    return "\n" if sentence.starts_line or previous.role == "lead" else " "


def _words(units: Sequence[DraftSentence]) -> int:
    return sum(len(unit.text.split()) for unit in units)


def _within(units: Sequence[DraftSentence], budget: int) -> list[DraftSentence]:
    """Return units up to a number of words; a numbered procedure that was begun is finished."""
    steps = [number for number, unit in enumerate(units) if STEP.match(unit.text)]
    kept: list[DraftSentence] = []
    for number, unit in enumerate(units):
        begun = any(step < number for step in steps) and any(step >= number for step in steps)
        if kept and not begun and _words(kept) + _words([unit]) > budget:
            break
        kept.append(unit)
    return kept
