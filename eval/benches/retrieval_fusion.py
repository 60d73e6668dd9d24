"""Words, meaning, and both: the fusion as it comes, and learnt on the other folds, over the same passages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from eval.benches.frame import Bar, Cell, Row
from eval.benches.grouped import Groups, linked
from eval.cases import load_cases
from eval.metrics.retrieval import hit_at
from eval.statistics import Array
from models.protocols import FloatArray
from retrieval.fusion import Candidates, Fusion, cross_fit
from retrieval.questions import Question, judged
from retrieval.search import PassageSearch
from triage.assembly import encoder_for_build, remembering
from triage.build import build_search
from triage.cleaning import read_text
from triage.desk_files import read_desk
from triage.engine import text_to_search

DEPTHS = (1, 5)
#: Cross-fitted fusion may not be worse than the better single method by more than this, nor by any on average.
MARGIN = -0.01


@dataclass(frozen=True)
class AskedDesk:
    """A set's articles, indexed as a build does, and its questions with their vectors."""

    name: str
    search: PassageSearch
    questions: tuple[Question, ...]

    @cached_property
    def groups(self) -> Groups:
        """The questions that hang together."""
        return Groups([question.group for question in self.questions])


def ask_desk(name: str, folder: Path, var: Path) -> AskedDesk:
    """Index a desk's articles as a build does, and read its cases; questions that share an article make a group."""
    desk = read_desk(folder)
    encoder = remembering(encoder_for_build(desk, var), var, datetime.now(UTC).date())
    search, _ = build_search(desk.articles, encoder)
    cases = load_cases(folder / "cases.jsonl", desk.rules.taxonomy, list(search.documents))
    cases = [case for case in cases if case.expect.get("articles")]
    texts = [text_to_search(read_text(case.ticket)) for case in cases]
    articles = [frozenset(case.expect["articles"]) for case in cases]
    told = zip(texts, encoder.encode(texts), articles, linked(articles), strict=True)
    return AskedDesk(name, search, tuple(Question(*question) for question in told))


def fusion_rows(asked: AskedDesk) -> tuple[list[Row], list[Bar], dict[str, float]]:
    """Return the rows and bars of a set, and the figures for the ledger."""
    found = judged(asked.search, asked.questions)
    learnt = cross_fit(found, [question.group for question in asked.questions])
    candidates = [one.candidates for one in found]
    rankings = {
        "BM25 alone": [_articles(asked.search, one, one.lexical) for one in candidates],
        "dense alone": [_articles(asked.search, one, one.dense) for one in candidates],
        "fused, bundled weights": [_ranked(asked.search, question) for question in asked.questions],
        "fused, cross-fitted": [
            _ranked(replace(asked.search, fusion=fusion), question)
            for fusion, question in zip(learnt, asked.questions, strict=True)
        ],
    }
    hits = {
        system: {depth: _hits(depth, ranked, asked.questions) for depth in DEPTHS}
        for system, ranked in rankings.items()
    }
    single = {
        depth: max((hits["BM25 alone"][depth], hits["dense alone"][depth]), key=lambda scores: float(scores.mean()))
        for depth in DEPTHS
    }
    rows = [_row(asked, system, scores, single) for system, scores in hits.items()]
    rows[-1] = {**rows[-1], "weights": _weights_text(learnt)}
    bars = [
        _bar(f"{asked.name}: cross-fitted hit@{depth} over the better one", asked, scores, single[depth])
        for depth, scores in hits["fused, cross-fitted"].items()
    ]
    figures = {f"{system}: hit@{depth}": float(s.mean()) for system, own in hits.items() for depth, s in own.items()}
    return rows, bars, figures


def _articles(search: PassageSearch, found: Candidates, scores: FloatArray) -> list[str]:
    """Return the articles of the candidates by a score, best first."""
    rows = found.rows.tolist()
    order = sorted(
        range(len(rows)), key=lambda place: (-round(float(scores[place]), 5), search.passages[rows[place]].id)
    )
    return list(dict.fromkeys(search.passages[rows[place]].document_id for place in order))


def _ranked(search: PassageSearch, question: Question) -> list[str]:
    hits = search.find(question.text, question.vector, len(search.passages))
    return list(dict.fromkeys(hit.document.id for hit in hits))


def _hits(depth: int, rankings: Sequence[Sequence[str]], questions: Sequence[Question]) -> Array:
    pairs = zip(rankings, questions, strict=True)
    return np.array([[hit_at(depth, ranked, set(question.articles))] for ranked, question in pairs], dtype=np.float64)


def _row(asked: AskedDesk, system: str, scores: Mapping[int, Array], single: Mapping[int, Array]) -> Row:
    row: dict[str, Cell] = {"table": f"Fusion: {asked.name}", "system": system, "n": len(asked.questions)}
    row |= {f"hit@{depth}": asked.groups.share(own) for depth, own in scores.items()}
    return row | {
        f"hit@{depth} over the better one": asked.groups.lead(own, single[depth]) for depth, own in scores.items()
    }


def _bar(name: str, asked: AskedDesk, scores: Array, single: Array) -> Bar:
    lead = asked.groups.lead(scores, single)
    holds = lead["low"] >= MARGIN and lead["value"] > 0
    return Bar(name, lead["value"], lead["low"], lead["high"], f"> 0, low >= {MARGIN}", holds)


def _weights_text(learnt: Sequence[Fusion]) -> str:
    """Return the weights of the folds, for the reader to see how far they agree."""
    return "; ".join(f"{one.always:.2f} + {one.by_length:.2f} by length" for one in dict.fromkeys(learnt))
