"""The newest open tickets of a desk in memory, so that every triage can be compared with all of them at once."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from heapq import nlargest

import numpy as np

from models.protocols import FloatArray
from triage.history import PastContact

#: A cosine found for many at once may differ from one found alone in the last digits: so much more is looked at.
SLACK = 1e-3
#: Of more that are alike, the most alike are told: who makes a thousand objects keeps everybody else waiting.
MAX_ALIKE = 200
#: Changes that are kept beside the large block before that is made anew.
MAX_RECENT = 500


@dataclass(frozen=True, eq=False, slots=True)
class OpenTicket:
    """An open ticket with a vector of the encoder in use. version: that of its row."""

    id: str
    version: int
    at: datetime
    vector: FloatArray
    category: str | None = None


@dataclass(frozen=True, eq=False)
class Block:
    """Tickets, oldest first. vectors: of shape (tickets, dimension), each of norm 1."""

    tickets: Sequence[OpenTicket] = ()
    vectors: FloatArray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))

    @classmethod
    def of(cls, found: Iterable[OpenTicket], most: int) -> "Block":
        """Take the newest tickets, `most` of them; all have vectors of one dimension."""
        newest = sorted(found, key=lambda ticket: (ticket.at, ticket.id))[-most:]
        if not newest:
            return cls()
        vectors = np.stack([ticket.vector for ticket in newest])
        # Each vector becomes a row of the one array, so that none is held twice.
        pairs = zip(newest, vectors, strict=True)
        return cls([OpenTicket(one.id, one.version, one.at, row, one.category) for one, row in pairs], vectors)

    @cached_property
    def versions(self) -> dict[str, int]:
        """The version of each ticket, by id."""
        return {ticket.id: ticket.version for ticket in self.tickets}

    @cached_property
    def times(self) -> Sequence[datetime]:
        """When each was written."""
        return [ticket.at for ticket in self.tickets]

    def span(self, since: datetime, until: datetime) -> slice:
        """Return the places of those that were written in a span, both ends included."""
        return slice(bisect_left(self.times, since), bisect_right(self.times, until))

    def alike(self, since: datetime, until: datetime, like: FloatArray, least: float) -> Iterator[tuple[float, int]]:
        """Yield cosine and place of those of a span whose cosine with a vector is at least so much."""
        span = self.span(since, until)
        if span.start < span.stop and like.shape == self.vectors.shape[1:]:
            # Row by row: a product of matrix and vector wakes the threads of BLAS, and waits for them on a busy one.
            scores = np.vecdot(self.vectors[span], like)
            found = np.flatnonzero(scores >= least)
            yield from zip(scores[found].tolist(), (found + span.start).tolist(), strict=True)


@dataclass(frozen=True, eq=False)
class OpenTickets:
    """Immutable, so that whoever reads needs no lock: a large block, and what changed since that was made.

    gone: ids whose place in the large block does not count any more.
    """

    base: Block = field(default_factory=Block)
    recent: Block = field(default_factory=Block)
    gone: frozenset[str] = frozenset()

    def version(self, id: str) -> int | None:
        """Return the version of a ticket that is known, None for one that is not."""
        known = self.recent.versions.get(id)
        return known if known is not None or id in self.gone else self.base.versions.get(id)

    def __iter__(self) -> Iterator[OpenTicket]:
        yield from (ticket for ticket in self.base.tickets if ticket.id not in self.gone)
        yield from self.recent.tickets

    def changed(self, gone: Collection[str], found: Collection[OpenTicket], most: int) -> "OpenTickets":
        """Return these without some ids and with others, which replace those of the same id; the newest, about `most`.

        A few more than `most` are kept until the large block is made anew.
        """
        lost = {id for id in gone if self.version(id) is not None} | {ticket.id for ticket in found}
        if not lost:
            return self
        recent = [*(ticket for ticket in self.recent.tickets if ticket.id not in lost), *found]
        covered = self.gone | (lost & self.base.versions.keys())
        if max(len(recent), len(covered)) > MAX_RECENT:
            left = (ticket for ticket in self.base.tickets if ticket.id not in covered)
            return OpenTickets(Block.of([*left, *recent], most))
        return OpenTickets(self.base, Block.of(recent, most), covered)

    def between(self, since: datetime, until: datetime) -> list[PastContact]:
        """Return those that were written in a span, both ends included."""
        span = self.base.span(since, until)
        found = [one for one in self.base.tickets[span] if one.id not in self.gone]
        return contacts_of([*found, *self.recent.tickets[self.recent.span(since, until)]])

    def alike(self, since: datetime, until: datetime, like: FloatArray, similarity: float) -> list[PastContact]:
        """Return those of a span that may be as alike as that: all of them, or the `MAX_ALIKE` most alike.

        like: a vector of shape (dimension,). Some that are a little less alike are among them.
        """
        least = similarity - SLACK
        scored = [(score, self.base.tickets[place]) for score, place in self.base.alike(since, until, like, least)]
        scored = [(score, one) for score, one in scored if one.id not in self.gone]
        scored += [(score, self.recent.tickets[place]) for score, place in self.recent.alike(since, until, like, least)]
        best = nlargest(MAX_ALIKE, scored, key=lambda found: (found[0], found[1].id))
        return contacts_of([one for _, one in best])


def contacts_of(found: Sequence[OpenTicket]) -> list[PastContact]:
    """Return tickets as a history tells of them."""
    return [PastContact(one.id, one.at, one.vector, one.category) for one in found]
