from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from triage.business_hours import BusinessHours, Calendar

ZONES = ("Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)

moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))
quarters = st.integers(0, 400).map(lambda quarter: quarter / 4)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    days = draw(st.dictionaries(st.integers(0, 6), st.tuples(st.integers(3, 11), st.integers(12, 23)), min_size=1))
    hours = BusinessHours({day: (time(opens), time(closes, 30)) for day, (opens, closes) in days.items()})
    holidays = draw(st.frozensets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=8))
    return Calendar(hours, ZoneInfo(draw(st.sampled_from(ZONES))), holidays)


@given(calendars(), moments, quarters, quarters)
@settings(max_examples=50, deadline=None)
def test_adding_twice_is_adding_the_sum(calendar: Calendar, start: datetime, first: float, second: float) -> None:
    once = calendar.add(start, first + second)
    twice = calendar.add(calendar.add(start, first), second)
    # Nothing added at closing time stays there, or waits for the door to open: the same working time.
    assert twice == once or calendar.add(once, 0.25) == calendar.add(twice, 0.25)


@given(calendars(), moments, moments, quarters, quarters)
@settings(max_examples=50, deadline=None)
def test_later_starts_and_longer_targets_never_fall_due_earlier(
    calendar: Calendar, start: datetime, other: datetime, hours: float, more: float
) -> None:
    early, late = sorted((start, other))
    assert calendar.add(early, hours) <= calendar.add(late, hours) <= calendar.add(late, hours + more)


@given(calendars(), moments, quarters)
@settings(max_examples=50, deadline=None)
def test_the_result_lies_in_opening_hours_and_not_before_the_start(
    calendar: Calendar, start: datetime, hours: float
) -> None:
    due = calendar.add(start, hours)
    local = due.astimezone(calendar.zone)
    opens, closes = calendar.hours.by_weekday[local.weekday()]
    assert opens <= local.time() <= closes
    assert local.date() not in calendar.holidays
    assert due >= start + timedelta(hours=hours)


@given(calendars(), moments, st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_open_quarters_of_an_hour_add_up_to_what_was_added(calendar: Calendar, start: datetime, quarter: int) -> None:
    start = start.replace(minute=start.minute // 15 * 15)
    due = calendar.add(start, quarter / 4)
    steps = int((due - start) / timedelta(minutes=15))
    assert sum(calendar.is_open(start + timedelta(minutes=15 * step)) for step in range(steps)) == quarter
