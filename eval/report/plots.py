"""The plots of the report, each drawn onto axes and returned as SVG."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from eval.measurement import Measurement
from eval.report.curves import RANKS, Bin
from eval.report.evidence import NEEDS, Need
from eval.report.inline_svg import BAD, GOOD, INK, LINE, QUIET, SOFT, inline_svg
from eval.report.markup import Html
from eval.statistics import Array

COLORS: Mapping[Need, str] = {"needed": GOOD, "not needed": BAD, "not stated": QUIET}
HATCHES: Mapping[Need, str] = {"needed": "", "not needed": "////", "not stated": ""}
#: CSS pixels of one bar with its label above, and of what surrounds all bars.
BAR, AROUND_BARS = 29, 74
#: Letters of a label that fit above a bar.
MOST_LETTERS = 46


def reliability_plot(name: str, label: str, bins: Sequence[Bin]) -> Html:
    """Plot the share right against the confidence, bin by bin, with intervals and the diagonal."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1)
        at, right = [each.confidence for each in bins], [each.right for each in bins]
        axes.vlines(at, [each.low for each in bins], [each.high for each in bins], color=GOOD, linewidth=1.2)
        axes.plot(at, right, color=GOOD, marker="o", markersize=4.5, linewidth=0)
        sizes = sorted({each.n for each in bins})
        count = f"{len(bins)} bins of" if len(bins) > 1 else "1 bin of"
        axes.text(0.02, 0.98, f"{count} {' or '.join(map(str, sizes))}", va="top", transform=axes.transAxes)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="share right")

    return inline_svg(name, label, draw)


def risk_plot(name: str, label: str, curve: tuple[Array, Array], now: tuple[float, float] | None) -> Html:
    """Plot the error against the share decided; `now` is where the field decides at present."""

    def draw(axes: Axes) -> None:
        axes.plot(*curve, color=GOOD, linewidth=1.6)
        top = max(0.1, float(curve[1].max()), now[1] if now else 0) * 1.3
        if now:
            axes.plot(*now, color=BAD, marker="D", markersize=6.5, linewidth=0, clip_on=False, zorder=3)
            said = f"◆ now: {now[0]:.2f} decided, {now[1]:.2f} wrong"
        else:
            said = "now: none is decided"
        axes.text(0.02, 0.98, said, va="top", transform=axes.transAxes)
        axes.set(xlim=(0, 1.02), ylim=(0, top), xlabel="share decided", ylabel="share wrong of those")

    return inline_svg(name, label, draw)


def confusion_plot(name: str, label: str, pairs: Sequence[tuple[str, str, int]]) -> Html:
    """Plot the most confused pairs: truth, guess, count."""

    def draw(axes: Axes) -> None:
        counts = [count for _, _, count in pairs]
        axes.barh(range(len(pairs)), counts, height=0.34, color=BAD)
        for at, (truth, guess, count) in enumerate(pairs):
            _above_bar(axes, at, f"{_cut(truth)} → {_cut(guess)}")
            axes.annotate(str(count), (count, at), (4, 0), textcoords="offset points", va="center", color=SOFT)
        _bars_below_labels(axes, len(pairs), max(counts))

    return inline_svg(name, label, draw, AROUND_BARS + BAR * len(pairs))


def hit_plot(name: str, label: str, rates: Sequence[float], intervals: Mapping[int, Measurement]) -> Html:
    """Plot the share of cases with an expected article among the first k; intervals where they are known."""

    def draw(axes: Axes) -> None:
        axes.plot(RANKS, rates, color=GOOD, marker="o", markersize=4, linewidth=1.6)
        for rank, found in intervals.items():
            low, high = found.low or 0.0, found.high or 0.0
            axes.vlines(rank, low, high, color=GOOD, linewidth=1.2)
            # Below the interval, or above it where there is no room.
            at, offset = (low, -14) if low > 0.15 else (high, 6)
            said = f"{rates[rank - 1]:.2f}"
            axes.annotate(said, (rank, at), (0, offset), textcoords="offset points", ha="center")
        axes.set(xlim=(0.3, 10.6), ylim=(0, 1.02), xticks=list(RANKS), xlabel="rank", ylabel="found by that rank")

    return inline_svg(name, label, draw)


def reason_plot(name: str, label: str, counts: Mapping[str, Sequence[int]]) -> Html:
    """Plot how often each reason was given, by the need of the case in the order of `NEEDS`."""

    def draw(axes: Axes) -> None:
        codes = list(counts)
        start = [0] * len(codes)
        for number, need in enumerate(NEEDS):
            width = [counts[code][number] for code in codes]
            axes.barh(range(len(codes)), width, left=start, height=0.34, label=need,
                      color=COLORS[need], hatch=HATCHES[need], edgecolor=LINE, linewidth=0)  # fmt: skip
            start = [before + more for before, more in zip(start, width, strict=True)]
        for at, code in enumerate(codes):
            _above_bar(axes, at, _cut(code))
            axes.annotate(str(start[at]), (start[at], at), (4, 0), textcoords="offset points", va="center", color=SOFT)
        _bars_below_labels(axes, len(codes), max(start))
        axes.figure.legend(loc="outside lower center", ncols=3, handlelength=1, columnspacing=1.2)

    return inline_svg(name, label, draw, AROUND_BARS + 26 + BAR * len(counts))


def latency_plot(name: str, label: str, curve: tuple[Array, Array], marks: Mapping[str, float]) -> Html:
    """Plot the share of suggestions that took at most so many milliseconds; marks: name and milliseconds."""

    def draw(axes: Axes) -> None:
        times, shares = curve
        axes.step([times[0], *times], [0, *shares], where="post", color=GOOD, linewidth=1.6)
        for (mark, value), style in zip(marks.items(), ("--", ":"), strict=False):
            axes.axvline(value, color=INK, linestyle=style, linewidth=1.2, label=f"{mark} {value:,.0f} ms")
        if marks:
            axes.legend(loc="lower right", handlelength=1.4)
        if times[0] > 0 and times[-1] > 8 * times[0]:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axes.set(ylim=(0, 1.02), xlabel="milliseconds", ylabel="share as fast or faster")

    return inline_svg(name, label, draw)


def _above_bar(axes: Axes, at: int, label: str) -> None:
    axes.annotate(label, (0, at), (0, 5), textcoords="offset points", va="bottom", annotation_clip=False)


def _bars_below_labels(axes: Axes, bars: int, longest: int) -> None:
    axes.set(ylim=(bars - 0.6, -0.85), yticks=[], xlim=(0, longest * 1.12), xlabel="cases")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")


def _cut(label: str) -> str:
    """Shorten a label, and keep its writing direction to itself."""
    short = label if len(label) <= MOST_LETTERS // 2 else f"{label[: MOST_LETTERS // 2 - 1]}…"
    return f"\u2068{short}\u2069"
