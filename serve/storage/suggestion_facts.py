"""What is counted of a suggestion: a few hundred bytes beside a row of many thousand, so that a year can be counted."""

from typing import Literal

from pydantic import Field

from triage.suggestions import Disposition, Suggestion
from triage.tickets import WireModel


class FieldFact(WireModel):
    """What was said of a field. value: null where it was left to a person; confidence: of the best guess."""

    value: str | None
    best: str
    confidence: float = Field(ge=0, le=1)


class SuggestionFacts(WireModel):
    """What is counted of a suggestion.

    reasons: codes of the handoff rules that fired; cited: id and revision of the articles that the draft leans on;
    found: ids of the best articles, whether the draft used them or not; source: of the draft, null where there is none.
    """

    kind: str
    language: str
    disposition: Disposition
    fields: dict[str, FieldFact]
    reasons: tuple[str, ...] = ()
    cited: tuple[tuple[str, int], ...] = ()
    found: tuple[str, ...] = ()
    source: Literal["articles", "macro", "history", "model"] | None = None
    generation: str
    knowledge_revision: int


#: Articles that are kept of those found.
FOUND = 3


def facts_of(said: Suggestion) -> SuggestionFacts:
    """Return what is counted of a suggestion."""
    revisions = {hit.article_id: hit.revision for hit in said.articles}
    sentences = said.draft.sentences if said.draft else ()
    cited = dict.fromkeys(support.article_id for sentence in sentences for support in sentence.support)
    return SuggestionFacts(
        kind=said.kind,
        language=said.language,
        disposition=said.disposition,
        fields={
            name: FieldFact(value=found.value, best=found.best, confidence=found.confidence)
            for name, found in said.fields.items()
        },
        reasons=tuple(reason.code for reason in said.handoff.reasons) if said.handoff else (),
        cited=tuple((id, revisions.get(id, 0)) for id in cited),
        found=tuple(hit.article_id for hit in said.articles[:FOUND]),
        source=said.draft.source if said.draft else None,
        generation=said.versions.generation,
        knowledge_revision=said.versions.knowledge_revision,
    )


def facts_of_row(facts: str | None, suggestion: str) -> SuggestionFacts:
    """Return what is counted of a row: as it was kept, or, in rows of before, made from the suggestion."""
    if facts is not None:
        return SuggestionFacts.model_validate_json(facts)
    return facts_of(Suggestion.model_validate_json(suggestion))
