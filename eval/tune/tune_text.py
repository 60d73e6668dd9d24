"""Curves and proposal for the terminal, and as a page with plots."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from eval.replay.replay_text import share_text
from eval.replay.summary import Share
from eval.report.document import document
from eval.report.inline_svg import BAD, GOOD, inline_svg
from eval.report.markup import Html, figure, grid, listing, note, plain, section, table
from eval.tune.choose import Tuned
from eval.tune.fields import FieldCurve, FieldPoint
from eval.tune.handoffs import HandoffCurve, HandoffPoint

FIELD_COLUMNS = ("stated error", "threshold", "decides", "wrong of those")
HANDOFF_COLUMNS = ("setting", "precision", "recall", "drafts of answerable")
SECTIONS = (("fields", "Fields"), ("handoffs", "Handoff"), ("proposal", "Proposal"))
CAUTION = "Settings chosen on cases look better on them than they are: judge the choice by other cases."


def text(found: Tuned, change: str, policy: Path, page_path: Path) -> str:
    """Return every curve as a table, what is proposed, and where it was written."""
    parts = [_table(curve.field, FIELD_COLUMNS, _field_rows(curve)) for curve in found.fields]
    parts += [_table(curve.dial, HANDOFF_COLUMNS, _handoff_rows(curve)) for curve in found.handoffs]
    parts += [f"Not reached: {problem}" for problem in found.unmet]
    if not found.settings:
        parts.append("No target asks for another setting: name --error, --coverage, --recall or --precision.")
        return "\n\n".join([*parts, f"Plots: {page_path}"])
    before, after = found.together
    parts.append(
        f"Handoffs on {found.cases} cases: precision {share_text(before.precision)} → {share_text(after.precision)}, "
        f"recall {share_text(before.recall)} → {share_text(after.recall)}, "
        f"drafts {share_text(before.drafted)} → {share_text(after.drafted)}"
    )
    parts += [change.rstrip(), CAUTION, f"To review: {policy}; plots: {page_path}. Nothing was changed."]
    return "\n\n".join(parts)


def page(found: Tuned, desk: str) -> str:
    """Return the page."""
    fields = [_field_figure(number, curve) for number, curve in enumerate(found.fields)]
    handoffs = [_handoff_figure(number, curve) for number, curve in enumerate(found.handoffs)]
    body = (
        section(*SECTIONS[0], "What each stated error lets a field decide, on past tickets not seen.", grid(*fields)),
        section(*SECTIONS[1], f"Each threshold turned alone, on {found.cases} cases.", grid(*handoffs)),
        section(*SECTIONS[2], CAUTION, *_proposal(found)),
    )
    heading = plain(f"Where the thresholds of {desk} could stand")
    return document(f"{desk}: thresholds", heading, plain(f"{found.cases} cases"), SECTIONS, body)


def _proposal(found: Tuned) -> list[Html]:
    unmet = [listing(map(plain, found.unmet))] if found.unmet else []
    if not found.settings:
        return [*unmet, note("No target asks for another setting.")]
    rows = [[plain(".".join(path)), plain(f"{value:g}")] for path, value in found.settings.items()]
    return [*unmet, table("Proposed", ("setting", "value"), rows)]


def _field_figure(number: int, curve: FieldCurve) -> Html:
    def draw(axes: Axes) -> None:
        known = [one for one in curve.points if one.error.value is not None]
        _line(axes, [(one.coverage, one.error) for one in known])
        if curve.now.error.value is not None:
            _now(axes, curve.now.coverage, curve.now.error)
        axes.set(xlim=(0, 1.02), ylim=(0, None), xlabel="share decided", ylabel="share wrong of those")

    said = f"Error against coverage; now at most {curve.now.max_error:.0%} is stated."
    rows = [[plain(cell) for cell in row] for row in _field_rows(curve)]
    plot = inline_svg(f"field{number}", f"{curve.field}: error against coverage", draw)
    return figure(curve.field, said, plot, table(curve.field, FIELD_COLUMNS, rows))


def _handoff_figure(number: int, curve: HandoffCurve) -> Html:
    def draw(axes: Axes) -> None:
        _line(axes, [(one.recall, one.precision) for one in curve.points])
        _now(axes, curve.now.recall, curve.now.precision)
        axes.margins(0.15, 0.05)
        axes.set(xlabel="recall of handoffs", ylabel="precision of handoffs")

    said = f"Precision against recall; it stands at {curve.now.value:g}."
    rows = [[plain(cell) for cell in row] for row in _handoff_rows(curve)]
    plot = inline_svg(f"handoff{number}", f"{curve.dial}: precision against recall", draw)
    return figure(curve.dial, said, plot, table(curve.dial, HANDOFF_COLUMNS, rows))


def _line(axes: Axes, points: Sequence[tuple[Share, Share]]) -> None:
    """Draw a curve with the interval of its height at each point."""
    known = [(across, up) for across, up in points if across.value is not None and up.value is not None]
    at = [across.value or 0 for across, _ in known]
    axes.vlines(at, [up.low for _, up in known], [up.high for _, up in known], color=GOOD, linewidth=0.8)
    axes.plot(at, [up.value or 0 for _, up in known], color=GOOD, marker="o", markersize=4, linewidth=1.4)


def _now(axes: Axes, across: Share, up: Share) -> None:
    if across.value is not None and up.value is not None:
        axes.plot(across.value, up.value, color=BAD, marker="D", markersize=6.5, linewidth=0, clip_on=False, zorder=3)
        axes.text(0.02, 0.98, "◆ now", va="top", transform=axes.transAxes)


def _field_rows(curve: FieldCurve) -> list[list[str]]:
    return [[*_field_row(one), *(["now"] if one.max_error == curve.now.max_error else [])] for one in curve.points]


def _field_row(one: FieldPoint) -> list[str]:
    threshold = "none" if one.threshold is None else f"{one.threshold:.3f}"
    return [f"{one.max_error:.1%}", threshold, share_text(one.coverage), share_text(one.error)]


def _handoff_rows(curve: HandoffCurve) -> list[list[str]]:
    return [[*_handoff_row(one), *(["now"] if one.value == curve.now.value else [])] for one in curve.points]


def _handoff_row(one: HandoffPoint) -> list[str]:
    return [f"{one.value:g}", share_text(one.precision), share_text(one.recall), share_text(one.drafted)]


def _table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(column), *(len(row[at]) for row in rows)) for at, column in enumerate(columns)]
    lines = [name]
    for row in (columns, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join(["", *cells, *row[len(widths) :]]).rstrip())
    return "\n".join(lines)
