"""Questions that no article answers, put together by what they are about."""

from collections.abc import Sequence
from dataclasses import dataclass

from serve.storage.insight_store import Gap

#: Cosine from which on two questions are about the same matter.
ALIKE = 0.6
#: Tickets that are shown of a group.
SHOWN = 3


@dataclass(frozen=True)
class GapGroup:
    """Questions about the same matter: how many, and some of them, the one that leads the group first."""

    count: int
    examples: tuple[Gap, ...]


def group_gaps(gaps: Sequence[Gap]) -> list[GapGroup]:
    """Return questions in groups, the largest first: each joins the first whose leader it is like, or leads its own.

    Leader clustering (Hartigan 1975): one pass, and the order decides; the newest come first. Vectors are of norm 1.
    """
    groups: list[list[Gap]] = []
    for one in gaps:
        near = next((group for group in groups if float(group[0].vector @ one.vector) >= ALIKE), None)
        if near is None:
            groups.append([one])
        else:
            near.append(one)
    found = [GapGroup(len(group), tuple(group[:SHOWN])) for group in groups]
    return sorted(found, key=lambda group: -group.count)
