"""Questions whose articles are known: what search learns from and is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.protocols import FloatArray
from retrieval.fusion import Judged
from retrieval.search import PassageSearch

#: An article is taken for a reply's source where it is nearest by meaning by so much, and first by words by this share.
CLEAR_COSINE = 0.01
CLEAR_WORDS = 0.02
OFF_TOPIC = Path(__file__).with_name("off_topic.txt")


@dataclass(frozen=True)
class Question:
    """A question, its unit vector, and the ids of the articles that answer it; none where nothing does.

    group: questions of one group say the same thing, and are never split between learning and judging.
    """

    text: str
    vector: FloatArray
    articles: frozenset[str]
    group: str = ""


def judged(search: PassageSearch, questions: Sequence[Question]) -> list[Judged]:
    """Return each question's candidates, and which of them lie in an article that answers."""
    found = []
    for question in questions:
        candidates = search.candidates(question.text, question.vector)
        rows = candidates.rows.tolist()
        relevant = [search.passages[row].document_id in question.articles for row in rows]
        found.append(Judged(candidates, np.array(relevant, dtype=bool)))
    return found


def questions_from_replies(
    search: PassageSearch, asked: Sequence[tuple[str, FloatArray]], replies: Sequence[tuple[str, FloatArray]]
) -> list[Question]:
    """Return the past questions whose reply leans on one article, clearly and by meaning and words alike.

    asked, replies: text and unit vector of each, of the same tickets. Only the reply is looked at to find the article,
    so that learning from the question afterwards does not learn what found it.
    """
    found = []
    for number, ((text, vector), (reply, about)) in enumerate(zip(asked, replies, strict=True)):
        article = _source_of(search, reply, about)
        if article is not None:
            found.append(Question(text, vector, frozenset({article}), f"ticket {number}"))
    return found


def off_topic_texts() -> list[str]:
    """Return questions that no help desk answers, as people write them."""
    return [line for line in OFF_TOPIC.read_text(encoding="utf-8").splitlines() if line]


def _source_of(search: PassageSearch, reply: str, vector: FloatArray) -> str | None:
    candidates = search.candidates(reply, vector)
    by_meaning: dict[str, float] = {}
    by_words: dict[str, float] = {}
    for row, dense, lexical in zip(candidates.rows.tolist(), candidates.dense, candidates.lexical, strict=True):
        article = search.passages[row].document_id
        by_meaning[article] = max(by_meaning.get(article, -1.0), float(dense))
        by_words[article] = max(by_words.get(article, 0.0), float(lexical))
    nearest, meaning = _first_two(by_meaning)
    worded, words = _first_two(by_words)
    clear = meaning[0] - meaning[1] >= CLEAR_COSINE and words[0] - words[1] >= CLEAR_WORDS * words[0] > 0
    return nearest if clear and nearest == worded else None


def _first_two(scores: dict[str, float]) -> tuple[str, tuple[float, float]]:
    """Return the best id, its score and the next one's; an only one is clear of nothing."""
    ranked = sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))
    if not ranked:
        return "", (0.0, 0.0)
    return ranked[0][0], (ranked[0][1], ranked[1][1] if len(ranked) > 1 else 0.0)
