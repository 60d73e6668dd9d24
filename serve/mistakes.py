"""The dangerous mistakes among what people said of suggestions: those that nobody sees who does not look."""

from typing import Literal

from serve.storage.feedback_store import DANGEROUS_REASONS, Feedback
from triage.suggestions import Suggestion

Mistake = Literal["wrong_fact", "needed_person", "decided_wrong"]

_OF_REASON: dict[str, Mistake] = dict(zip(DANGEROUS_REASONS, ("wrong_fact", "needed_person"), strict=True))


def mistakes_of(suggestion: Suggestion, said: Feedback) -> tuple[Mistake, ...]:
    """Return what was dangerous about a suggestion, by what a person said of it, the gravest first.

    wrong_fact: drafted, and rejected or changed for a fact; needed_person: drafted, and rejected since a person had to
    answer; decided_wrong: a field that was decided, not merely guessed, and set to another label.
    """
    found: list[Mistake] = []
    if suggestion.disposition == "draft" and (mistake := _of_draft(said)):
        found.append(mistake)
    decided = {name: one.value for name, one in suggestion.fields.items() if one.decided}
    if any(name in decided and label != decided[name] for name, label in said.fields.items()):
        found.append("decided_wrong")
    return tuple(found)


def _of_draft(said: Feedback) -> Mistake | None:
    if said.verdict == "rejected":
        # The console writes free text behind the reason and a colon.
        return _OF_REASON.get((said.reason or "").split(":")[0])
    return "wrong_fact" if said.edit and "fact" in said.edit.kinds else None
