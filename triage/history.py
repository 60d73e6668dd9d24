"""What the desk knows of a requester and a ticket: other tickets about the same matter, values that a person set.

The engine asks through `TicketHistory`; what it was told goes into the Suggestion, so that a decision can be repeated.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

import numpy as np

from models.protocols import FloatArray
from triage.cleaning import normalise
from triage.drafting.policy import DuplicatePolicy, RepeatContact
from triage.suggestions import Duplicate, HistorySaid, RepeatOf
from triage.tickets import Requester, Ticket

#: Cosines are compared, shown and stored to this many digits, so that what is shown is what decided.
DIGITS = 4
#: A vector whose norm differs from 1 by more than this is none of an encoder's.
NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class PastContact:
    """A ticket that the requester wrote.

    at: when they wrote it, aware; vector: `TriageEngine.vector_of` it, of shape (dimension,) and norm 1, or None where
    there is none of the encoder in use; category: what it was about, where that is known; open: whether it still waits
    for an answer.
    """

    ticket_id: str
    at: datetime
    vector: FloatArray | None = None
    category: str | None = None
    open: bool = True

    def __post_init__(self) -> None:
        if self.at.utcoffset() is None:
            raise ValueError(f"the contact {self.ticket_id!r} has a time without a zone; give an aware datetime")
        if self.vector is None:
            return
        if self.vector.ndim != 1 or not abs(float(np.linalg.norm(self.vector)) - 1) <= NORM_TOLERANCE:
            raise ValueError(f"the contact {self.ticket_id!r} needs a vector of one axis and norm 1, or None")


class TicketHistory(Protocol):
    """What the desk knows. Called once for each ticket, from many threads; what it raises goes through."""

    def contacts(self, ticket: Ticket, since: datetime, until: datetime) -> Sequence[PastContact]:
        """Return what the ticket's requester (see `requester_keys`) wrote from `since` to `until`, both included.

        The ticket itself may be among them and is left out by the caller; so is what lies outside the span.
        """
        ...

    def open_tickets(
        self, since: datetime, until: datetime, like: FloatArray | None = None, similarity: float = -1.0
    ) -> Sequence[PastContact]:
        """Return the open tickets of all requesters that were written from `since` to `until`, both included.

        like, similarity: those whose vector is less alike than this are of no use to the caller; some may be returned.
        """
        ...

    def set_fields(self, ticket_id: str) -> Mapping[str, str]:
        """Return label by field of what a person has set on a ticket; nothing for one that is not known."""
        ...


@dataclass(frozen=True)
class NoHistory:
    """Knows nothing."""

    def contacts(self, ticket: Ticket, since: datetime, until: datetime) -> Sequence[PastContact]:
        """Return nothing."""
        return ()

    def open_tickets(
        self, since: datetime, until: datetime, like: FloatArray | None = None, similarity: float = -1.0
    ) -> Sequence[PastContact]:
        """Return nothing."""
        return ()

    def set_fields(self, ticket_id: str) -> Mapping[str, str]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, eq=False)
class Recorded:
    """What went into an earlier decision: with it the same decision can be made again.

    vectors: of shape (1 or 2, dimension), None for a ticket without a word; history: what the desk's records said.
    """

    vectors: FloatArray | None
    history: HistorySaid

    def contacts(self, ticket: Ticket, since: datetime, until: datetime) -> Sequence[PastContact]:
        """Return nothing: what was found is in `history`."""
        return ()

    def open_tickets(
        self, since: datetime, until: datetime, like: FloatArray | None = None, similarity: float = -1.0
    ) -> Sequence[PastContact]:
        """Return nothing: what was found is in `history`."""
        return ()

    def set_fields(self, ticket_id: str) -> Mapping[str, str]:
        """Return what a person had set, with the values that the taxonomy of that time did not have."""
        return {**self.history.set_fields, **self.history.outdated}


class InMemoryHistory:
    """A history for as long as the process lives. Safe from many threads; a ticket is kept as last added."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._contacts: dict[str, tuple[tuple[str, ...], PastContact]] = {}
        self._by_requester: dict[str, dict[str, None]] = {}
        self._fields: dict[str, dict[str, str]] = {}

    def add(self, requester: Requester, contact: PastContact) -> None:
        """Keep a ticket and whose it is; one whose requester has neither id nor e-mail is nobody's and not kept."""
        keys = requester_keys(requester)
        with self._lock:
            self._remove(contact.ticket_id)
            if keys:
                self._contacts[contact.ticket_id] = (keys, contact)
            for key in keys:
                self._by_requester.setdefault(key, {})[contact.ticket_id] = None

    def set_values(self, ticket_id: str, fields: Mapping[str, str]) -> None:
        """Keep what a person set on a ticket, in place of what was kept before."""
        with self._lock:
            self._fields[ticket_id] = dict(fields)

    def forget(self, ticket_id: str) -> None:
        """Keep nothing of a ticket any more."""
        with self._lock:
            self._remove(ticket_id)
            self._fields.pop(ticket_id, None)

    def contacts(self, ticket: Ticket, since: datetime, until: datetime) -> Sequence[PastContact]:
        """Return what the ticket's requester wrote in a span."""
        asked = requester_keys(ticket.requester)
        with self._lock:
            ids = dict.fromkeys(found for key in asked for found in self._by_requester.get(key, ()))
            known = [self._contacts[found] for found in ids]
        return [contact for keys, contact in known if same_requester(asked, keys) and since <= contact.at <= until]

    def open_tickets(
        self, since: datetime, until: datetime, like: FloatArray | None = None, similarity: float = -1.0
    ) -> Sequence[PastContact]:
        """Return the open tickets of a span, alike or not; of those whose requester is not known nothing is kept."""
        with self._lock:
            known = [contact for _, contact in self._contacts.values()]
        return [contact for contact in known if contact.open and since <= contact.at <= until]

    def set_fields(self, ticket_id: str) -> Mapping[str, str]:
        """Return what a person set on a ticket."""
        with self._lock:
            return dict(self._fields.get(ticket_id, {}))

    def _remove(self, ticket_id: str) -> None:
        keys, _ = self._contacts.pop(ticket_id, ((), None))
        for key in keys:
            self._by_requester[key].pop(ticket_id)
            if not self._by_requester[key]:
                del self._by_requester[key]


