"""Which team takes a ticket now: skills first, then a repeat contact, then opening hours. Pure, no search.

Teams form paths along `next` (Taxonomy refuses circles; the walk ends at one all the same).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from triage.business_hours import Calendar
from triage.suggestions import Route, RouteStep
from triage.taxonomy import Team

#: Up to so many days ahead a weekday says when a team opens; further ahead a date does.
NEAR = timedelta(days=6)


@dataclass(frozen=True)
class RouteNeed:
    """What a ticket needs of a team.

    team: predicted, decided, or named by a policy; skills: with the name of the rule that asks for each; raised: why
    it goes one step up, if it does; stays: why the team stays also out of hours, where it was not ours to choose;
    critical: whether a person has to be named.
    """

    team: str
    skills: Mapping[str, str] = field(default_factory=dict)
    raised: str | None = None
    stays: str | None = None
    critical: bool = False


def find_route(need: RouteNeed, teams: Mapping[str, Team], moment: datetime, desk: Calendar) -> Route:
    """Return who takes a ticket at an aware moment.

    desk: the hours of a team that has none of its own, and everybody's zone and holidays. Raises `ValueError` for a
    team that is not among `teams`.
    """
    if need.team not in teams:
        raise ValueError(f"no team {need.team!r}; the teams are {', '.join(teams)}")
    steps: list[RouteStep] = []
    able = [need.team] if need.stays else _able(need, teams, steps)
    by_day = able[0]
    if need.raised is not None:
        by_day = _raise(need, able, steps)
    path = able[able.index(by_day) :]
    calendars = {name: calendar_of(teams[name], desk) for name in path}
    taker = next((name for name in path if calendars[name].is_open(moment)), None)
    for name in path[: path.index(taker)] if taker else path:
        closed = _closed(name, calendars[name], moment)
        steps.append(RouteStep(team=name, why=f"{closed}; it stays there: {need.stays}" if need.stays else closed))
    is_person_needed = need.raised is not None or need.critical or taker is None
    return Route(
        team=taker or by_day,
        person=teams[taker or by_day].escalation if is_person_needed else None,
        opens_at=None if taker else opening(calendars[by_day], moment),
        steps=tuple(steps),
    )


def path_from(team: str, teams: Mapping[str, Team]) -> Iterator[str]:
    """Yield a team and those it escalates to, each once."""
    seen: set[str] = set()
    following: str | None = team
    while following is not None and following in teams and following not in seen:
        yield following
        seen.add(following)
        following = teams[following].next


def calendar_of(team: Team, desk: Calendar) -> Calendar:
    """Return when a team is there: in its own hours, or the desk's, on no holiday of the desk."""
    return desk if team.hours is None else Calendar(team.hours, desk.zone, desk.holidays)


def opening(calendar: Calendar, moment: datetime) -> datetime:
    """Return when a calendar that is closed at an aware moment opens next, in UTC."""
    # Nothing to add leaves a moment at closing time where it is: that door is shut already.
    return calendar.add(moment + timedelta(microseconds=1), 0)


def _able(need: RouteNeed, teams: Mapping[str, Team], steps: list[RouteStep]) -> list[str]:
    """Return the path of teams that have all skills, from the first; a step for each that was passed over."""
    path = list(path_from(need.team, teams))
    if not need.skills:
        return path
    able = [name for name in path if _has_all(teams[name], need.skills)]
    passed = path[: path.index(able[0])] if able else path
    steps += [RouteStep(team=name, why=_lacks(name, teams[name], need.skills)) for name in passed]
    if able:
        return able
    others = [name for name, team in teams.items() if _has_all(team, need.skills)]
    if others:
        first = min(others, key=lambda name: teams[name].tier)  # of equal tiers the first of the file
        return [name for name in path_from(first, teams) if _has_all(teams[name], need.skills)]
    steps.append(RouteStep(team=need.team, why=f"no team has all of {', '.join(need.skills)}; it goes on without"))
    return path


def _raise(need: RouteNeed, able: Sequence[str], steps: list[RouteStep]) -> str:
    """Return the team one step up; where there is none, or it is not ours to choose, the same."""
    if need.stays:
        why = f"{need.raised}; it stays there: {need.stays}"
    elif len(able) == 1:
        why = f"{need.raised}; there is no further team to raise it to"
    else:
        why = f"raised: {need.raised}"
    steps.append(RouteStep(team=able[0], why=why))
    return able[min(1, len(able) - 1)]


def _has_all(team: Team, skills: Mapping[str, str]) -> bool:
    return set(skills) <= set(team.skills)


def _lacks(name: str, team: Team, skills: Mapping[str, str]) -> str:
    missing = next(skill for skill in skills if skill not in team.skills)
    return f"{name} has no skill {missing}, which the rule {skills[missing]} asks for"


def _closed(name: str, calendar: Calendar, moment: datetime) -> str:
    opens = opening(calendar, moment).astimezone(calendar.zone)
    return f"{name} is closed until {opens:{'%a %H:%M' if opens - moment < NEAR else '%a %d %b %H:%M'}}"
