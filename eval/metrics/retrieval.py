"""How well search finds the articles that answer, and whether it knows when none does.

Relevance is binary: an article is expected or it is not. Definitions as in trec_eval.
"""

from collections.abc import Callable, Sequence
from math import log2

from eval.cases import Case
from eval.metrics.metric import Metric, Row, gives, has_articles, share
from eval.outcomes import Outcome
from eval.statistics import auroc
from triage.suggestions import Suggestion


def retrieval_metrics() -> list[Metric]:
    """Return the metrics of ranking."""
    return [
        *(
            Metric(
                f"retrieval.hit_at_{k}",
                f"an expected article is among the first {k}",
                share(has_articles, _hit_within(k)),
            )
            for k in (1, 5, 10)
        ),
        Metric(
            "retrieval.recall_at_5",
            "share of the expected articles among the first 5",
            share(has_articles, lambda c, f: recall_at(5, *_ranked(c, f))),
        ),
        Metric(
            "retrieval.mrr_at_10",
            "1 / rank of the first expected article, 0 past the tenth",
            share(has_articles, lambda c, f: reciprocal_rank_at(10, *_ranked(c, f))),
        ),
        Metric(
            "retrieval.ndcg_at_10",
            "discounted gain of the first ten over the best possible",
            share(has_articles, lambda c, f: ndcg_at(10, *_ranked(c, f))),
        ),
    ]


def answerable_metrics() -> list[Metric]:
    """Return the metrics of abstention: by the chance of an answer, and by what the rule made of it."""

    def says(answerable: bool, case: Case) -> bool:
        return case.expect.get("answerable") is answerable

    def abstained(case: Case, found: Suggestion) -> float | None:
        return float(gives(found, "no_supporting_article")) if found.disposition != "no_reply" else None

    return [
        Metric(
            "answerable.auroc",
            "the chance of an answer tells what can be answered from what cannot",
            _chance,
            auroc,
            sliced=False,
        ),
        Metric(
            "answerable.abstained_on_unanswerable",
            "no_supporting_article fired where no article answers",
            share(lambda case: says(False, case), abstained),
        ),
        Metric(
            "answerable.abstained_on_answerable",
            "no_supporting_article fired where an article answers",
            share(lambda case: says(True, case), abstained, failure=1.0),
            lower_is_better=True,
        ),
    ]


def hit_at(k: int, ranked: Sequence[str], relevant: set[str]) -> float:
    """Return 1 where one of the first k is relevant, else 0."""
    return float(bool(relevant & set(ranked[:k])))


def recall_at(k: int, ranked: Sequence[str], relevant: set[str]) -> float:
    """Return the share of the relevant that stand among the first k."""
    return len(relevant & set(ranked[:k])) / len(relevant)


def reciprocal_rank_at(k: int, ranked: Sequence[str], relevant: set[str]) -> float:
    """Return 1 / the rank of the first relevant one, 0 past rank k."""
    return next((1 / rank for rank, id in enumerate(ranked[:k], start=1) if id in relevant), 0.0)


def ndcg_at(k: int, ranked: Sequence[str], relevant: set[str]) -> float:
    """Return the discounted gain of the first k over the best that is possible (Järvelin and Kekäläinen 2002)."""
    gain = sum(1 / log2(rank + 1) for rank, id in enumerate(ranked[:k], start=1) if id in relevant)
    return gain / sum(1 / log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))


def _hit_within(k: int) -> Callable[[Case, Suggestion], float]:
    return lambda case, found: hit_at(k, *_ranked(case, found))


def _ranked(case: Case, found: Suggestion) -> tuple[list[str], set[str]]:
    return [article.article_id for article in found.articles], set(case.expect["articles"])


def _chance(outcome: Outcome) -> Row | None:
    answerable, found = outcome.case.expect.get("answerable"), outcome.suggestion
    if answerable is None or found is None or found.answerability is None:
        return None
    return found.answerability, float(answerable)
