"""A comparison as tables for the terminal."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from eval.compare_runs import Comparison, Flip
from eval.paired_tests import Difference

MAX_FLIPS = 20


def comparison_text(found: Comparison) -> str:
    """Return versions, gates, what broke, the flips and the verdict."""
    parts = [
        "Changed: " + ("; ".join(found.changed) or "no version differs"),
        _gates(found.differences),
        *_flips("Newly lost, of which none may be:", found.broken),
        *([f"Handoff reasons that are no longer given: {', '.join(found.silenced)}"] if found.silenced else []),
        *_flips("Cases that flipped:", found.flips),
        _verdict(found),
    ]
    return "\n\n".join(parts)


def comparison_json(found: Comparison) -> str:
    """Return the comparison as JSON, with the verdict."""
    values = asdict(found) | {"fails": found.fails}
    values["differences"] = [{**asdict(d), "gate": d.gate.model_dump()} for d in found.differences]
    return json.dumps(values, indent=2, ensure_ascii=False)


def _gates(differences: Sequence[Difference]) -> str:
    names = [d.gate.name for d in differences]
    width = max(map(len, [*names, "gate"]))
    head = f"{'gate':<{width}}  before   after  difference (95 %)             p      n  detectable  test"
    return "\n".join([head, *(f"{name:<{width}}  {_row(d)}" for name, d in zip(names, differences, strict=True))])


def _row(d: Difference) -> str:
    if d.before is None or d.after is None or d.difference is None:
        return f"     –       –  {'not scored':<27}  {'–':>6}  {d.n:5d}  {'–':>10}"
    if d.adjusted is None or d.detectable is None:
        return f"{d.before:6.3f}  {d.after:6.3f}  {d.difference:+.3f}{'':<21}  {'–':>6}  {d.n:5d}  {'–':>10}  {d.test}"
    interval = f"{d.difference:+.3f} ({d.low:+.3f} to {d.high:+.3f})"
    verdict = "  WORSE" if d.fails else ""
    return (
        f"{d.before:6.3f}  {d.after:6.3f}  {interval:<27}  {d.adjusted:6.3f}  {d.n:5d}  {d.detectable:10.3f}  "
        f"{d.test}{verdict}"
    )


def _flips(title: str, flips: Sequence[Flip]) -> list[str]:
    if not flips:
        return []
    # What got worse is what somebody has to look at.
    ordered = sorted(flips, key=lambda flip: not flip.lost)
    width = max(len(flip.metric) for flip in flips)
    lines = [f"  {'lost' if flip.lost else 'won ':<4}  {flip.metric:<{width}}  {flip.case}" for flip in ordered]
    more = [f"  … and {len(lines) - MAX_FLIPS} more"] if len(lines) > MAX_FLIPS else []
    return ["\n".join([title, *lines[:MAX_FLIPS], *more])]


def _verdict(found: Comparison) -> str:
    worse = [d.gate.name for d in found.differences if d.fails]
    if not found.fails:
        return f"No gate fails (p is corrected over all gates; at {found.error_rate:g} or below a gate fails)."
    broken = sorted({flip.metric for flip in found.broken})
    said = [f"worse: {', '.join(worse)}"] if worse else []
    said += [f"no longer given: {', '.join(found.silenced)}"] if found.silenced else []
    said += [f"newly lost cases: {', '.join(broken)}"] if broken else []
    return "FAILS: " + "; ".join(said)
