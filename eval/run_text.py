"""Measurements as a table for the terminal."""

from collections.abc import Sequence

from eval.measurement import Measurement


def measurements_table(measurements: Sequence[Measurement]) -> str:
    """Return one line per measurement: name, value, 95 % interval, n."""
    width = max(len(entry.name) for entry in measurements)
    lines = [f"{'measurement':<{width}}     value  95 % interval           n"]
    return "\n".join(lines + [f"{entry.name:<{width}}  {_figures(entry)}  {entry.n:6d}" for entry in measurements])


def _figures(entry: Measurement) -> str:
    if entry.value is None or entry.low is None or entry.high is None:
        return f"{'–':>8}  {'not scored':<17}"
    digits = 1 if entry.name.startswith("latency.") else 3
    return f"{entry.value:8.{digits}f}  {entry.low:7.{digits}f} – {entry.high:7.{digits}f}"
