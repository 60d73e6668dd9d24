from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from triage.business_hours import BusinessHours, Calendar

LONDON = ZoneInfo("Europe/London")
SHOP = {"mon-fri": "08:00-18:00", "sat": "09:00-13:00"}


def calendar(spans: dict[str, str] | None = None, *holidays: date) -> Calendar:
    return Calendar(BusinessHours.parse(spans or SHOP), LONDON, frozenset(holidays))


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    "spans",
    [
        {"monday": "08:00-18:00"},
        {"fri-mon": "08:00-18:00"},
        {"mon-": "08:00-18:00"},
        {"": "08:00-18:00"},
        {"mon": "8-18"},
        {"mon": "08:00"},
        {"mon": "08:00-25:00"},
        {"mon": "08:00-18:75"},
        {"Mon": "08:00-18:00"},
    ],
)
def test_hours_that_are_not_understood_are_refused_with_an_example(spans: dict[str, str]) -> None:
    with pytest.raises(ValueError, match='write for instance mon-fri = "08:00-18:00"'):
        BusinessHours.parse(spans)


@pytest.mark.parametrize("span", ["18:00-08:00", "08:00-08:00"])
def test_hours_that_close_before_they_open_are_refused(span: str) -> None:
    with pytest.raises(ValueError, match=f"hours 'mon' = '{span}' close before they open"):
        BusinessHours.parse({"mon": span})


def test_no_hours_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="name at least one day"):
        BusinessHours.parse({})


def test_a_range_covers_its_days_and_no_others() -> None:
    assert sorted(BusinessHours.parse({"tue-thu": "08:00-18:00", "sun": "10:00-12:00"}).by_weekday) == [1, 2, 3, 6]


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-20T07:59:59", False),
        ("2026-11-20T08:00:00", True),
        ("2026-11-20T17:59:59", True),
        ("2026-11-20T18:00:00", False),
        ("2026-11-21T12:00:00", True),
        ("2026-11-21T14:00:00", False),
        ("2026-11-22T12:00:00", False),
        ("2026-12-25T12:00:00", False),
    ],
)
def test_open_is_from_opening_to_just_before_closing(moment: str, is_open: bool) -> None:
    assert calendar(None, date(2026, 12, 25)).is_open(local(moment)) is is_open


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-20T10:00", 1, "2026-11-20T11:00"),
        ("2026-11-20T06:00", 1, "2026-11-20T09:00"),
        ("2026-11-20T16:00", 2, "2026-11-20T18:00"),
        ("2026-11-20T16:00", 3, "2026-11-21T10:00"),
        ("2026-11-20T19:00", 0.5, "2026-11-21T09:30"),
        ("2026-11-21T13:00", 1, "2026-11-23T09:00"),
        ("2026-11-22T12:00", 0, "2026-11-23T08:00"),
        ("2026-12-24T17:00", 2, "2026-12-29T09:00"),
        ("2026-06-19T10:00", 54, "2026-06-26T10:00"),
    ],
)
def test_closed_days_and_holidays_do_not_count(start: str, hours: float, due: str) -> None:
    holidays = date(2026, 12, 25), date(2026, 12, 26), date(2026, 12, 28)
    found = calendar(None, *holidays).add(local(start), hours)
    assert found == local(due)
    assert found.utcoffset() == UTC.utcoffset(None)


@pytest.mark.parametrize(
    ("start", "due_in_utc"),
    [
        ("2026-10-24T12:00", "2026-10-26T09:00+00:00"),  # 1 hour on Saturday in summer time, 1 on Monday in winter time
        ("2026-03-28T12:00", "2026-03-30T08:00+00:00"),
    ],
)
def test_opening_follows_the_clock_on_the_wall_over_a_weekend_that_changes_it(start: str, due_in_utc: str) -> None:
    assert calendar().add(local(start), 2) == datetime.fromisoformat(due_in_utc)


@pytest.mark.parametrize(
    ("start", "due"),
    [("2026-10-25T00:00", "2026-10-25T05:00"), ("2026-03-29T00:00", "2026-03-29T07:00")],
)
def test_a_night_of_changed_clocks_has_an_hour_more_or_less(start: str, due: str) -> None:
    assert calendar({"sun": "00:00-08:00"}).add(local(start), 6) == local(due)


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 7), ("2026-03-29", 5), ("2026-11-01", 6)])
def test_a_span_over_the_change_holds_the_hours_that_really_pass(day: str, hours: int) -> None:
    nights = calendar({"sun": "00:00-06:00"})
    assert nights.add(local(f"{day}T00:00"), hours) == local(f"{day}T06:00")
    assert nights.add(local(f"{day}T00:00"), hours + 0.25) > local(f"{day}T12:00")


def test_a_target_that_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="10000 working hours do not fit into ten years"):
        calendar({"mon": "09:00-09:30"}).add(local("2026-11-20T10:00"), 10_000)
