"""What the desk's matrix says of one ticket's priority, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from triage.cleaning import TicketText
from triage.priority import find_factors
from triage.priority_fusion import agreement
from triage.priority_matrix import PriorityMatrix, default_matrix, matrix_label, ranked_labels
from triage.suggestions import Factor, RepeatOf
from triage.taxonomy import PriorityField
from triage.tickets import Ticket


@dataclass(frozen=True)
class Opinion:
    """How well each label agrees with the matrix, shape (1, labels), 0 where it says nothing; and the factors."""

    agreement: NDArray[np.float64]
    factors: tuple[Factor, ...]


@dataclass(frozen=True)
class PriorityScale:
    """The desk's priorities, how they rank, and its matrix; the latter two None where nothing ranks them."""

    labels: tuple[str, ...]
    ranked: tuple[str, ...] | None
    matrix: PriorityMatrix | None
    vip_tags: tuple[str, ...]

    @classmethod
    def of(cls, field: PriorityField, hours: Mapping[str, tuple[float, float]]) -> "PriorityScale":
        """Return the scale of a taxonomy's field; hours: SLA targets (respond, resolve), which rank where no order is
        written."""
        ranked = ranked_labels(tuple(field.labels), field.order, hours)
        return cls(tuple(field.labels), ranked, field.matrix or default_matrix(ranked), field.vip_tags)

    def opinion(self, ticket: Ticket, text: TicketText, now: datetime, repeats: Sequence[RepeatOf] = ()) -> Opinion:
        """Return what the matrix makes of a ticket at an aware moment, whose zone says when a day ends.

        repeats: other tickets of the requester about the same matter; a build knows of none.
        """
        factors = find_factors(ticket, text, now, self.vip_tags, repeats) if self.matrix else ()
        agreements = agreement(self.labels, matrix_label(factors, self.matrix), self.ranked)
        return Opinion(agreements[np.newaxis, :], tuple(factor.on_the_wire for factor in factors))
