"""The gate over mails written by somebody who had not read its rules."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from triage.cleaning import read_text
from triage.message_kind import message_kind
from triage.tickets import Ticket

FILE = Path(__file__).with_name("gate_mails.jsonl")

#: Mails that come out as another kind, and why that is accepted.
ACCEPTED = {
    "m-061": (
        "thanks",
        "request",
        "a story of forty words around the praise: too long to be sure that nothing is asked",
    ),
}


@cache
def mails() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines())


@cache
def found() -> dict[str, str]:
    kinds = {}
    for mail in mails():
        ticket = Ticket.model_validate(mail["ticket"])
        follow_up = any(message.author == "customer" for message in ticket.messages)
        kinds[mail["id"]] = message_kind(read_text(ticket), ticket.headers, follow_up).kind
    return kinds


def test_every_miss_is_known() -> None:
    missed = {
        mail["id"]: (mail["kind"], found()[mail["id"]]) for mail in mails() if found()[mail["id"]] != mail["kind"]
    }
    assert missed == {number: (kind, instead) for number, (kind, instead, _) in ACCEPTED.items()}


@pytest.mark.parametrize("kind", ["thanks", "auto_reply", "bounce", "list_mail", "empty"])
def test_a_kind_without_reply_is_never_given_to_a_request(kind: str) -> None:
    assert [mail["id"] for mail in mails() if mail["kind"] == "request" and found()[mail["id"]] == kind] == []


@pytest.mark.parametrize(
    ("kind", "right", "given", "meant"),
    [
        ("request", 55, 56, 55),
        ("thanks", 21, 21, 22),
        ("auto_reply", 28, 28, 28),
        ("bounce", 20, 20, 20),
        ("list_mail", 15, 15, 15),
        ("empty", 10, 10, 10),
    ],
)
def test_precision_and_recall_are_not_below_what_was_reached(kind: str, right: int, given: int, meant: int) -> None:
    counts = Counter((mail["kind"], found()[mail["id"]]) for mail in mails())
    hits = counts[kind, kind]
    assert sum(number for (truth, _), number in counts.items() if truth == kind) == meant
    assert hits / meant >= right / meant
    assert hits / sum(number for (_, answer), number in counts.items() if answer == kind) >= right / given


def test_thanks_that_also_ask_are_requests() -> None:
    asking = [mail["id"] for mail in mails() if mail["kind"] == "request" and "thanks" in mail["note"].lower()]
    assert len(asking) > 5
    assert {found()[number] for number in asking} == {"request"}
