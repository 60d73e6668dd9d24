"""Measurements as a table for the terminal."""

from collections.abc import Sequence

from eval.measurement import Measurement


def measurements_table(measurements: Sequence[Measurement]) -> str:
    """Return one line per measurement: name, value, 95 % interval, n."""
    width = max(len(entry.name) for entry in measurements)
    lines = [f"{'measurement':<{width}}  value  95 % interval      n"]
    for entry in measurements:
        value = "    –" if entry.value is None else f"{entry.value:5.3f}"
        interval = "not scored   " if entry.low is None else f"{entry.low:.3f} – {entry.high:.3f}"
        lines.append(f"{entry.name:<{width}}  {value}  {interval}  {entry.n:5d}")
    return "\n".join(lines)
