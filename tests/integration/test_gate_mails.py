"""The gate over two sets of mails, both written by people who had not read its rules.

The rules were developed on `gate_mails.jsonl`. `gate_mails_blind.jsonl` was written after that and shows what the gate
does on mails that nobody looked at: it is for judging, never for mending a rule.
"""

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from triage.cleaning import read_text
from triage.message_kind import message_kind
from triage.tickets import Ticket

HERE = Path(__file__).parent
SEEN, BLIND = "gate_mails.jsonl", "gate_mails_blind.jsonl"
NO_REPLY = ("thanks", "auto_reply", "bounce", "list_mail", "empty")
#: By set and kind: how many came out right, how many were called so, how many are so.
REACHED = {
    SEEN: {
        "request": (55, 56, 55),
        "thanks": (21, 21, 22),
        "auto_reply": (28, 28, 28),
        "bounce": (20, 20, 20),
        "list_mail": (15, 15, 15),
        "empty": (10, 10, 10),
    },
    BLIND: {
        "request": (60, 95, 60),
        "thanks": (7, 7, 25),
        "auto_reply": (15, 15, 25),
        "bounce": (17, 17, 18),
        "list_mail": (6, 8, 12),
        "empty": (8, 8, 10),
    },
}


@cache
def found(name: str) -> tuple[tuple[str, str, str, str], ...]:
    """Return (id, kind, what the gate says, note) of every mail of a set."""
    rows = []
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        mail = json.loads(line)
        ticket = Ticket.model_validate(mail["ticket"])
        follow_up = any(message.author == "customer" for message in ticket.messages)
        said = message_kind(read_text(ticket), ticket.headers, follow_up).kind
        rows.append((mail["id"], mail["kind"], said, mail["note"]))
    return tuple(rows)


@pytest.mark.parametrize("name", [SEEN, BLIND])
def test_no_request_is_lost(name: str) -> None:
    assert [number for number, kind, said, _ in found(name) if kind == "request" and said in NO_REPLY] == []


@pytest.mark.parametrize("name", [SEEN, BLIND])
def test_precision_and_recall_are_not_below_what_was_reached(name: str) -> None:
    counts = Counter((kind, said) for _, kind, said, _ in found(name))
    for kind, (right, called, are) in REACHED[name].items():
        hits = counts[kind, kind]
        assert sum(number for (truth, _), number in counts.items() if truth == kind) == are
        assert hits >= right, kind
        assert hits / sum(number for (_, said), number in counts.items() if said == kind) >= right / called, kind


@pytest.mark.parametrize(("name", "least"), [(SEEN, 6), (BLIND, 3)])
def test_thanks_that_also_ask_are_requests(name: str, least: int) -> None:
    asking = [said for _, kind, said, note in found(name) if kind == "request" and "thanks" in note.lower()]
    assert len(asking) >= least
    assert set(asking) == {"request"}
