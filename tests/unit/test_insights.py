"""Figures of a desk, reckoned by hand for a few days, and by laws."""

import csv
import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.console import insights
from serve.console.insights import Period, Share, Table, share
from serve.console.insights_page import csv_of
from serve.console.knowledge_gaps import group_gaps
from serve.storage.insight_store import Decision, Gap, Observed, Opinion, TicketLife

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WEEK = Period(NOW, 7)


def days(count: float) -> datetime:
    return NOW - timedelta(days=count)


def decision(id: str, at: datetime, category: str | None = "billing", **more: object) -> Decision:
    facts = {
        "fields": {"category": {"value": category, "best": category or "billing", "confidence": 0.9}},
        "reasons": [],
        "cited": [["kb-1", 1]],
        "source": "articles",
        "generation": "000001",
    }
    return Decision(id, f"T-{id}", at, facts | more)


def opinion(id: str, verdict: str, at: datetime = NOW, **more: object) -> Opinion:
    return Opinion(id, f"T-{id}", at, verdict, **more)  # type: ignore[arg-type]


def row(table: Table, name: str) -> tuple[insights.Cell, ...]:
    return next(row for row in table.rows if row[0] == name)


def test_acceptance_counts_each_draft_once_by_the_newest_word() -> None:
    seen = Observed(
        [decision(id, days(1)) for id in "abcdef"] + [decision("g", days(1), source=None)],
        [
            opinion("a", "rejected", days(0.9)),
            opinion("a", "accepted", days(0.8)),
            opinion("b", "edited", days(0.7)),
            opinion("c", "rejected", days(0.6)),
            opinion("g", "edited", days(0.5)),  # there was no draft
            opinion("gone", "accepted", days(0.4)),  # what it was said of was removed
            opinion("d", "accepted", days(9)),  # before the period
        ],
    )
    [(_, used, unchanged)] = insights.acceptance(seen, WEEK, "all").rows
    assert isinstance(used, Share)
    assert isinstance(unchanged, Share)
    assert (used.value, used.n) == (pytest.approx(2 / 3), 3)
    assert unchanged.value == pytest.approx(1 / 3)
    assert not used.is_enough
    assert [cells[0] for cells in insights.acceptance(seen, WEEK, "category").rows] == ["billing"]
    assert [cells[0] for cells in insights.acceptance(seen, WEEK, "article").rows] == ["kb-1"]
    assert [cells[0] for cells in insights.acceptance(seen, WEEK, "version").rows] == ["000001"]


def test_a_field_is_wrong_where_a_person_set_another_value_and_only_what_was_looked_at_counts() -> None:
    seen = Observed(
        [
            decision("a", days(0.5)),  # accepted, and right
            decision("b", days(0.5)),  # corrected in the feedback
            decision("c", days(0.5)),  # corrected on the ticket
            decision("d", days(0.5)),  # nobody looked
            decision("e", days(0.5), None),  # not decided
        ],
        [opinion("a", "accepted"), opinion("b", "accepted", fields={"category": "vat"}), opinion("e", "accepted")],
        [TicketLife("T-c", days(1), by_hand={"category": "stock"})],
    )
    last = insights.field_table(seen, WEEK, "category").rows[-1]
    decided, wrong = last[1], last[2]
    assert isinstance(decided, Share)
    assert isinstance(wrong, Share)
    assert (decided.value, decided.n) == (0.8, 5)
    assert (wrong.value, wrong.n) == (pytest.approx(2 / 3), 3)


def test_promises_count_what_was_due() -> None:
    def life(id: str, **more: datetime | str) -> TicketLife:
        return TicketLife(id, days(2), "vat", **more)  # type: ignore[arg-type]

    seen = Observed(
        [decision("x", days(1)), decision("x2", days(1))],
        (),
        [
            life("in-time", first_reply_at=days(1.9), respond_by=days(1.5), resolved_at=days(1), resolve_by=days(0.5)),
            life("late", first_reply_at=days(1), respond_by=days(1.5)),
            life("overdue", respond_by=days(1.5)),
            life("not-yet", respond_by=NOW + timedelta(hours=1)),
            life("again-1", requester="jo"),
            TicketLife("again-2", days(1), "vat", "jo"),
            TicketLife("other", days(1), "stock", "jo"),
        ],
    )
    table = insights.service(seen, WEEK)
    respond, once, again = (row(table, name)[1] for name in ("respond_in_time", "first_contact", "repeat_contact"))
    assert isinstance(respond, Share)
    assert isinstance(once, Share)
    assert isinstance(again, Share)
    assert (respond.value, respond.n) == (pytest.approx(1 / 3), 3)
    assert (once.value, once.n) == (1.0, 1)
    assert (again.value, again.n) == (pytest.approx(1 / 3), 3)


