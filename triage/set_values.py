"""Values that a person has set on a ticket: they come before routing rules and model, and nothing takes them back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from triage.errors import TicketError
from triage.history import TicketHistory
from triage.taxonomy import Taxonomy
from triage.tickets import Ticket

#: The name of the factor that such a value shows.
SET_BY_PERSON = "set_by_person"
#: The gate's verdict can be overturned like a field, towards a person only: what is no request may be one tomorrow.
KIND, REQUEST = "kind", "request"


@dataclass(frozen=True)
class SetValues:
    """Label by field.

    values: all that hold; known: those of the desk's records that the taxonomy has; outdated: those it no longer has;
    is_request: a person said that somebody wants an answer, whatever the gate says.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    outdated: Mapping[str, str] = field(default_factory=dict)
    is_request: bool = False

    @property
    def settled(self) -> dict[str, tuple[str, str, str]]:
        """(label, factor, evidence) by field, as the classifier takes what is settled."""
        return {name: (label, SET_BY_PERSON, f"a person set {name} to {label}") for name, label in self.values.items()}


def values_set(ticket: Ticket, history: TicketHistory, taxonomy: Taxonomy) -> SetValues:
    """Return what a person has set, the ticket's own values before those of the desk's records.

    Raises `TicketError` where the ticket names a field or label that the desk does not have. In the records such a
    value is only outdated: a taxonomy may lose a label, and the ticket must not be lost with it.
    """
    for name, label in ticket.set_fields.items():
        if problem := _problem_with(name, label, taxonomy):
            raise TicketError(f"set_fields.{name}: {'; '.join(problem)}")
    kept = history.set_fields(ticket.id) if ticket.id is not None else {}
    known = {name: label for name, label in kept.items() if _problem_with(name, label, taxonomy) is None}
    outdated = {name: label for name, label in kept.items() if name not in known}
    values = {**known, **ticket.set_fields}
    is_request = values.pop(KIND, None) == REQUEST
    return SetValues(values, known, outdated, is_request)


def _problem_with(name: str, label: str, taxonomy: Taxonomy) -> tuple[str, str] | None:
    if name != KIND:
        return taxonomy.problem_with(name, label)
    return None if label == REQUEST else (f"unknown kind {label!r}", f"only {REQUEST!r} can be set")
