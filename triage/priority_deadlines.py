"""Finds the day by which a clause wants something done: "due on Friday", "by 5 pm", "bis zum 31.01."."""

import calendar
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache

from triage.priority_wording import any_of, folded, priority_phrases, taken_back

#: A moment belongs to words of a deadline that stand this close in front.
REACH = 45
#: A clause with more moments than this is a list.
MAX_MOMENTS = 8
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
GERMAN_MONTHS = {"mär": "mar", "mae": "mar", "mrz": "mar", "mai": "may", "okt": "oct", "dez": "dec"}
WEEKDAYS = {"mo": 0, "tu": 1, "di": 1, "we": 2, "mi": 2, "th": 3, "do": 3, "fr": 4, "sa": 5, "su": 6, "so": 6}
MONTH = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz|maerz|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?"
    r"|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)"
)
WEEKDAY = (
    r"(?:monday|tues(?:day)?|weds|wednesday|thur(?:s|sday)|fri(?:day)?|saturday|sunday"
    r"|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag)"
)
#: One group per sort of moment. The order matters: "heute Morgen" is today, "day after tomorrow" is not tomorrow.
MOMENT = re.compile(
    r"\b(?:(?P<today>today|tonight|this (?:morning|afternoon|evening)|midnight|end of (?:the )?(?:day|business|play)"
    r"|close of business|cob|eod|lunchtime|heute(?: (?:abend|mittag|morgen|nachmittag|nacht))?|mitternacht|feierabend)"
    r"|(?P<after_next>day after tomorrow|übermorgen|uebermorgen)|(?P<tomorrow>tomorrow|morgen)"
    r"|(?P<week>end of (?:the|this) week|ende der woche)|(?P<weekend>weekend|wochenende)"
    r"|(?P<month_end>(?:end of|ende) (?:the |this |des )?(?:monats?|month|(?P<end_month>" + MONTH + r"))|monatsende)"
    r"|(?P<span>\d{1,3}) (?P<unit>minuten?|minutes?|hours?|hrs?|stunden?|(?:working |business )?days?|tage?n?|weeks?"
    r"|wochen?)"
    r"|(?P<iso>\d{4}-\d{1,2}-\d{1,2})"
    r"|(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?(?: of)? (?P<month>" + MONTH + r")"
    r"|(?P<us_month>" + MONTH + r") (?P<us_day>\d{1,2})(?:st|nd|rd|th)?(?![\d:])"
    r"|(?P<numeric>(?!24/7)\d{1,2}[./]\d{1,2}(?:[./](?:\d{4}|\d{2}))?)"
    r"(?![\d:]| ?[€£%]| ?(?:eur|euros?|pounds|kg|gb|mb)\b)"
    r"|(?P<ordinal>\d{1,2})(?:st|nd|rd|th)"
    r"|(?P<weekday>" + WEEKDAY + r")"
    r"|(?P<noon>noon|midday|12 uhr mittags)"
    r"|(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))? ?(?P<half>am|pm|uhr)"
    r"|(?P<clock_hour>\d{1,2}):(?P<clock_minute>\d\d))\b"
)
#: What in front of a moment makes it one that has been, one that comes back, or an amount.
NO_MOMENT = re.compile(
    r"\b(?:last|since|every|each|past|from|after|letzte[nrm]?|seit|jede[nrms]?|ab|nach)(?: the| dem)? *$|[£€$] *$"
)


def days_left(clause: str, written: datetime, now: datetime) -> Iterator[tuple[int, str]]:
    """Yield (whole days from now, words) of each deadline in a clause that has not passed.

    written: when the words were; both moments aware and in the time zone whose days count.
    """
    lower, after = folded(clause), _cues("after")
    moments = [moment for moment, _ in zip(MOMENT.finditer(lower), range(MAX_MOMENTS), strict=False)]
    moments = [moment for moment in moments if not NO_MOMENT.search(lower[: moment.start()])]
    for number, moment in enumerate(moments):
        start = moment.start()
        cues, tail = _cues_in_front(lower, start), after.match(lower, moment.end())
        if not (cues or tail) or any(taken_back(lower[:place]) for place in cues or [start]):
            continue
        due = _due(moment, moments[number + 1 :], written)
        if due is not None and due >= now:
            yield (due.date() - now.date()).days, clause[min([start, *cues]) : (tail or moment).end()]


