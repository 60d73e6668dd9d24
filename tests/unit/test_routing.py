import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from triage.business_hours import BusinessHours, Calendar
from triage.cleaning import read_text
from triage.drafting.policy import Policy
from triage.escalation import RouteNeed, find_route
from triage.history import repeated
from triage.routing import Routing, RoutingRule, read_routing, settings_of, skills_of
from triage.suggestions import HistorySaid, Route, Suggestion
from triage.taxonomy import Label, Team, TeamField
from triage.tickets import Message, Requester, Ticket

TRUST = {"team": "trust"}


def rule(**conditions: Any) -> RoutingRule:
    return RoutingRule(**{"name": "r", "set": TRUST} | conditions)


def evidence(routing_rule: RoutingRule, ticket: Ticket) -> str | None:
    return routing_rule.evidence(ticket, read_text(ticket))


FULL = Ticket(body="We got a phishing mail", tags=("vip",), channel="chat", requester=Requester(tags=("gold",)))


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"tag": "vip"}, "tag vip"),
        ({"segment": "gold"}, "segment gold"),
        ({"channel": "chat"}, "channel chat"),
        ({"keywords": ("scam", "phishing")}, "phishing"),
        ({"tag": "vip", "channel": "chat", "keywords": ("phishing",)}, "tag vip; channel chat; phishing"),
    ],
)
def test_each_condition_fires_and_says_why(conditions: dict[str, Any], said: str) -> None:
    assert evidence(rule(**conditions), FULL) == said


@pytest.mark.parametrize("missing", [{"tag": "new"}, {"segment": "vip"}, {"channel": "cha"}, {"keywords": ("fish",)}])
def test_all_conditions_that_are_given_must_hold(missing: dict[str, Any]) -> None:
    conditions: dict[str, Any] = {"tag": "vip", "segment": "gold", "channel": "chat", "keywords": ("phishing",)}
    assert evidence(rule(**conditions), FULL) is not None
    assert evidence(rule(**conditions | missing), FULL) is None


def test_a_ticket_without_channel_fits_no_channel() -> None:
    assert evidence(rule(channel="chat"), Ticket(body="hello")) is None


@pytest.mark.parametrize(
    ("keyword", "body", "found"),
    [
        ("gdpr", "Under GDPR I ask", "GDPR"),
        ("PHISHING", "a phishing mail", "phishing"),
        ("can't trade", "We CAN'T TRADE today", "CAN'T TRADE"),
        ("can't trade", "We can’t trade today", "can't trade"),
        ("cannot trade", "We cannot\ntrade today", "cannot trade"),
        ("phishing", "phi\u200bshing", "phishing"),
        ("by 5pm today", "It is due by 5pm today!", "by 5pm today"),
        ("£500", "You took £500 from us", "£500"),
        ("c++", "our c++ till", "c++"),
        ("vat", "a private matter", None),
        ("till", "still stuck", None),
        ("a.c", "abc", None),
    ],
)
def test_keywords_are_whole_words_in_any_case(keyword: str, body: str, found: str | None) -> None:
    said = evidence(rule(keywords=(keyword,)), Ticket(body=body))
    assert (" ".join(said.replace("’", "'").split()) if said else said) == found


def test_keywords_are_looked_for_in_the_subject_and_in_every_customer_message() -> None:
    ticket = Ticket.model_validate(
        {
            "subject": "phishing",
            "messages": [{"author": "agent", "text": "is it gdpr"}, {"author": "customer", "text": "a scam"}],
        }
    )
    assert evidence(rule(keywords=("phishing",)), ticket) == "phishing"
    assert evidence(rule(keywords=("scam",)), ticket) == "scam"
    assert evidence(rule(keywords=("gdpr",)), ticket) is None


def test_the_first_rule_wins_for_each_field() -> None:
    routing = Routing(
        rules=(
            rule(name="other", tag="new", set={"team": "books"}),
            rule(name="first", tag="vip", set={"team": "trust"}),
            rule(name="second", channel="chat", set={"team": "billing", "priority": "high"}),
            rule(name="third", segment="gold", set={"priority": "low"}),
        )
    )
    assert routing.decide(FULL, read_text(FULL)) == {
        "team": ("trust", "first", "tag vip"),
        "priority": ("high", "second", "channel chat"),
    }


