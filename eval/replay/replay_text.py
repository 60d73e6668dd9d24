"""A replay for the terminal, and as JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from eval.replay.decided import Flip
from eval.replay.summary import NOBODY, FieldChange, Share, Summary

MAX_FLIPS = 20


def replay_text(found: Summary, top: int = MAX_FLIPS) -> str:
    """Return what changed, the counts and the flips that matter most."""
    parts = [
        _dispositions(found),
        _fields(found),
        _counts("handoff reason", found.reasons),
        _counts("tickets for", found.load),
        *_flips(found.flips, top),
    ]
    if found.failed:
        parts.append("\n".join([f"{len(found.failed)} tickets could not be decided:", *_few(found.failed, top)]))
    return "\n\n".join(parts)


def replay_json(found: Summary, about: Mapping[str, Any]) -> str:
    """Return the whole replay as JSON; about: what was tried on what."""
    values = asdict(found)
    values["dispositions"] = [
        {"before": before, "after": after, "tickets": count} for (before, after), count in found.dispositions.items()
    ]
    values["hours"] = [
        {"hour": hour, "team": team, "before": before, "after": after}
        for (hour, team), (before, after) in found.hours.items()
    ]
    values["handoff"] = [{"precision": asdict(one[0]), "recall": asdict(one[1])} for one in found.handoff]
    return json.dumps({**about, **values}, ensure_ascii=False, indent=2, default=str) + "\n"


def share_text(one: Share) -> str:
    """Say a share with its interval."""
    return "not known" if one.value is None else f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})"


def changed_text(one: FieldChange) -> str:
    """Say how many decisions of a field changed."""
    return f"{one.changed:,} changed, {one.broken:,} newly wrong, {one.mended:,} wrong no longer"


def change_text(before: int, after: int) -> str:
    """Say two counts and their difference."""
    return f"{before:>7,} {after:>7,} {after - before:>+7,}"


def _dispositions(found: Summary) -> str:
    lines = [f"{found.tickets:,} tickets, {len(found.flips):,} of them decided otherwise"]
    for (before, after), count in sorted(found.dispositions.items(), key=lambda entry: -entry[1]):
        lines.append(f"  {before:>8} → {after:<8} {count:>7,}" + ("" if before == after else "  *"))
    for name, part in (("precision", 0), ("recall", 1)):
        one, other = found.handoff[0][part], found.handoff[1][part]
        if one.n or other.n:
            lines.append(f"  handoff {name}, where known: {share_text(one)} → {share_text(other)}")
    return "\n".join(lines)


def _fields(found: Summary) -> str:
    lines = [f"{'field':<10} {'':<9} {'before':<24} {'after':<24}"]
    for name, one in found.fields.items():
        lines.append(f"{name:<10} coverage  {share_text(one.coverage[0]):<24} {share_text(one.coverage[1]):<24}")
        if one.error[0].n or one.error[1].n:
            lines.append(f"{'':<10} error     {share_text(one.error[0]):<24} {share_text(one.error[1]):<24}")
        if one.changed:
            lines.append(
                f"{'':<10} {one.changed:,} changed, {one.broken:,} newly wrong, {one.mended:,} wrong no longer"
            )
    return "\n".join(lines)


def _counts(what: str, counts: Mapping[str, tuple[int, int]]) -> str:
    if not counts:
        return f"No {what} before or after"
    width = max(map(len, [*counts, what]))
    head = f"{what:<{width}} {'before':>7} {'after':>7} {'':>7}"
    ordered = sorted(counts.items(), key=lambda entry: (entry[0] == NOBODY, -abs(entry[1][1] - entry[1][0]), entry[0]))
    return "\n".join([head, *(f"{name:<{width}} {change_text(*both)}" for name, both in ordered)])


def _flips(flips: Sequence[Flip], top: int) -> list[str]:
    if not flips:
        return ["No decision changes."]
    lines = [f"What matters most of {len(flips):,} differences:"]
    for flip in flips[:top]:
        lines.append(f"  {flip.weight:>3}  {flip.pair.id}  {flip.pair.about}")
        lines += [f"       {what}" for what in flip.what]
        lines += [f"       {side}: {said}" for side, said in reasons_of(flip)]
    return ["\n".join(lines + _more(len(flips), top))]


def reasons_of(flip: Flip) -> Iterable[tuple[str, str]]:
    """Yield (which side, code and evidence) of the reasons that only one of both decisions has."""
    sides = (("before", flip.pair.before.reasons), ("after", flip.pair.after.reasons))
    codes = [{reason.code for reason in reasons} for _, reasons in sides]
    for number, (side, reasons) in enumerate(sides):
        for reason in reasons:
            if reason.code not in codes[1 - number]:
                yield side, f"{reason.code}: {reason.evidence}"


def _few(lines: Sequence[str], top: int) -> list[str]:
    return [*(f"  {line}" for line in lines[:top]), *_more(len(lines), top)]


def _more(count: int, top: int) -> list[str]:
    return [f"  … and {count - top:,} more"] if count > top else []
