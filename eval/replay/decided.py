"""What a decision came to, in the few words that a comparison needs, and what a difference of two weighs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from triage.drafting.handoff import SEVERITIES
from triage.suggestions import Disposition, HandoffReason, Suggestion

#: What a flip weighs, the more the worse it could be. A reason that no longer stops a draft, by its gravity;
DRAFTED = {"critical": 100, "high": 80, "medium": 60, "low": 50}
#: a field that was right or open and is now decided wrongly; a priority that is lower, by each step; and the rest.
NOW_WRONG = 70
PRIORITY_STEP = 15
HANDED_OVER, TEAM, VALUE, NOW_OPEN, NOW_DECIDED, REASONS = 40, 25, 20, 12, 10, 5
EXCERPT = 120


@dataclass(frozen=True)
class Said:
    """One decision. team: who gets the ticket, None where nobody is to answer; fields: what was decided, None where a
    field stayed open; best: the likeliest label of each."""

    disposition: Disposition
    team: str | None
    fields: Mapping[str, str | None]
    best: Mapping[str, str | None]
    reasons: tuple[HandoffReason, ...]


@dataclass(frozen=True)
class Pair:
    """A past ticket and both decisions on it, before and after.

    id: the ticket's, else its line; at: when it came in; truth: label by field, where known; handoff: whether a person
    had to take it, where known.
    """

    id: str
    about: str
    at: datetime | None
    truth: Mapping[str, str]
    handoff: bool | None
    before: Said
    after: Said


@dataclass(frozen=True)
class Flip:
    """A ticket on which the decisions differ. weight: how much it matters; what: each difference in words."""

    weight: int
    what: tuple[str, ...]
    pair: Pair


def said_of(suggestion: Suggestion) -> Said:
    """Return what a suggestion came to."""
    return Said(
        suggestion.disposition,
        suggestion.route.team if suggestion.route else None,
        {name: found.value for name, found in suggestion.fields.items()},
        {name: found.best for name, found in suggestion.fields.items()},
        suggestion.handoff.reasons if suggestion.handoff else (),
    )


def flip_of(pair: Pair, priorities: Sequence[str]) -> Flip | None:
    """Return what differs on a ticket, None where nothing does; priorities: the most pressing first."""
    found = [*_disposition(pair), *_fields(pair, priorities), *_team(pair), *_reasons(pair)]
    if not found:
        return None
    found.sort(key=lambda entry: -entry[0])
    return Flip(found[0][0], tuple(what for _, what in found), pair)


Weighed = tuple[int, str]


def _disposition(pair: Pair) -> list[Weighed]:
    before, after = pair.before, pair.after
    if before.disposition == after.disposition:
        return []
    what = f"{before.disposition} → {after.disposition}"
    if after.disposition == "draft" and before.reasons:
        gravest = min(before.reasons, key=lambda reason: SEVERITIES.index(reason.severity))
        needed = ", where a person was needed" if pair.handoff else ""
        return [(DRAFTED[gravest.severity] + 10 * bool(pair.handoff), f"{what}: without {gravest.code}{needed}")]
    return [(HANDED_OVER, f"{what}: {', '.join(reason.code for reason in after.reasons) or 'no reason'}")]


def _fields(pair: Pair, priorities: Sequence[str]) -> list[Weighed]:
    found = []
    for field, before in pair.before.fields.items():
        after, right = pair.after.fields.get(field), pair.truth.get(field)
        if before == after:
            continue
        what = f"{field}: {before or 'open'} → {after or 'open'}"
        weight = VALUE if before and after else NOW_DECIDED if after else NOW_OPEN
        if right is not None and after not in (None, right) and before in (None, right):
            weight, what = NOW_WRONG, f"{what}, which is wrong ({right})"
        elif field == "priority" and before in priorities and after in priorities:
            weight += PRIORITY_STEP * max(0, priorities.index(str(after)) - priorities.index(str(before)))
        found.append((weight, what))
    return found


def _team(pair: Pair) -> list[Weighed]:
    if pair.before.team == pair.after.team:
        return []
    return [(TEAM, f"goes to {pair.after.team or 'nobody'} instead of {pair.before.team or 'nobody'}")]


def _reasons(pair: Pair) -> list[Weighed]:
    before = [reason.code for reason in pair.before.reasons]
    after = [reason.code for reason in pair.after.reasons]
    if pair.before.disposition != pair.after.disposition or set(before) == set(after):
        return []
    lost, new = [code for code in before if code not in after], [code for code in after if code not in before]
    said = [f"no longer for {', '.join(lost)}"] * bool(lost) + [f"also for {', '.join(new)}"] * bool(new)
    return [(REASONS, f"handed over {' and '.join(said)}")]
