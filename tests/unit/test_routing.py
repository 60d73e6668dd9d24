from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from triage.cleaning import read_text
from triage.routing import Routing, RoutingRule, read_routing, settings_of
from triage.tickets import Requester, Ticket

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


def test_a_rule_that_sets_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="set"):
        rule(tag="vip", set={})


def test_a_desk_without_the_file_has_no_rules(tmp_path: Path) -> None:
    assert read_routing(tmp_path / "routing.toml") == Routing()


def test_rules_are_numbered_from_one_for_messages() -> None:
    routing = Routing(rules=(rule(tag="a"), rule(tag="b", set={"team": "books", "priority": "low"})))
    assert settings_of(routing) == [(1, "team", "trust"), (2, "team", "books"), (2, "priority", "low")]
