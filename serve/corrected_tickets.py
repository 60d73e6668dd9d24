"""What became of each ticket by the feedback that was approved: a row that a build learns from, and a case."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from serve.masking import masked_ticket
from serve.mistakes import Mistake, mistakes_of
from serve.storage.feedback_store import Feedback
from serve.storage.suggestion_store import SuggestionStore
from triage.set_values import KIND
from triage.suggestions import Suggestion
from triage.taxonomy import Taxonomy
from triage.tickets import Ticket


@dataclass
class Corrected:
    """What became of one ticket, by all that was approved of it.

    last: the newest word; labels: the newest on each field; replied: the newest that has a final text; mistakes: what
    was dangerous about its suggestions; needs_person: whether the last word was that a draft must not have been.
    """

    ticket: Ticket
    last: Feedback
    labels: dict[str, str] = field(default_factory=dict)
    replied: Feedback | None = None
    agents: set[str] = field(default_factory=set)
    mistakes: set[Mistake] = field(default_factory=set)
    needs_person: bool = False

    @property
    def reply(self) -> str:
        """What was sent, "" where that is not known."""
        return (self.replied.final_text or "") if self.replied else ""

    def masked(self) -> tuple[Ticket, str]:
        """Return the ticket and the reply without personal data."""
        ticket, hide = masked_ticket(self.ticket, self.agents)
        return ticket, hide(self.reply)

    @property
    def gravest(self) -> Mistake | None:
        """The mistake by which a case is found again among its slices."""
        return next((one for one in get_args(Mistake) if one in self.mistakes), None)

    def add(self, said: Feedback, labels: Mapping[str, str], suggestion: Suggestion) -> None:
        """Take in a newer word."""
        self.last = said
        found = mistakes_of(suggestion, said)
        self.mistakes |= set(found)
        self.needs_person = said.verdict == "rejected" and not {"wrong_fact", "needed_person"}.isdisjoint(found)
        self.labels |= labels
        self.agents |= {said.agent} if said.agent else set()
        if said.final_text:
            self.replied = said
        elif said.verdict == "rejected" and self.replied and self.replied.suggestion_id == said.suggestion_id:
            self.replied = None


@dataclass
class ExportTally:
    """What an export leaves out, counted: beyond an agent's number, by agent; of suggestions that are gone; the rest.

    mistakes: cases of dangerous ones, for which older_mistakes words beyond an agent's number were taken in after all.
    """

    beyond: dict[str, int] = field(default_factory=dict)
    gone: int = 0
    outdated: int = 0
    too_long: int = 0
    mistakes: int = 0
    older_mistakes: int = 0


def gathered(
    store: SuggestionStore, desk: str, approved: Iterable[Feedback], taxonomy: Taxonomy, tally: ExportTally
) -> list[Corrected]:
    """Return what became of each ticket, in the order in which it was last spoken of."""
    found: dict[str, Corrected] = {}
    for said in approved:
        stored = store.get(desk, said.suggestion_id)
        if stored is None:
            tally.gone += 1
            continue
        key = stored.ticket.id or said.suggestion_id
        one = found.pop(key, None) or Corrected(stored.ticket, said)
        one.ticket = stored.ticket
        labels = _known({**stored.ticket.set_fields, **said.fields}, taxonomy, tally)
        one.add(said, labels, stored.suggestion)
        found[key] = one
    return list(found.values())


def _known(labels: Mapping[str, str], taxonomy: Taxonomy, tally: ExportTally) -> dict[str, str]:
    """Return the labels that the desk still has; a value of `kind` is none of its fields'."""
    known = {}
    for name, label in labels.items():
        if name == KIND or taxonomy.problem_with(name, label) is None:
            known[name] = label
        else:
            tally.outdated += 1
    return known


def correction_of(one: Corrected, ticket: Ticket, reply: str) -> dict[str, Any]:
    """Return a row in the shape of ``history.jsonl``; empty where no field of the desk's is known."""
    labels = {name: label for name, label in one.labels.items() if name != KIND}
    if not labels:
        return {}
    told = {"reply": reply, "resolved": True} if reply else {"resolved": False}
    return _told_of(ticket) | {"labels": labels} | told


def case_of(one: Corrected, ticket: Ticket, reply: str) -> dict[str, Any]:
    """Return an evaluation case: the ticket, what a person said is right, and whose word it was; empty for none.

    A draft that was sent as it was is no reply to measure drafts by: it would be measured by itself. A draft that was
    rejected for a wrong fact, or since a person had to answer, expects a handoff.
    """
    own = bool(reply) and one.replied is not None and one.replied.verdict == "edited"
    expect: dict[str, Any] = dict(one.labels) | ({"reply": reply} if own else {})
    expect |= {"handoff": True} if one.needs_person else {}
    if not expect:
        return {}
    told = {
        "language": ticket.language,
        "channel": ticket.channel,
        "verdict": one.last.verdict,
        "mistake": one.gravest,
    }
    known = {name: value for name, value in told.items() if value}
    return {"id": f"feedback-{one.last.id}", "ticket": _told_of(ticket), "expect": expect, "slice": known}


def _told_of(ticket: Ticket) -> dict[str, Any]:
    told = ticket.model_dump(mode="json", exclude_defaults=True)
    return {key: value for key, value in told.items() if value not in (None, {}, [])}