def _cues_in_front(clause: str, at: int) -> list[int]:
    """Return the places that a negation of the deadline at a place would stand in front of; none without a cue."""
    near = clause[max(0, at - REACH) : at]
    away = [cue.start() for cue in _cues("before").finditer(near)][-1:]
    beside = _cues("beside").search(near)
    places = [*away, beside.start()] if beside else [*away, len(near)] if away else []
    return [at - len(near) + place for place in places]


def _due(moment: re.Match[str], following: list[re.Match[str]], written: datetime) -> datetime | None:
    """Return the last instant of a moment; a time of day belongs to the day that follows it, if one does."""
    clock = _clock(moment)
    if clock is None:
        day = _day(moment, written)
        return day if day is None or isinstance(day, datetime) else _end_of(day, written)
    day = next((found for other in following[:1] if (found := _day(other, written)) is not None), None)
    if day is not None:
        return day if isinstance(day, datetime) else _end_of(day, written)
    due = written.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return due if due >= written else due + timedelta(days=1)


def _end_of(day: date, written: datetime) -> datetime:
    return datetime.combine(day, time.max, written.tzinfo)


def _clock(moment: re.Match[str]) -> time | None:
    if moment["noon"]:
        return time(12)
    hour, minute = (
        int(moment["hour"] or moment["clock_hour"] or 99),
        int(moment["minute"] or moment["clock_minute"] or 0),
    )
    half = (moment["half"] or "").lower()
    if half in ("am", "pm") and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour % 24, minute) if hour <= 24 and minute < 60 else None


def _day(moment: re.Match[str], written: datetime) -> date | datetime | None:
    """Return the day that a moment names, or the instant at which a span of time ends."""
    today = written.date()
    for name, days in (("today", 0), ("tomorrow", 1), ("after_next", 2)):
        if moment[name]:
            return today + timedelta(days=days)
    if moment["week"]:
        return _next_weekday(today, 4)
    if moment["weekend"]:
        return _next_weekday(today, 5)
    if moment["weekday"]:
        return _next_weekday(today, WEEKDAYS[moment["weekday"][:2].lower()])
    if moment["month_end"]:
        month = _month(moment["end_month"]) if moment["end_month"] else today.month
        year = today.year + (month < today.month)
        return date(year, month, calendar.monthrange(year, month)[1])
    if moment["span"]:
        return _span_end(int(moment["span"]), moment["unit"].lower(), written)
    return _dated(moment, today)


def _span_end(count: int, unit: str, written: datetime) -> date | datetime:
    if unit.startswith(("min", "h", "stunde")):
        return written + (timedelta(minutes=count) if unit.startswith("min") else timedelta(hours=count))
    return written.date() + timedelta(days=count * (7 if unit.startswith("w") and "day" not in unit else 1))


def _dated(moment: re.Match[str], today: date) -> date | None:
    """Return the date of a moment; without a year the nearest one, and days go before months."""
    if moment["iso"]:
        year, month, day = map(int, moment["iso"].split("-"))
        return _date(year, month, day)
    if moment["month"] or moment["us_month"]:
        return _nearest(today, _month(moment["month"] or moment["us_month"]), int(moment["day"] or moment["us_day"]))
    if moment["numeric"]:
        day, month, *rest = map(int, re.split(r"[./]", moment["numeric"]))
        day, month = (month, day) if month > 12 else (day, month)
        return _date(rest[0] % 100 + 2000, month, day) if rest else _nearest(today, month, day)
    if moment["ordinal"]:
        day = int(moment["ordinal"])
        following = today.replace(day=1) + timedelta(days=32)
        return _date(today.year, today.month, day) if day >= today.day else _date(following.year, following.month, day)
    return None


def _next_weekday(today: date, weekday: int) -> date:
    return today + timedelta(days=(weekday - today.weekday()) % 7)


def _nearest(today: date, month: int, day: int) -> date | None:
    found = [_date(today.year + step, month, day) for step in (-1, 0, 1)]
    return min((other for other in found if other), key=lambda other: abs((other - today).days), default=None)


def _date(year: int, month: int, day: int) -> date | None:
    """Return a date, or None where there is no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month(name: str) -> int:
    short = name.lower()[:3]
    return MONTHS.index(GERMAN_MONTHS.get(short, short)) + 1


@cache
def _cues(place: str) -> re.Pattern[str]:
    return any_of(priority_phrases()["deadline"][place])
