"""How good drafts are: how often there is one, whether it stands in its sources, how near it is to a person's reply."""

from functools import lru_cache

from eval.cases import Case
from eval.metrics.metric import Metric, Row, has, has_articles, is_answerable, share
from eval.outcomes import Outcome
from triage.suggestions import Draft, Suggestion


def draft_metrics() -> list[Metric]:
    """Return the metrics of drafts; all but the first are over the drafts that there are."""
    return [
        Metric(
            "draft.rate_on_answerable",
            "what public articles answer got a draft",
            share(is_answerable, lambda case, found: found.disposition == "draft"),
        ),
        Metric(
            "draft.cites_expected_article",
            "the draft quotes an expected article",
            share(has_articles, _cites_expected, failure=None),
        ),
        Metric(
            "draft.supported_sentences",
            "share of a draft's facts that have a source",
            share(lambda case: True, _supported, failure=None),
        ),
        Metric(
            "draft.unsupported_facts",
            "the draft states a fact that has no source",
            share(lambda case: True, _unsupported, failure=None),
            lower_is_better=True,
        ),
        Metric(
            "draft.rouge_l",
            "ROUGE-L of the draft's facts against the expected reply",
            share(has("reply"), lambda c, f: _overlap(c, f, "fmeasure"), failure=None),
        ),
        Metric(
            "draft.kept_ratio",
            "share of the draft's words that stand in the expected reply, in order",
            share(has("reply"), lambda c, f: _overlap(c, f, "precision"), failure=None),
        ),
        Metric("draft.similarity", "cosine of the draft and the expected reply", _similarity),
    ]


def facts_of(draft: Draft) -> str:
    """Return what a draft states, without greeting, lead and closing."""
    return " ".join(sentence.text for sentence in draft.sentences if sentence.role == "fact")


def _cites_expected(case: Case, found: Suggestion) -> float | None:
    if found.draft is None:
        return None
    cited = {support.article_id for sentence in found.draft.sentences for support in sentence.support}
    return float(bool(cited & set(case.expect["articles"])))


def _supported(case: Case, found: Suggestion) -> float | None:
    """Return the share of a draft's facts that have a source."""
    facts = [sentence for sentence in found.draft.sentences if sentence.role == "fact"] if found.draft else []
    return sum(bool(fact.support) for fact in facts) / len(facts) if facts else None


def _unsupported(case: Case, found: Suggestion) -> float | None:
    """Return 1 where a draft states something without a source, else 0."""
    supported = _supported(case, found)
    return None if supported is None else float(supported < 1)


def _overlap(case: Case, found: Suggestion, part: str) -> float | None:
    """Return ROUGE-L of a draft's facts against the expected reply.

    Its precision is the share of the draft's words that stand in the reply in the same order: what was kept.
    """
    if found.draft is None:
        return None
    return rouge_l(case.expect["reply"], facts_of(found.draft), part)


def rouge_l(expected: str, text: str, part: str = "fmeasure") -> float:
    """Return ROUGE-L of a text against the expected one: its F-measure, precision or recall."""
    return float(getattr(_rouge().score(expected, text)["rougeL"], part))


def _similarity(outcome: Outcome) -> Row | None:
    return None if outcome.reply_similarity is None else (max(0.0, outcome.reply_similarity),)


@lru_cache(maxsize=1)
def _rouge():  # type: ignore[no-untyped-def]
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"])