def test_the_backlog_is_what_was_open_at_the_end_of_each_day() -> None:
    seen = Observed(tickets=[TicketLife("a", days(2.5), resolved_at=days(0.5)), TicketLife("b", days(1.5))])
    counts = [cells[1:] for cells in insights.backlog(seen, WEEK).rows]
    assert counts[-3:] == [(1, 1, 0), (2, 1, 0), (1, 0, 1)]
    assert sum(int(cells[1]) for cells in counts) == 2  # type: ignore[arg-type]


def test_volume_is_set_beside_the_period_before() -> None:
    lives = [TicketLife(str(n), days(1), "vat") for n in range(3)] + [TicketLife("o", days(10), "vat")]
    lives += [TicketLife("s", days(9), "stock"), TicketLife("n", days(1), None)]
    assert insights.volume(Observed(tickets=lives), WEEK).rows == (
        ("vat", 3, 1, 2.0),
        ("–", 1, 0, None),
        ("stock", 0, 1, -1.0),
    )


def test_times_say_nothing_of_four_tickets_and_something_of_five() -> None:
    lives = [TicketLife(str(n), days(2), first_reply_at=days(2) + timedelta(hours=n)) for n in range(1, 6)]
    assert insights.times(Observed(tickets=lives[:4]), WEEK).rows[0] == ("first_reply", None, None, 4)
    assert insights.times(Observed(tickets=lives), WEEK).rows[0] == ("first_reply", 3.0, 4.6, 5)


def test_articles_that_are_rejected_come_first_and_those_never_used_last() -> None:
    seen = Observed(
        [decision("a", days(1)), decision("b", days(1), cited=[["kb-2", 3]])],
        [opinion("a", "accepted"), opinion("b", "rejected", reason="wrong_fact: no")],
    )
    table = insights.articles(seen, WEEK, {"kb-1": "One", "kb-2": "Two", "kb-9": "Nine"})
    assert [(cells[0], *cells[2:]) for cells in table.rows] == [
        ("kb-2", 1, 0, 0, 1),
        ("kb-1", 1, 1, 0, 0),
        ("kb-9", 0, 0, 0, 0),
    ]
    why = insights.rejections(seen, WEEK).rows
    assert why[0][0] == "wrong_fact"


def test_questions_about_the_same_matter_stand_together() -> None:
    near, far = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
    also = np.array([0.9, 0.43], dtype=np.float32)
    groups = group_gaps([Gap("a", "A", far), Gap("b", "B", near), Gap("c", "C", also), Gap("d", "D", near)])
    assert [(group.count, [one.ticket_id for one in group.examples]) for group in groups] == [
        (3, ["b", "c", "d"]),
        (1, ["a"]),
    ]


def test_a_spreadsheet_takes_no_cell_for_a_formula() -> None:
    told = csv_of(
        Table("t", ("title", "share"), (("=HYPERLINK(1)", share(1, 2)), ("+1", share(0, 0)), ('a,"b', share(2, 2))))
    )
    rows = list(csv.reader(io.StringIO(told)))
    assert rows[0] == ["title", "share", "share_low", "share_high", "share_n"]
    assert [cells[0] for cells in rows[1:]] == ["'=HYPERLINK(1)", "'+1", 'a,"b']
    assert rows[2][1:] == ["", "", "", "0"]


def test_intervals_are_those_that_wilson_published_a_way_to() -> None:
    found = share(8, 10)
    assert found.low == pytest.approx(0.4902, abs=1e-4)
    assert found.high == pytest.approx(0.9433, abs=1e-4)


@given(st.integers(1, 10_000), st.data())
def test_an_interval_holds_its_share(n: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, n))
    found = share(count, n)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(("count", "bins", "last"), [(7, 7, 1), (28, 28, 1), (90, 13, 6), (365, 53, 1)])
def test_a_period_is_cut_into_days_or_weeks_that_cover_it(count: int, bins: int, last: int) -> None:
    found = Period(NOW, count).bins()
    assert (len(found), (found[-1][1] - found[-1][0]).days) == (bins, last)
    assert (found[0][0], found[-1][1]) == (days(count), NOW)
    assert all(end == start for (_, end), (start, _) in pairwise(found))