def test_no_rules_decide_nothing() -> None:
    assert Routing().decide(FULL, read_text(FULL)) == {}


@pytest.mark.parametrize(
    "conditions", [{}, {"keywords": ()}, {"tag": ""}, {"keywords": ("",)}, {"keywords": ("gdpr", " ")}]
)
def test_a_rule_without_a_condition_that_means_something_is_refused(conditions: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="a rule needs keywords, tag, segment or channel"):
        rule(**conditions)


def test_a_rule_that_does_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="a rule needs set, skills or both"):
        rule(tag="vip", set={})
    assert rule(tag="vip", set={}, skills=["vat"]).skills == ("vat",)


def test_skills_are_asked_for_by_every_rule_that_fires_and_the_first_is_named() -> None:
    routing = Routing(
        rules=(
            rule(name="one", tag="vip", set={}, skills=["vat"]),
            rule(name="silent", tag="new", set={}, skills=["stock"]),
            rule(name="two", channel="chat", set={"team": "books"}, skills=["vat", "tills"]),
        )
    )
    assert routing.needs(FULL, read_text(FULL)) == {"vat": "one", "tills": "two"}
    assert routing.decide(FULL, read_text(FULL)) == {"team": ("books", "two", "channel chat")}
    assert skills_of(routing) == [(1, ("vat",)), (2, ("stock",)), (3, ("vat", "tills"))]


def test_only_customers_ask_for_skills() -> None:
    routing = Routing(rules=(rule(keywords=("phishing",), set={}, skills=["vat"]),))
    ticket = Ticket(body="A question", messages=(Message(author="agent", text="Was it phishing?"),))
    assert routing.needs(ticket, read_text(ticket)) == {}


def test_the_examples_of_the_documentation_are_what_a_desk_may_say(project: Path) -> None:
    text = (project / "docs" / "routing.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml \S+\n(.*?)```", text, flags=re.DOTALL)
    teams, rules, policy, same = (dedent(block) for block in blocks)
    field = TeamField.model_validate(tomllib.loads(teams)["team"])
    routing = Routing.model_validate(tomllib.loads(rules))
    repeat = Policy.model_validate(tomllib.loads(policy)).rules.repeat_contact
    assert (repeat.days, repeat.similarity, repeat.on) == (7, 0.6, True)
    assert Policy.model_validate(tomllib.loads(same)) == Policy()

    (shown,) = re.findall(r"```json suggestion\n(.*?)```", text, flags=re.DOTALL)
    told = json.loads(shown)
    assert set(told) == {"route", "history"} <= set(Suggestion.model_fields)
    said, by = HistorySaid.model_validate(told["history"]), read_text(Ticket(body="Our VAT return"))
    skills = routing.needs(Ticket(body="x"), by)
    assert skills == {"vat": "tax_return"}
    raised = repeated(said.repeat_of, repeat.days)
    desk = Calendar(BusinessHours.parse({"mon-fri": "08:00-18:00"}), ZoneInfo("Europe/London"))
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert find_route(RouteNeed("frontline", raised=raised), field.labels, sunday, desk) == Route.model_validate(
        told["route"]
    )


def test_every_key_of_a_team_is_documented(project: Path) -> None:
    text = (project / "docs" / "routing.md").read_text(encoding="utf-8")
    for key in set(Team.model_fields) - set(Label.model_fields):
        assert f"| `{key}` |" in text


def test_a_desk_without_the_file_has_no_rules(tmp_path: Path) -> None:
    assert read_routing(tmp_path / "routing.toml") == Routing()


def test_rules_are_numbered_from_one_for_messages() -> None:
    routing = Routing(rules=(rule(tag="a"), rule(tag="b", set={"team": "books", "priority": "low"})))
    assert settings_of(routing) == [(1, "team", "trust"), (2, "team", "books"), (2, "priority", "low")]
