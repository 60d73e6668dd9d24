"""Working time: which hours count, and when a target falls due."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_SPAN = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?")
CLOCK_SPAN = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)")
#: A target that needs more than this many days of walking is a mistake in the file, not a long promise.
MAX_DAYS = 3_660
#: A customer who has waited longer than this has a wrong clock.
LONGEST_WAIT = timedelta(days=3_650)


@dataclass(frozen=True)
class BusinessHours:
    """Opening hours by weekday (0 is Monday), local time; a weekday that is missing is closed."""

    by_weekday: Mapping[int, tuple[time, time]]

    @classmethod
    def parse(cls, spans: Mapping[str, str]) -> "BusinessHours":
        """Read ``{"mon-fri" = "08:00-18:00", sat = "09:00-13:00"}``; raise `ValueError` with the remedy."""
        hours: dict[int, tuple[time, time]] = {}
        for days, span in spans.items():
            named, clock = DAY_SPAN.fullmatch(days), CLOCK_SPAN.fullmatch(str(span))
            first, last = (named.group(1), named.group(2) or named.group(1)) if named else ("", "")
            if clock is None or first not in DAYS or last not in DAYS or DAYS.index(first) > DAYS.index(last):
                example = 'write for instance mon-fri = "08:00-18:00"'
                raise ValueError(f"hours {days!r} = {span!r} are not understood; {example}")
            opens, closes = time.fromisoformat(clock.group(1)), time.fromisoformat(clock.group(2))
            if opens >= closes:
                raise ValueError(f"hours {days!r} = {span!r} close before they open")
            hours |= dict.fromkeys(range(DAYS.index(first), DAYS.index(last) + 1), (opens, closes))
        if not hours:
            raise ValueError("no opening hours at all; name at least one day")
        return cls(hours)


@dataclass(frozen=True)
class Calendar:
    """Business hours in a time zone, with holidays."""

    hours: BusinessHours
    zone: ZoneInfo
    holidays: frozenset[date] = frozenset()

    def is_open(self, moment: datetime) -> bool:
        """Tell whether an aware moment lies in business hours."""
        local = moment.astimezone(self.zone)
        span = self._span(local.date())
        return span is not None and span[0] <= local < span[1]

    def add(self, start: datetime, hours: float) -> datetime:
        """Return the moment, in UTC, at which `hours` of working time after an aware `start` are used up."""
        left = timedelta(hours=hours)
        day = start.astimezone(self.zone).date()
        for _ in range(MAX_DAYS):
            span = self._span(day)
            if span is not None:
                opens = max(span[0].astimezone(ZoneInfo("UTC")), start.astimezone(ZoneInfo("UTC")))
                closes = span[1].astimezone(ZoneInfo("UTC"))
                if opens + left <= closes:
                    return opens + left
                left -= max(closes - opens, timedelta())
            day += timedelta(days=1)
        raise ValueError(f"{hours} working hours do not fit into ten years of these opening hours")

    def _span(self, day: date) -> tuple[datetime, datetime] | None:
        span = self.hours.by_weekday.get(day.weekday())
        if span is None or day in self.holidays:
            return None
        return datetime.combine(day, span[0], self.zone), datetime.combine(day, span[1], self.zone)
