"""Keeps what a person made of a suggestion: one way for the API and for the console."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from serve.errors import InvalidRequest
from serve.kept_words import kept_ratio
from serve.security.keys import Caller
from serve.services import Services
from serve.storage.feedback_store import Feedback, Verdict
from serve.storage.suggestion_store import StoredSuggestion
from triage.edits import edit_of
from triage.set_values import KIND, REQUEST
from triage.taxonomy import Taxonomy


@dataclass(frozen=True)
class Opinion:
    """What a person says of a suggestion; seconds: from opening the ticket to the decision, None where unknown."""

    verdict: Verdict
    final_text: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    agent: str | None = None
    seconds: float | None = None


def keep_feedback(services: Services, caller: Caller, stored: StoredSuggestion, said: Opinion) -> Feedback:
    """Keep what was said, and corrected fields on the ticket, as values that a person has set.

    Raises `InvalidRequest` for a field or label that the desk does not have.
    """
    check_fields(said.fields, services.engine(caller.desk).rules.taxonomy)
    made = _feedback(services, caller, stored, said)
    # The ticket first: who sends the same again after a fault in between changes nothing there, and is heard here.
    if said.fields and made.ticket_id is not None:
        services.tickets.set_values(caller.desk, made.ticket_id, said.fields, made.created_at)
    services.feedback.add(caller.desk, made)
    return made


def check_fields(fields: Mapping[str, str], taxonomy: Taxonomy) -> None:
    """Raise `InvalidRequest` for a field or label that the desk does not have."""
    for name, label in fields.items():
        if name == KIND and label == REQUEST:
            continue
        unknown = (f"unknown kind {label!r}", f"only {REQUEST!r} can be set")
        if problem := unknown if name == KIND else taxonomy.problem_with(name, label):
            raise InvalidRequest(f"fields.{name}: {problem[0]}; {problem[1]}")


def _feedback(services: Services, caller: Caller, stored: StoredSuggestion, said: Opinion) -> Feedback:
    draft, final = stored.suggestion.draft, said.final_text
    if draft is not None and said.verdict == "accepted" and final is None:
        final = draft.text
    return Feedback(
        id=services.new_id(),
        suggestion_id=stored.suggestion.id,
        ticket_id=stored.ticket.id or stored.suggestion.ticket_id,
        key_id=caller.key_id,
        created_at=services.now(),
        verdict=said.verdict,
        agent=said.agent,
        final_text=final,
        fields=said.fields,
        reason=said.reason,
        kept_ratio=None if draft is None else kept_ratio(draft.text, final or ""),
        edit=None if draft is None or not final else edit_of(draft, final),
        seconds=said.seconds,
    )
