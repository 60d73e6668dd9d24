"""The worst cases of a run, a few of each kind, kept whole while the others pass by."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappush, heappushpop

from eval.outcomes import Outcome
from triage.suggestions import Draft

#: Cases shown of each kind.
MOST = 8


@dataclass
class Worst:
    """The worst of one kind so far, in a heap of `MOST`; of equals the earlier ones. offered: how many there were."""

    offered: int = 0
    _heap: list[tuple[float, int, Outcome, str]] = field(default_factory=list)

    def offer(self, badness: float, outcome: Outcome, about: str = "") -> None:
        """Take a case in where it is among the worst; `about` says what of it is bad."""
        entry = (badness, -self.offered, outcome, about)
        self.offered += 1
        if len(self._heap) < MOST:
            heappush(self._heap, entry)
        else:
            heappushpop(self._heap, entry)

    def __iter__(self) -> Iterator[tuple[Outcome, str]]:
        """Yield cases and what of each is bad, the worst first."""
        return ((outcome, about) for _, _, outcome, about in sorted(self._heap, key=lambda entry: entry[:2])[::-1])


@dataclass
class WorstCases:
    """The worst cases of each kind."""

    exceptions: Worst = field(default_factory=Worst)
    missed_handoffs: Worst = field(default_factory=Worst)
    wrong_fields: Worst = field(default_factory=Worst)
    unfound_articles: Worst = field(default_factory=Worst)
    other_citations: Worst = field(default_factory=Worst)

    def add(self, outcome: Outcome, fields: Iterable[str]) -> None:
        """Sort one case in, wherever it belongs: it may be bad in several ways."""
        if is_missed(outcome):
            self.missed_handoffs.offer(float(is_sensitive(outcome)), outcome)
        if outcome.suggestion is None:
            self.exceptions.offer(0, outcome)
            return
        for name in fields:
            prediction = outcome.suggestion.fields[name] if name in outcome.case.expect else None
            if prediction and prediction.best != outcome.case.expect[name]:
                self.wrong_fields.offer(prediction.confidence, outcome, name)
        self._add_articles(outcome)

    def _add_articles(self, outcome: Outcome) -> None:
        found, expected = outcome.suggestion, set(outcome.case.expect.get("articles", ()))
        if found is None or not expected:
            return
        best = max((hit.score for hit in found.articles), default=0.0)
        if not expected & {hit.article_id for hit in found.articles[:10]}:
            self.unfound_articles.offer(best, outcome)
        if found.draft is not None and not expected & set(cited_articles(found.draft)):
            self.other_citations.offer(best, outcome)


def is_missed(outcome: Outcome) -> bool:
    """Tell whether a case should have reached a person and did not; an exception reaches nobody."""
    found = outcome.suggestion
    return outcome.case.expect.get("handoff") is True and (found is None or found.disposition != "handoff")


def is_sensitive(outcome: Outcome) -> bool:
    """Tell whether a case should have reached a person for a topic that only people answer."""
    return "sensitive_topic" in outcome.case.expect.get("handoff_reasons", ())


def cited_articles(draft: Draft) -> list[str]:
    """Return the ids of the articles that a draft's sentences stand in, each once, in order."""
    return list(dict.fromkeys(support.article_id for sentence in draft.sentences for support in sentence.support))
