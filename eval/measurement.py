"""A number that travels with its interval and its count."""

from collections.abc import Iterable
from dataclasses import dataclass

from triage.risk import proportion_interval


@dataclass(frozen=True)
class Measurement:
    """value, low and high are None where nothing could be scored: not scored is not zero."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    slice: str | None = None


def share(name: str, hits: Iterable[bool], of: int, slice: str | None = None) -> Measurement:
    """Measure a share with its 95 % Wilson interval; `of` counts all cases, scored or not."""
    scored = list(hits)
    if not scored:
        return Measurement(name, None, None, None, 0, of, slice)
    low, high = proportion_interval(sum(scored), len(scored))
    return Measurement(name, sum(scored) / len(scored), low, high, len(scored), of - len(scored), slice)