def requester_keys(requester: Requester) -> tuple[str, ...]:
    """Return what a requester is known by, the id before the e-mail address; never the name."""
    address = normalise(requester.email or "").strip().casefold()
    keys = (f"id:{requester.id}" if (requester.id or "").strip() else "", f"email:{address}" if address else "")
    return tuple(key for key in keys if key)


def same_requester(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether two requesters' keys are of one person: by id where both have one, else by e-mail address."""
    if one and other and one[0].startswith("id:") and other[0].startswith("id:"):
        return one[0] == other[0]
    return not set(one).isdisjoint(other)


def repeats_of(
    ticket_id: str | None, vector: FloatArray, contacts: Iterable[PastContact], until: datetime, rule: RepeatContact
) -> tuple[RepeatOf, ...]:
    """Return the other tickets about the same matter, the newest first, each once.

    vector: of shape (dimension,) and norm 1; until: the moment at which the customer wrote, so that nothing later
    counts. The same matter is a cosine of at least `rule.similarity`, within `rule.days`.
    """
    since = until - timedelta(days=rule.days)
    found: dict[str, RepeatOf] = {}
    for contact in sorted(contacts, key=lambda contact: (contact.at, contact.ticket_id), reverse=True):
        known = contact.vector
        if contact.ticket_id == ticket_id or not since <= contact.at <= until:
            continue
        if contact.ticket_id in found or known is None or known.shape != vector.shape:
            continue
        score = min(round(float(known @ vector), DIGITS), 1.0)
        if score >= rule.similarity:
            found[contact.ticket_id] = RepeatOf(ticket_id=contact.ticket_id, at=contact.at, score=score)
    return tuple(found.values())


def duplicates_of(
    ticket_id: str | None, vector: FloatArray, known: Iterable[PastContact], own: Set[str], rule: DuplicatePolicy
) -> tuple[Duplicate, ...]:
    """Return the open tickets that say the same, the most alike first, each once.

    vector: of shape (dimension,) and norm 1; own: the ids of the requester's own tickets.
    """
    found: dict[str, Duplicate] = {}
    for contact in known:
        if contact.ticket_id == ticket_id or contact.vector is None or contact.vector.shape != vector.shape:
            continue
        score = min(round(float(contact.vector @ vector), DIGITS), 1.0)
        if contact.open and score >= rule.similarity:
            same = contact.ticket_id in own
            found[contact.ticket_id] = Duplicate(
                ticket_id=contact.ticket_id, at=contact.at, score=score, same_requester=same
            )
    return tuple(sorted(found.values(), key=lambda one: (-one.score, one.ticket_id)))


def repeated(repeats: Sequence[RepeatOf], days: float) -> str:
    """Say how often somebody wrote, this time included."""
    return f"wrote {len(repeats) + 1} times about this in {days:g} days"
