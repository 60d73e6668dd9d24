"""The parts of a suggestion that follow from a reading, what came of it and the desk's rules: due, route, handoff."""

from datetime import datetime

from triage.business_hours import Calendar
from triage.desk_files import DeskRules
from triage.drafting.handoff import team_named
from triage.drafting.summary import Matter, write_summary
from triage.escalation import RouteNeed, find_route
from triage.history import repeated
from triage.outcome import Outcome, Reading, waiting_since
from triage.suggestions import Due, Handoff, HistorySaid, Route, RouteStep
from triage.thread import read_thread

TEAM = "team"


def due_of(reading: Reading, rules: DeskRules, calendar: Calendar, now: datetime) -> Due | None:
    """Return the SLA targets of the likeliest priority; None where there is none, or nobody waits."""
    target = rules.settings.sla.get(reading.fields["priority"].best)
    if target is None or reading.kind.kind != "request" or reading.vector is None:
        return None
    start = waiting_since(reading.ticket, now)
    return Due(
        respond_by=calendar.add(start, target.respond_hours), resolve_by=calendar.add(start, target.resolve_hours)
    )


def route_of(reading: Reading, outcome: Outcome, rules: DeskRules, calendar: Calendar, now: datetime) -> Route | None:
    """Return who takes the ticket at an aware moment; None where nobody is to answer.

    A team that a person set stays. A team that the policy names for a reason is changed by opening hours only. Any
    other is the triage's, and changed by skills, repeat contacts and opening hours.
    """
    if reading.wants_no_reply:
        return None
    teams, critical = rules.taxonomy.team.labels, any(reason.severity == "critical" for reason in outcome.reasons)
    named, raised = team_named(outcome.reasons, rules.policy), _raised(reading, rules)
    if TEAM in reading.set_fields:
        team = reading.set_fields[TEAM]
        need = RouteNeed(team, raised=raised, stays="a person set the team", critical=critical)
        route = find_route(need, teams, now, calendar)
        if named is None or named[0] == team:
            return route
        passed = RouteStep(team=named[0], why=f"the policy names {named[0]} for {named[1]}; a person set {team}")
        return route.model_copy(update={"steps": (passed, *route.steps)})
    if named is not None:
        return find_route(RouteNeed(named[0], critical=critical), teams, now, calendar)
    skills = rules.routing.needs(reading.ticket, reading.text)
    need = RouteNeed(reading.fields[TEAM].best, skills, raised, critical=critical)
    return find_route(need, teams, now, calendar)


def handoff_of(reading: Reading, outcome: Outcome, route: Route | None) -> Handoff | None:
    """Return why a person must take over, who and with which note; None where no rule fired."""
    if not outcome.reasons:
        return None
    public = outcome.asked[0].hits if outcome.asked else ()
    ticket, thread = reading.ticket, read_thread(reading.ticket, reading.text)
    matter = Matter(reading.text.subject, thread, reading.fields, outcome.reasons, public, ticket.attributes)
    summary = write_summary(matter, route)
    return Handoff(reasons=outcome.reasons, team=route.team if route else None, summary=summary)


def history_of(reading: Reading) -> HistorySaid | None:
    """Return what the desk's records said; None where that was nothing."""
    return reading.history if reading.history != HistorySaid() else None


def _raised(reading: Reading, rules: DeskRules) -> str | None:
    repeats = reading.history.repeat_of
    return repeated(repeats, rules.policy.rules.repeat_contact.days) if repeats else None
