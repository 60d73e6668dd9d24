"""Whether search knows that nothing answers: every question with its articles there, and with them hidden."""

from collections.abc import Collection, Sequence

import numpy as np

from eval.benches.frame import Bar, Row
from eval.benches.grouped import Groups
from eval.benches.retrieval_fusion import AskedDesk
from eval.statistics import Array, aurc, auroc
from retrieval.answerability import DEPTH, Answerability, bundled_weights
from retrieval.documents import Document
from retrieval.questions import Question
from retrieval.search import PassageSearch

#: What the chance should reach where a question's articles are hidden, and where all of its set's are.
TARGET, ELSEWHERE_TARGET = 0.85, 0.97
OURS = "chance of an answer, bundled weights"
NEAREST = "best cosine"
TFIDF = "best TF-IDF similarity"
TELLTALE = "the same, hidden articles weighing words"


def answer_rows(asked: AskedDesk) -> tuple[list[Row], list[Bar], dict[str, float]]:
    """Return rows and bars of a set with each question's articles hidden in turn, and the figures for the ledger."""
    every = frozenset(asked.search.documents)
    without = [every - question.articles for question in asked.questions]
    return _told_apart(f"Answerable: {asked.name}, articles of the question hidden", asked, without, TARGET)


def elsewhere_rows(asked: AskedDesk, elsewhere: Collection[str]) -> tuple[list[Row], list[Bar], dict[str, float]]:
    """Return the same with the questions put to some articles alone, none of which answers any."""
    without = [frozenset(elsewhere)] * len(asked.questions)
    return _told_apart(f"Answerable: {asked.name}, against the distractors alone", asked, without, ELSEWHERE_TARGET)


def _told_apart(
    table: str, asked: AskedDesk, without: Sequence[frozenset[str]], target: float
) -> tuple[list[Row], list[Bar], dict[str, float]]:
    every = frozenset(asked.search.documents)
    answered = np.repeat([1.0, 0.0], len(asked.questions))
    places = [*([every] * len(asked.questions)), *without]
    questions = [*asked.questions, *asked.questions]
    scores = _scores(asked.search, questions, places)
    groups = Groups([question.group for question in questions])
    told = {system: np.column_stack([values, answered]) for system, values in scores.items()}
    rows: list[Row] = [
        {
            "table": table,
            "system": system,
            "n": len(rows),
            "AUROC": groups.share(rows, auroc),
            "risk over coverage (AURC)": groups.share(rows, aurc),
            "chance ahead by (AUROC)": None if system == OURS else groups.lead(told[OURS], rows, auroc),
        }
        for system, rows in told.items()
    ]
    found = groups.share(told[OURS], auroc)
    low, high = float(found["low"] or 0), float(found["high"] or 0)
    value = float(found["value"] or 0)
    bars = [Bar(f"{table}: AUROC", value, low, high, f">= {target:g}", value >= target)]
    return (
        rows,
        bars,
        {f"{system}: AUROC": float(groups.share(own, auroc)["value"] or 0) for system, own in told.items()},
    )


def _scores(search: PassageSearch, questions: Sequence[Question], places: Sequence[frozenset[str]]) -> dict[str, Array]:
    """Return every way's score of each question among the articles of its place, shape (questions,)."""
    teller = Answerability(bundled_weights())
    chances, nearest = [], []
    for question, place in zip(questions, places, strict=True):

        def allowed(document: Document, own: frozenset[str] = place) -> bool:
            return document.id in own

        hits = search.find(question.text, question.vector, DEPTH, allowed)
        chances.append(teller.chance(question.text, hits, search.lexical.weight_of))
        nearest.append(max((hit.dense for hit in hits), default=0.0))
    texts = [question.text for question in questions]
    return {
        OURS: np.array(chances, dtype=np.float64),
        NEAREST: np.array(nearest, dtype=np.float64),
        TFIDF: _tfidf(search, texts, places, forget=True),
        TELLTALE: _tfidf(search, texts, places, forget=False),
    }


def _tfidf(search: PassageSearch, texts: Sequence[str], places: Sequence[frozenset[str]], forget: bool) -> Array:
    """Return the cosine of each text with the nearest article of its place, by TF-IDF.

    forget: whether words weigh what they weigh among the articles of the place, as in an index without the others. If
    not, hidden articles still say which words are known, and a word that only they hold gives the hiding away.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    ids = list(search.documents)
    vectorizer = CountVectorizer(stop_words="english", dtype=np.float64)
    counts = vectorizer.fit_transform(
        f"{search.documents[id].title}\n{search.documents[id].text}" for id in ids
    ).tocsr()
    asked = vectorizer.transform(texts).tocsr()
    for matrix in (counts, asked):
        matrix.data = 1 + np.log(matrix.data)
    best = np.zeros(len(texts), dtype=np.float64)
    for number, place in enumerate(places):
        there = counts[[row for row, id in enumerate(ids) if id in place]]
        known = (there if forget else counts).getnnz(axis=0)
        weights = np.where(known > 0, np.log((1 + len(ids)) / (1 + known)) + 1, 0.0)
        question = asked[number].multiply(weights).toarray()[0]
        weighed = there.multiply(weights).tocsr()
        lengths = np.sqrt(weighed.multiply(weighed).sum(axis=1)).A1 * np.linalg.norm(question)
        best[number] = np.max((weighed @ question) / np.maximum(lengths, 1e-12), initial=0.0)
    return best
