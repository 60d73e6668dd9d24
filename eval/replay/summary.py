"""Both decisions on many tickets, counted: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from eval.replay.decided import Flip, Pair, Said, flip_of
from triage.risk import proportion_interval

NOBODY = "nobody"
Key = TypeVar("Key")


@dataclass(frozen=True)
class Share:
    """A share of n, with its 95 % interval (Wilson); value is None where n is 0."""

    value: float | None
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class FieldChange:
    """A field before and after.

    coverage: decided tickets of all; error: wrong ones of the decided whose truth is known; changed: tickets whose
    decision differs; broken: of those, the newly wrong ones; mended: those that were wrong, and are no longer.
    """

    coverage: tuple[Share, Share]
    error: tuple[Share, Share]
    changed: int
    broken: int
    mended: int


@dataclass(frozen=True)
class Summary:
    """What a change came to.

    dispositions: tickets by (before, after); handoff: (precision, recall) before and after on tickets of which is known
    whether a person had to take them; reasons: by code, tickets before and after; load: by team, tickets before and
    after; hours: by hour of the day at the desk and team, the same; flips: what differs, the gravest first; failed:
    tickets on which an engine failed.
    """

    tickets: int
    dispositions: Mapping[tuple[str, str], int]
    handoff: tuple[tuple[Share, Share], tuple[Share, Share]]
    fields: Mapping[str, FieldChange]
    reasons: Mapping[str, tuple[int, int]]
    load: Mapping[str, tuple[int, int]]
    hours: Mapping[tuple[int, str], tuple[int, int]]
    flips: tuple[Flip, ...]
    failed: tuple[str, ...] = ()


def summarise(pairs: Sequence[Pair], priorities: Sequence[str], zone: ZoneInfo, failed: Sequence[str] = ()) -> Summary:
    """Count what differs; zone: where the desk is, for its hours of the day."""
    flips = [flip for pair in pairs if (flip := flip_of(pair, priorities))]
    names = list(dict.fromkeys(name for pair in pairs for name in pair.before.fields))
    return Summary(
        tickets=len(pairs),
        dispositions=dict(Counter((pair.before.disposition, pair.after.disposition) for pair in pairs)),
        handoff=(_handoff([(p.handoff, p.before) for p in pairs]), _handoff([(p.handoff, p.after) for p in pairs])),
        fields={name: _field(name, pairs) for name in names},
        reasons=_both(
            (code for pair in pairs for code in _codes(pair.before)),
            (code for pair in pairs for code in _codes(pair.after)),
        ),
        load=_both((p.before.team or NOBODY for p in pairs), (p.after.team or NOBODY for p in pairs)),
        hours=_both(
            ((p.at.astimezone(zone).hour, p.before.team or NOBODY) for p in pairs if p.at),
            ((p.at.astimezone(zone).hour, p.after.team or NOBODY) for p in pairs if p.at),
        ),
        flips=tuple(sorted(flips, key=lambda flip: (-flip.weight, flip.pair.id))),
        failed=tuple(failed),
    )


def share(count: int, n: int) -> Share:
    """Return a share with its interval."""
    return Share(count / n if n else None, *proportion_interval(count, n), n)


def _codes(said: Said) -> set[str]:
    return {reason.code for reason in said.reasons}


def _both(before: Iterable[Key], after: Iterable[Key]) -> dict[Key, tuple[int, int]]:
    counts = Counter(before), Counter(after)
    return {key: (counts[0][key], counts[1][key]) for key in sorted(counts[0] | counts[1], key=str)}


def _handoff(known: Sequence[tuple[bool | None, Said]]) -> tuple[Share, Share]:
    """Return precision and recall of handoffs, on tickets of which is known whether a person had to take them."""
    judged = [(needed, said.disposition == "handoff") for needed, said in known if needed is not None]
    both = sum(needed and given for needed, given in judged)
    return share(both, sum(given for _, given in judged)), share(both, sum(needed for needed, _ in judged))


def _field(name: str, pairs: Sequence[Pair]) -> FieldChange:
    rows = [(p.before.fields.get(name), p.after.fields.get(name), p.truth.get(name)) for p in pairs]
    changed = [row for row in rows if row[0] != row[1]]
    decided = [[(row[side], row[2]) for row in rows if row[side] is not None] for side in (0, 1)]
    judged = [[(value, truth) for value, truth in side if truth is not None] for side in decided]
    coverage = share(len(decided[0]), len(rows)), share(len(decided[1]), len(rows))
    wrong = [sum(value != truth for value, truth in side) for side in judged]
    known = [row for row in changed if row[2] is not None]
    return FieldChange(
        coverage,
        (share(wrong[0], len(judged[0])), share(wrong[1], len(judged[1]))),
        len(changed),
        sum(after not in (None, truth) and before in (None, truth) for before, after, truth in known),
        sum(before not in (None, truth) and after in (None, truth) for before, after, truth in known),
    )
