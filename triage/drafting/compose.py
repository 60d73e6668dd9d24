"""The writer without a language model: it quotes what answers, whole steps in their order, by the customer's words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from retrieval.documents import Block, Hit
from retrieval.lexical_index import tokenize
from triage.drafting.answers import Run, Vectors, choose_runs
from triage.drafting.asked import Asked, quotable_words
from triage.suggestions import Draft, DraftSentence

#: From this many bullets on, a list is taken for cases of which some apply, rather than one explanation.
MANY = 3
#: Another article is quoted for one of several questions where it answers with this chance.
SURE = 0.5
#: At most so many sentences that ask the customer for something are added.
MOST_ASKS = 2
#: A sentence ends at a stop that is followed by white space and something that opens a sentence.
SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"”’)]))\s+(?=[\"“‘(]?[A-Z0-9£])")
STEP = re.compile(r"\d+\. ")
NAME = re.compile(r"[^\W\d_](?:['’-]?[^\W\d_]){0,29}\.?(?=\s|$)")
#: Mail programs put it in front of a subject.
REPLY_MARK = re.compile(r"^(?:(?:re|fwd?|aw|wg|tr|rv)\s?:\s*)+", re.I)
#: How an article asks for what the desk needs to know.
ASK = re.compile(r"^(?:please )?(?:tell|send|give|mail) us\b|^(?:please )?let us know\b", re.I)


@dataclass(frozen=True)
class Voice:
    """The desk's own words around the facts."""

    greeting: str
    greeting_unnamed: str
    closing: str
    signature: str
    max_words: int


@dataclass(frozen=True)
class Addressee:
    """Whom a reply goes to: their name, and the subject that they wrote."""

    name: str | None = None
    subject: str = ""


def compose(
    asked: Sequence[Asked], to: Addressee, voice: Voice, vectors: Vectors, open_questions: Sequence[Asked] = ()
) -> tuple[Draft, list[Hit]]:
    """Return a draft that quotes what answers, and the passages it quotes, as they were found.

    asked: the whole message first, then each of its questions where there are several; hits best first, at least one
    for the message, none that customers may not read. open_questions: those that nothing was found for.
    """
    main = asked[0]
    sentences = [DraftSentence(text=greeting(to.name, voice), role="greeting")]
    sentences.append(DraftSentence(text=f"{thanks(to.subject)} {_from_article(main.hits[0])}", role="lead"))
    runs = choose_runs(asked, quotable(main.hits), vectors, voice.max_words)
    sentences += _quoted(main.words, runs, voice.max_words)
    sentences += _asks(main.hits, runs)
    quoted = list(runs)
    for question in _elsewhere(asked):
        left = voice.max_words - sum(run.words for run in quoted)
        more = choose_runs([question], quotable(question.hits), vectors, max(left, 0))[:1]
        about = f"You also asked: “{question.quote}” " if question.quote else ""
        sentences.append(DraftSentence(text=f"{about}{_from_article(question.hits[0])}", role="lead"))
        sentences += _quoted(question.words, more, voice.max_words)
        quoted += more
    for one in open_questions:
        if one.quote:
            said = f"I could not find an answer to “{one.quote}” in our articles."
            sentences.append(DraftSentence(text=said, role="closing"))
    closings = [text for text in (voice.closing, voice.signature) if text]
    sentences += [DraftSentence(text=text, role="closing") for text in closings]
    draft = Draft(text=lay_out(sentences), sentences=tuple(sentences), source="articles")
    return draft, list({run.hit.passage.id: run.hit for run in quoted}.values())


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


def thanks(subject: str) -> str:
    """Say back what the customer wrote about, in the words of the subject where a draft may repeat them."""
    words = quotable_words(REPLY_MARK.sub("", subject.strip()))
    return f"Thanks for getting in touch about “{words}”." if words else "Thanks for getting in touch."


def _from_article(hit: Hit) -> str:
    return f"This is from our article “{hit.document.title}”."


def _elsewhere(asked: Sequence[Asked]) -> Iterator[Asked]:
    """Yield the questions that another article answers than the one that answers the whole message."""
    seen = {asked[0].hits[0].document.id}
    for question in asked[1:]:
        if question.hits and question.chance >= SURE and question.hits[0].document.id not in seen:
            seen.add(question.hits[0].document.id)
            yield question


def _quoted(question: str, runs: Sequence[Run], max_words: int) -> Iterator[DraftSentence]:
    """Yield the sentences of runs, under a heading where a section is more than a paragraph or not the only one."""
    sections = [(headings, list(group)) for headings, group in groupby(runs, lambda run: run.hit.passage.headings)]
    for headings, group in sections:
        listed = any(block.kind != "paragraph" for run in group for block in run.blocks)
        if headings and (listed or len(sections) > 1):
            yield DraftSentence(text=headings[-1], role="lead")
        for run in group:
            yield from within(list(relevant_units(question, run)), max_words)


def relevant_units(question: str, run: Run) -> Iterator[DraftSentence]:
    """Yield the sentences, steps, bullets and table rows of a run that belong in an answer, in order.

    Of many bullets, each of which stands for a case of its own, only those are taken that share the most words with
    the question, as long as any shares one.
    """
    asked, text = set(tokenize(question)), run.hit.document.text
    shared = {block: len(asked & set(tokenize(text[block.start : block.end]))) for block in run.blocks}
    bullets = [shared[block] for block in run.blocks if block.kind == "bullet"]
    for block in run.blocks:
        if block.kind == "bullet" and len(bullets) >= MANY and shared[block] < max(bullets) / 2:
            continue
        yield from _sentences(text, block)


def _sentences(text: str, block: Block) -> Iterator[DraftSentence]:
    words = text[block.start : block.end]
    parts = sentences_of(words) if block.kind == "paragraph" else [words]
    for number, part in enumerate(parts):
        yield DraftSentence(text=part, role="fact", starts_line=number == 0)


def within(units: Sequence[DraftSentence], budget: int) -> list[DraftSentence]:
    """Return units up to a number of words, one at least; a numbered procedure that was begun is finished."""
    steps = [number for number, unit in enumerate(units) if STEP.match(unit.text)]
    kept: list[DraftSentence] = []
    words = 0
    for number, unit in enumerate(units):
        begun = any(step < number for step in steps) and any(step >= number for step in steps)
        words += len(unit.text.split())
        if kept and not begun and words > budget:
            break
        kept.append(unit)
    return kept


def _asks(hits: Sequence[Hit], runs: Sequence[Run]) -> list[DraftSentence]:
    """Return the sentences of the quoted sections that ask the customer for something, and are not quoted yet."""
    quoted = {block for run in runs for block in run.blocks}
    sections = {run.hit.passage.headings for run in runs}
    passages = {run.hit.passage for run in runs}
    found = [
        DraftSentence(text=sentence.text, role="fact")
        for hit in hits
        if hit.passage in passages and hit.passage.headings in sections
        for block in hit.document.blocks
        if hit.passage.start <= block.start < hit.passage.end and block not in quoted and block.kind == "paragraph"
        for sentence in _sentences(hit.document.text, block)
        if ASK.match(sentence.text)
    ]
    return found[:MOST_ASKS]


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
