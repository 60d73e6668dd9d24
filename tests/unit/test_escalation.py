"""Who takes a ticket now: small desks by hand, then whatever Hypothesis makes of teams, hours and holidays."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage.business_hours import BusinessHours, Calendar
from triage.escalation import RouteNeed, calendar_of, find_route, opening, path_from
from triage.suggestions import Route
from triage.taxonomy import Team

LONDON = ZoneInfo("Europe/London")
DESK = Calendar(BusinessHours.parse({"mon-fri": "08:00-18:00"}), LONDON, frozenset({date(2026, 12, 25)}))
FRIDAY = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
EVENING = FRIDAY.replace(hour=19)
TEAMS = {
    "frontline": Team(description="f", tier=1, next="books", escalation="Moira"),
    "books": Team(description="b", tier=2, skills=("vat", "bookkeeping"), next="chiefs", escalation="Gareth"),
    "chiefs": Team(description="c", tier=3, skills=("vat",), escalation="Ruth"),
    "tills": Team(description="t", tier=2, skills=("tills",)),
    "night": Team(description="n", tier=4, skills=("tills", "stock"), escalation="Nia"),
}
TWICE = "wrote 2 times about this in 7 days"


def route(team: str, moment: datetime = FRIDAY, **need: Any) -> Route:
    if "skills" in need:
        need["skills"] = dict.fromkeys(need["skills"], "some_rule")
    return find_route(RouteNeed(team, **need), TEAMS, moment, DESK)


def why(found: Route) -> list[tuple[str, str]]:
    return [(step.team, step.why) for step in found.steps]


def open_late(**late: str) -> dict[str, Team]:
    hours = {name: BusinessHours.parse({"mon-sun": span}) for name, span in late.items()}
    return {name: team.model_copy(update={"hours": hours.get(name)}) for name, team in TEAMS.items()}


def test_an_open_team_takes_its_ticket_and_nobody_is_named() -> None:
    assert route("frontline") == Route(team="frontline")


def test_the_first_team_on_the_path_with_all_skills_takes_it() -> None:
    found = route("frontline", skills=["vat"])
    assert (found.team, found.person) == ("books", None)
    assert why(found) == [("frontline", "frontline has no skill vat, which the rule some_rule asks for")]
    assert route("books", skills=["vat"]) == Route(team="books")


def test_off_the_path_the_lowest_tier_with_the_skills_takes_it() -> None:
    found = route("frontline", skills=["tills"])
    assert found.team == "tills"
    assert [team for team, _ in why(found)] == ["frontline", "books", "chiefs"]
    assert route("frontline", skills=["tills", "stock"]).team == "night"


def test_skills_that_no_team_has_together_do_not_count_and_that_is_said() -> None:
    found = route("frontline", skills=["vat", "tills"])
    assert found.team == "frontline"
    assert why(found)[-1] == ("frontline", "no team has all of vat, tills; it goes on without")


def test_a_repeat_contact_goes_one_step_up_and_names_a_person() -> None:
    found = route("frontline", raised=TWICE)
    assert (found.team, found.person, found.opens_at) == ("books", "Gareth", None)
    assert why(found) == [("frontline", f"raised: {TWICE}")]


def test_a_repeat_contact_at_the_end_of_the_path_stays_and_names_a_person() -> None:
    found = route("chiefs", raised=TWICE)
    assert (found.team, found.person) == ("chiefs", "Ruth")
    assert why(found) == [("chiefs", f"{TWICE}; there is no further team to raise it to")]


def test_skills_come_before_the_step_up_and_it_goes_to_a_team_that_has_them() -> None:
    assert route("frontline", skills=["vat"], raised=TWICE).team == "chiefs"
    only_books = route("frontline", skills=["bookkeeping"], raised=TWICE)
    assert (only_books.team, only_books.person) == ("books", "Gareth")


def test_out_of_hours_the_first_open_team_on_the_path_takes_it() -> None:
    found = find_route(RouteNeed("frontline"), open_late(chiefs="00:00-23:00"), EVENING, DESK)
    assert (found.team, found.person, found.opens_at) == ("chiefs", None, None)
    closed = "is closed until Mon 08:00"
    assert why(found) == [("frontline", f"frontline {closed}"), ("books", f"books {closed}")]


def test_where_nobody_is_open_it_waits_for_the_team_of_the_day() -> None:
    found = route("frontline", EVENING)
    assert (found.team, found.person) == ("frontline", "Moira")
    assert found.opens_at == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert [team for team, _ in why(found)] == ["frontline", "books", "chiefs"]


def test_out_of_hours_a_repeat_waits_for_the_team_one_step_up() -> None:
    found = route("frontline", EVENING, raised=TWICE)
    assert (found.team, found.person) == ("books", "Gareth")
    assert found.opens_at is not None


def test_a_team_without_the_skills_is_not_fallen_back_on_at_night() -> None:
    teams = open_late(tills="00:00-23:00")
    night = find_route(RouteNeed("frontline", {"vat": "r"}), teams, EVENING, DESK)
    assert (night.team, night.opens_at) == ("books", datetime(2026, 11, 23, 8, tzinfo=UTC))


def test_a_critical_reason_names_the_person_of_the_team_that_takes_it() -> None:
    assert route("books", critical=True).person == "Gareth"
    assert route("tills", critical=True).person is None


def test_a_team_that_has_to_stay_stays_whatever_speaks_against_it() -> None:
    found = route("frontline", EVENING, skills=["vat"], raised=TWICE, stays="a person set the team")
    assert (found.team, found.person) == ("frontline", "Moira")
    assert found.opens_at == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert why(found) == [
        ("frontline", f"{TWICE}; it stays there: a person set the team"),
        ("frontline", "frontline is closed until Mon 08:00; it stays there: a person set the team"),
    ]


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 11, 20, 18, 0, tzinfo=UTC), "Mon 08:00"),
        (datetime(2026, 11, 20, 7, 59, tzinfo=UTC), "Fri 08:00"),
        (datetime(2026, 7, 3, 17, 0, tzinfo=UTC), "Mon 08:00"),
        (datetime(2026, 12, 24, 18, 0, tzinfo=UTC), "Mon 08:00"),
    ],
)
def test_a_closed_team_says_when_it_opens_in_its_own_time(moment: datetime, said: str) -> None:
    assert why(route("tills", moment)) == [("tills", f"tills is closed until {said}")]


def test_an_opening_that_is_far_away_is_said_with_its_date() -> None:
    teams = {"rare": Team(description="r", hours=BusinessHours.parse({"mon": "09:00-10:00"}))}
    found = find_route(RouteNeed("rare"), teams, datetime(2026, 11, 23, 10, 0, tzinfo=UTC), DESK)
    assert why(found) == [("rare", "rare is closed until Mon 30 Nov 09:00")]


def test_on_a_holiday_of_the_desk_no_team_is_there_whatever_its_hours() -> None:
    christmas = datetime(2026, 12, 25, 10, 0, tzinfo=UTC)
    found = find_route(RouteNeed("tills"), open_late(tills="00:00-23:00"), christmas, DESK)
    assert found.opens_at == datetime(2026, 12, 26, 0, 0, tzinfo=UTC)


def test_a_team_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no team 'sales'; the teams are frontline, books"):
        route("sales")


NAMES = ("a", "b", "c", "d", "e")
SKILLS = ("vat", "tills", "stock")
moments = st.integers(0, 40 * 24 * 60).map(lambda minutes: FRIDAY + timedelta(minutes=minutes))
days = st.dates(date(2026, 11, 20), date(2027, 1, 10))


@st.composite
def all_hours(draw: st.DrawFn) -> BusinessHours:
    spans = draw(st.dictionaries(st.integers(0, 6), st.tuples(st.integers(0, 11), st.integers(12, 23)), min_size=1))
    return BusinessHours({day: (time(opens), time(closes, 30)) for day, (opens, closes) in spans.items()})


@st.composite
def all_teams(draw: st.DrawFn) -> dict[str, Team]:
    """Teams of any kind: circles and dead ends too, which no taxonomy lets in."""
    return {
        name: Team(
            description=name,
            tier=draw(st.integers(1, 3)),
            hours=draw(st.none() | all_hours()),
            skills=tuple(draw(st.sets(st.sampled_from(SKILLS)))),
            next=draw(st.sampled_from((None, *NAMES, "nowhere"))),
            escalation=draw(st.sampled_from((None, f"{name}'s person"))),
        )
        for name in NAMES
    }


@st.composite
def needs(draw: st.DrawFn) -> RouteNeed:
    return RouteNeed(
        draw(st.sampled_from(NAMES)),
        dict.fromkeys(draw(st.lists(st.sampled_from(SKILLS), max_size=2, unique=True)), "rule"),
        raised=draw(st.none() | st.just(TWICE)),
        stays=draw(st.none() | st.just("set")),
        critical=draw(st.booleans()),
    )


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    return Calendar(draw(all_hours()), LONDON, draw(st.frozensets(days, max_size=5)))


CIRCLE = {name: Team(description=name, next=other) for name, other in zip(NAMES, "bcdea", strict=True)}


@given(needs(), all_teams(), moments, calendars())
@example(RouteNeed("a", {"vat": "rule"}, raised=TWICE), CIRCLE, EVENING, DESK)
@settings(max_examples=150, deadline=None)
def test_every_walk_ends_at_a_team_that_there_is(
    need: RouteNeed, teams: dict[str, Team], moment: datetime, desk: Calendar
) -> None:
    found = find_route(need, teams, moment, desk)
    assert found.team in teams
    assert {step.team for step in found.steps} <= set(teams)
    calendar = calendar_of(teams[found.team], desk)
    assert (found.opens_at is None) == calendar.is_open(moment)
    if found.opens_at is not None:
        assert found.opens_at > moment
        assert calendar.is_open(found.opens_at)
        assert found.person == teams[found.team].escalation
    if found.team != need.team:
        assert found.steps
        assert need.stays is None
    assert len(list(path_from(need.team, teams))) <= len(teams)


@given(needs(), all_teams(), moments, calendars())
@settings(max_examples=150, deadline=None)
def test_a_team_that_is_open_and_able_and_not_raised_keeps_its_ticket(
    need: RouteNeed, teams: dict[str, Team], moment: datetime, desk: Calendar
) -> None:
    able = teams[need.team].model_copy(update={"skills": tuple(need.skills), "hours": None})
    always = BusinessHours(dict.fromkeys(range(7), (time(0), time(23, 59, 59, 999_999))))
    desk = replace(desk, hours=always, holidays=frozenset())
    found = find_route(replace(need, raised=None), teams | {need.team: able}, moment, desk)
    assert found == Route(team=need.team, person=able.escalation if need.critical else None)


@given(needs(), all_teams(), moments, calendars(), days)
@settings(max_examples=150, deadline=None)
def test_a_further_holiday_opens_no_team(
    need: RouteNeed, teams: dict[str, Team], moment: datetime, desk: Calendar, day: date
) -> None:
    more = replace(desk, holidays=desk.holidays | {day})
    for team in teams.values():
        assert calendar_of(team, desk).is_open(moment) >= calendar_of(team, more).is_open(moment)
    before, after = find_route(need, teams, moment, desk), find_route(need, teams, moment, more)
    assert (before.opens_at is None) >= (after.opens_at is None)
    if before.opens_at is not None and after.opens_at is not None:
        assert after.opens_at >= before.opens_at


@given(all_hours(), moments)
@settings(max_examples=100, deadline=None)
def test_what_is_closed_opens_later_and_not_a_minute_too_late(hours: BusinessHours, moment: datetime) -> None:
    calendar = Calendar(hours, LONDON)
    if not calendar.is_open(moment):
        opens = opening(calendar, moment)
        assert opens > moment
        assert calendar.is_open(opens)
        assert not calendar.is_open(opens - timedelta(microseconds=1))
