"""Charts as SVG, made here: no script, no style of its own, every word escaped; each stands beside its table."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

#: The drawing's own units; it is scaled to the width of the page, and keeps its shape.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 220, 44, 12, 12, 30
#: Labels under the axis at most.
LABELS = 7


@dataclass(frozen=True)
class Line:
    """A line. values: one for each label, None for a gap; low, high: of its interval, or none at all."""

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True)
class Bar:
    """A bar. low, high: ends of its interval, None for none."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    told: str = ""


def line_chart(title: str, labels: Sequence[str], lines: Sequence[Line], percent: bool = False) -> Markup:
    """Return lines over time; percent: whether values are shares of 0 to 1, so that the axis ends at 100 %."""
    tops = [value for line in lines for value in (*line.values, *line.high) if value is not None]
    top = 1.0 if percent else _round_up(max(tops, default=1))
    parts = [_axis(top, percent), _labels(labels)]
    for number, line in enumerate(lines, 1):
        parts.append(_band(line, top, number, len(labels)))
        for run in _runs(line.values):
            points = " ".join(f"{_x(at, len(labels)):.1f},{_y(value, top):.1f}" for at, value in run)
            parts.append(f'<polyline class="line-{number}" points="{points}"/>')
            parts += [
                f'<circle class="dot-{number}" cx="{_x(at, len(labels)):.1f}" cy="{_y(value, top):.1f}" r="2.5"/>'
                for at, value in run
            ]
    told = "; ".join(line.name for line in lines)
    return _svg(title, told, "".join(parts), HEIGHT)


def bar_chart(title: str, bars: Sequence[Bar], top: float = 1.0) -> Markup:
    """Return bars, one below the other, each with its name, its interval and what is told of it."""
    row, name_width = 26, 190
    scale = (WIDTH - name_width - 120) / (top or 1)
    parts = []
    for number, bar in enumerate(bars):
        y = number * row + 4
        end = name_width + bar.value * scale
        parts.append(f'<text x="{name_width - 8}" y="{y + 13}" text-anchor="end">{escape(_short(bar.name))}</text>')
        parts.append(
            f'<rect class="bar" x="{name_width}" y="{y}" width="{max(1, bar.value * scale):.1f}" height="18"/>'
        )
        if bar.low is not None and bar.high is not None:
            low, high = name_width + bar.low * scale, name_width + bar.high * scale
            parts.append(
                f'<path class="whisker" d="M{low:.1f} {y + 9}H{high:.1f}M{low:.1f} {y + 5}v8M{high:.1f} {y + 5}v8"/>'
            )
            end = max(end, high)
        parts.append(f'<text x="{end + 6:.1f}" y="{y + 13}">{escape(bar.told)}</text>')
    return _svg(title, "; ".join(f"{bar.name}: {bar.told}" for bar in bars), "".join(parts), len(bars) * row + 8)


def _svg(title: str, told: str, inside: str, height: int) -> Markup:
    # Every text in `inside` was escaped where it was put in.
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 %d %d" width="%d" height="%d">'
        "<title>%s</title><desc>%s</desc>%s</svg>"
    ) % (WIDTH, height, WIDTH, height, title, told, Markup(inside))  # noqa: S704


def _axis(top: float, percent: bool) -> str:
    parts = []
    for step in range(5):
        value = top * step / 4
        y = _y(value, top)
        told = f"{value:.0%}" if percent else f"{value:g}"
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{told}</text>')
    return "".join(parts)


def _labels(labels: Sequence[str]) -> str:
    every = max(1, -(-len(labels) // LABELS))
    return "".join(
        f'<text x="{_x(at, len(labels)):.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(label)}</text>'
        for at, label in enumerate(labels)
        if at % every == 0
    )


def _band(line: Line, top: float, number: int, count: int) -> str:
    """Return the interval of a line as an area, where it has one throughout a run."""
    if not line.low or not line.high:
        return ""
    parts = []
    for run in _runs([None if line.low[at] is None else value for at, value in enumerate(line.values)]):
        above = [f"{_x(at, count):.1f},{_y(line.high[at] or 0, top):.1f}" for at, _ in run]
        below = [f"{_x(at, count):.1f},{_y(line.low[at] or 0, top):.1f}" for at, _ in reversed(run)]
        parts.append(f'<polygon class="band-{number}" points="{" ".join(above + below)}"/>')
    return "".join(parts)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Return the stretches without a gap, as places and values."""
    runs: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((at, value))
    return [run for run in runs if run]


def _x(at: int, count: int) -> float:
    return LEFT + 10 + at * (WIDTH - LEFT - RIGHT - 20) / max(1, count - 1)


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(1.0, value / top if top else 0))


def _round_up(value: float) -> float:
    """Return the next number of 1, 2, 4 or 8 times a power of ten: a quarter of it can be read."""
    size = 1.0
    while size * 8 < value:
        size *= 10
    return next(size * step for step in (1, 2, 4, 8) if size * step >= value)


def _short(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:25]}…"
