"""What an audit of a desk's labels found, in names, lines and words."""

from dataclasses import asdict, dataclass
from typing import Any

from triage.audit_classes import Weakness
from triage.audit_labels import WrongLabels


@dataclass(frozen=True)
class Place:
    """Where a ticket stands: its id, its line in the file, and its first words."""

    ticket: str | None
    line: int
    words: str


@dataclass(frozen=True)
class SuspectLabel:
    """A ticket that is probably labelled wrong."""

    place: Place
    given: str
    suggested: str
    given_chance: float
    suggested_chance: float


@dataclass(frozen=True)
class OverlappingLabels:
    """Two labels that held-out tickets do not keep apart; figures as in `audit_classes.Overlap`."""

    labels: tuple[str, str]
    mass: float
    low: float
    high: float
    mistaken: tuple[int, int]
    n: tuple[int, int]
    between: tuple[Place, ...]


@dataclass(frozen=True)
class TooFew:
    """A label that is too weak to rely on; figures as in `audit_classes.WeakLabel`."""

    label: str
    rows: int
    predicted: int
    needed: int
    weakness: Weakness


@dataclass(frozen=True)
class Contradiction:
    """One text with more than one label: a label for each place."""

    places: tuple[Place, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class FieldAudit:
    """The findings about one field; n: held-out rows, accuracy: of the best guesses on them, None where n is 0."""

    field: str
    n: int
    accuracy: float | None
    max_error: float
    wrong: WrongLabels
    suspects: tuple[SuspectLabel, ...]
    overlaps: tuple[OverlappingLabels, ...]
    weak: tuple[TooFew, ...]
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True)
class ProposedLabel:
    """A topic among out-of-scope tickets; figures as in `audit_topics.Topic`."""

    words: tuple[str, ...]
    tickets: int
    cohesion: float
    nearest_known: float
    examples: tuple[Place, ...]


@dataclass(frozen=True)
class Queue:
    """What tickets without labels showed: how many were read, how many are out of scope, and the topics of those."""

    tickets: int
    out_of_scope: int
    proposed: tuple[ProposedLabel, ...]


@dataclass(frozen=True)
class Audit:
    """All findings about a desk; queue: None where no tickets were given."""

    desk: str
    generation: str
    history: int
    fields: tuple[FieldAudit, ...]
    queue: Queue | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the findings as plain values."""
        return asdict(self)
