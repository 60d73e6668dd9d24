"""Drafts beside what experts wrote: against quoting the best passage, and against its first three sentences."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from eval.benches.frame import Bar, Row
from eval.benches.grouped import Groups
from eval.benches.retrieval_fusion import AskedDesk, ask_desk
from eval.cases import load_cases
from eval.metrics.drafting import facts_of, rouge_l
from eval.statistics import Array
from models.protocols import TextEncoder
from retrieval.documents import Hit
from triage.desk_files import read_desk
from triage.drafting.asked import Asked
from triage.drafting.compose import Addressee, Voice, sentences_of
from triage.drafting.support import find_support
from triage.drafting.writer import Matter, Writer
from triage.engine import DRAFT_DEPTH, SEARCH_DEPTH
from triage.suggestions import Draft

OURS = "draft"
FIRST = 3
#: Beyond search a draft may take so many milliseconds, by the median.
MOST_MS = 10.0


@dataclass(frozen=True)
class Told:
    """What each way says to every question, and what our drafts took in milliseconds when their articles were known."""

    texts: dict[str, list[str]]
    drafts: list[Draft | None]
    milliseconds: list[float]


def reply_rows(
    name: str, folder: Path, var: Path, encoder: TextEncoder
) -> tuple[list[Row], list[Bar], dict[str, float]]:
    """Return rows, bars and figures of a desk whose cases carry an expert's reply."""
    asked = ask_desk(name, folder, var)
    cases = load_cases(folder / "cases.jsonl", read_desk(folder).rules.taxonomy, list(asked.search.documents))
    replies = [str(case.expect["reply"]) for case in cases if case.expect.get("articles")]
    told = draft_all(asked, encoder)
    scores = {way: scores_of(texts, replies, encoder) for way, texts in told.texts.items()}
    rows = [_row(name, way, scores, told.texts[way], asked.groups) for way in scores]
    bars = [
        _lead_bar(f"{name}: {what} over {way}", asked.groups.lead(scores[OURS][:, [column]], scores[way][:, [column]]))
        for way in scores
        if way != OURS
        for column, what in enumerate(("ROUGE-L", "likeness"))
    ]
    wrong = sum(not stands(draft, asked) for draft in told.drafts if draft)
    bars.append(Bar(f"{name}: drafts with an unsupported fact", wrong, wrong, wrong, "= 0", wrong == 0))
    middle = median(told.milliseconds)
    low, high = (float(value) for value in np.quantile(told.milliseconds, (0.25, 0.75)))
    bars.append(Bar(f"{name}: ms a draft, articles known", middle, low, high, f"<= {MOST_MS:g}", middle <= MOST_MS))
    figures = {f"{way}: ROUGE-L": float(found[:, 0].mean()) for way, found in scores.items()}
    return rows, bars, figures


def draft_all(asked: AskedDesk, encoder: TextEncoder) -> Told:
    """Write a draft for every question, whether or not a person would take over, and what the other ways say."""
    voice = Voice("Hello {name},", "Hello,", "", "", 170)
    writer = Writer("bench", voice, encoder, similarity=2)
    texts: dict[str, list[str]] = {OURS: [], "best passage": [], "its first three sentences": []}
    drafts, took = [], []
    for question in asked.questions:
        hits = tuple(asked.search.find(question.text, question.vector, SEARCH_DEPTH)[:DRAFT_DEPTH])
        matter = Matter((Asked(question.text, question.vector, hits),), (), Addressee(), question.text)
        writer.write(matter)
        start = time.perf_counter()
        draft = writer.write(matter).draft
        took.append((time.perf_counter() - start) * 1000)
        drafts.append(draft)
        texts[OURS].append(facts_of(draft) if draft else "")
        texts["best passage"].append(hits[0].passage.text)
        texts["its first three sentences"].append(" ".join(first_sentences(hits[0])))
    return Told(texts, drafts, took)


def first_sentences(hit: Hit) -> list[str]:
    """Return the first sentences, steps or rows of a passage."""
    blocks = [block for block in hit.document.blocks if hit.passage.start <= block.start < hit.passage.end]
    return [part for block in blocks for part in sentences_of(hit.document.text[block.start : block.end])][:FIRST]


def scores_of(texts: Sequence[str], replies: Sequence[str], encoder: TextEncoder) -> Array:
    """Return ROUGE-L and the cosine of each text with its reply, shape (texts, 2); 0 for no text."""
    own, theirs = encoder.encode([text or " " for text in texts]), encoder.encode(list(replies))
    alike = np.maximum(np.einsum("ij,ij->i", own, theirs), 0)
    pairs = zip(texts, replies, alike, strict=True)
    return np.array(
        [[rouge_l(reply, text), cosine] if text else [0, 0] for text, reply, cosine in pairs], dtype=np.float64
    )


def stands(draft: Draft, asked: AskedDesk) -> bool:
    """Tell whether every fact stands word for word in an article that the draft cites."""
    cited = {support.article_id for sentence in draft.sentences for support in sentence.support}
    passages = [passage for passage in asked.search.passages if passage.document_id in cited]
    return all(find_support(one.text, passages) for one in draft.sentences if one.role == "fact")


def _row(name: str, way: str, scores: dict[str, Array], texts: Sequence[str], groups: Groups) -> Row:
    found = scores[way]
    leads: Row = {
        f"draft ahead by ({what})": None if way == OURS else groups.lead(scores[OURS][:, [column]], found[:, [column]])
        for column, what in enumerate(("ROUGE-L", "likeness"))
    }
    return {
        "table": f"Drafts beside experts' replies: {name}",
        "what is said": way,
        "n": len(texts),
        "words": round(median(len(text.split()) for text in texts)),
        "ROUGE-L": groups.share(found[:, [0]]),
        "likeness": groups.share(found[:, [1]]),
        **leads,
    }


def _lead_bar(name: str, lead: dict[str, float]) -> Bar:
    return Bar(name, lead["value"], lead["low"], lead["high"], "low > 0", lead["low"] > 0)
