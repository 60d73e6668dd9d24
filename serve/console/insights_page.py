"""How the desk fares: shares with their intervals, charts with their tables, and the same as CSV."""

import csv
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from serve.console import insights
from serve.console.charts import Bar, Line, bar_chart, line_chart
from serve.console.insights import Cell, Period, Share, Table
from serve.console.knowledge_gaps import group_gaps
from serve.console.shell import ConsoleRoute, Reading, Visit
from serve.edit_articles import may_see
from serve.errors import NotFound
from serve.storage.insight_store import InsightStore, Observed

router = APIRouter(prefix="/console/insights", include_in_schema=False, route_class=ConsoleRoute)

PERIODS = (7, 28, 90, 365)
#: Seconds for which what was read is good enough.
KEPT = 30.0
#: Questions without an article that are put into groups, and groups that are shown.
GAPS, GROUPS = 500, 12
#: What a spreadsheet takes for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
BARS = 12

Days = Annotated[int, Query(ge=1, le=365)]


@dataclass
class _Kept:
    """What was read of each desk lately, by desk and days, and until when (monotonic) it is good enough."""

    found: dict[tuple[str, int], tuple[float, Observed]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


_kept = _Kept()


@router.get("")
def page(visit: Reading, days: Days = 28) -> HTMLResponse:
    """All figures of a period, beside the one before."""
    period, seen = _observed(visit, days)
    found = {table.name: table for table in _tables(visit, seen, period)}
    store = InsightStore(visit.services.stores.database)
    gaps = group_gaps(store.gaps(visit.desk, insights.without_article(seen, period)[:GAPS]))
    return visit.page(
        "insights.html",
        days=days,
        periods=PERIODS,
        tables=found,
        charts=_charts(visit, found),
        gaps=gaps[:GROUPS],
        gap_count=sum(group.count for group in gaps),
        is_empty=not seen.decisions and not seen.tickets,
    )


@router.get("/{name}.csv")
def as_csv(name: str, visit: Reading, days: Days = 28) -> Response:
    """One table as CSV (RFC 4180)."""
    period, seen = _observed(visit, days)
    table = next((one for one in _tables(visit, seen, period) if one.name == name), None)
    if table is None:
        raise NotFound(visit.t("insights.no_table"))
    headers = {"Content-Disposition": f'attachment; filename="{table.name}-{days}.csv"'}
    return Response(csv_of(table), headers=headers, media_type="text/csv; charset=utf-8")


def csv_of(table: Table) -> str:
    """Return a table as CSV; a share takes four columns: value, low, high, n."""
    out = io.StringIO()
    writer = csv.writer(out)
    shares = {at for row in table.rows for at, cell in enumerate(row) if isinstance(cell, Share)}
    head: list[str] = []
    for at, name in enumerate(table.columns):
        head += [name, f"{name}_low", f"{name}_high", f"{name}_n"] if at in shares else [name]
    writer.writerow(head)
    for row in table.rows:
        writer.writerow([part for cell in row for part in _csv_parts(cell)])
    return out.getvalue()


def _csv_parts(cell: Cell) -> list[str | int | float]:
    if isinstance(cell, Share):
        return ["" if one is None else round(one, 4) for one in (cell.value, cell.low, cell.high)] + [cell.n]
    if isinstance(cell, str) and cell.startswith(FORMULA):
        return [f"'{cell}"]
    return ["" if cell is None else cell]


def _observed(visit: Visit, days: int) -> tuple[Period, Observed]:
    period, key = Period(visit.now, days), (visit.desk, days)
    with _kept.lock:
        until, seen = _kept.found.get(key, (0.0, Observed()))
        if until < time.monotonic():
            seen = InsightStore(visit.services.stores.database).read(visit.desk, period.before)
            _kept.found = {**_kept.found, key: (time.monotonic() + KEPT, seen)} if len(_kept.found) < 100 else {}
    return period, seen


def _tables(visit: Visit, seen: Observed, period: Period) -> list[Table]:
    fields = visit.services.engine(visit.desk).rules.taxonomy.fields
    return [
        *(insights.acceptance(seen, period, by) for by in ("all", "category", "article", "version")),
        insights.edits(seen, period),
        insights.rejections(seen, period),
        insights.effort(seen, period),
        *(insights.field_table(seen, period, name) for name in fields),
        insights.reasons(seen, period),
        insights.service(seen, period),
        insights.times(seen, period),
        insights.backlog(seen, period),
        insights.volume(seen, period),
        insights.articles(seen, period, _published(visit)),
    ]


def _published(visit: Visit) -> Mapping[str, str]:
    """Return the titles of the published articles that somebody may see, by id."""
    found: dict[str, str] = {}
    after = ""
    while batch := visit.services.stores.articles.list(visit.desk, 500, after):
        for stored in batch:
            if stored.published is not None and may_see(visit.session.caller, stored):
                found[stored.article.id] = stored.article.title
        after = batch[-1].article.id
    return found


def _charts(visit: Visit, tables: Mapping[str, Table]) -> dict[str, Markup]:
    """Return the charts that there is enough for, by the name of their table."""
    t, found = visit.t, {}
    for name, table in tables.items():
        title = t.name_of("insights.table", name)
        if name.startswith("field_"):
            lines = [_line(t("insights.column.decided"), table, 1), _line(t("insights.column.wrong"), table, 2)]
            if any(value is not None for line in lines for value in line.values):
                found[name] = line_chart(title, [str(row[0])[5:] for row in table.rows], lines, percent=True)
        elif name == "backlog":
            numbers = [float(row[1]) if isinstance(row[1], int) else None for row in table.rows]
            line = Line(t("insights.column.open"), numbers)
            found[name] = line_chart(title, [str(row[0])[5:] for row in table.rows], [line])
        elif name in ("acceptance_by_category", "reasons", "rejections", "edits", "service"):
            bars = [
                _bar(visit, name, row) for row in table.rows[:BARS] if isinstance(row[1], Share) and row[1].is_enough
            ]
            if bars:
                found[name] = bar_chart(title, bars)
    return found


def _line(name: str, table: Table, at: int) -> Line:
    cells = [row[at] for row in table.rows]
    shares = [cell if isinstance(cell, Share) and cell.is_enough else Share(None, None, None, 0) for cell in cells]
    return Line(name, [one.value for one in shares], [one.low for one in shares], [one.high for one in shares])


def _bar(visit: Visit, table: str, row: tuple[Cell, ...]) -> Bar:
    groups = {"reasons": "reason", "rejections": "rejection", "edits": "edit", "service": "insights.measure"}
    name, cell = str(row[0]), row[1] if isinstance(row[1], Share) else Share(None, None, None, 0)
    told = f"{cell.value or 0:.0%}, n={cell.n}"
    return Bar(visit.t.name_of(groups.get(table, "label"), name), cell.value or 0, cell.low, cell.high, told)
