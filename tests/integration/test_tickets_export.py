"""Stored tickets, handed out as they came in: read again by a replay and by a build, masked where that is asked for."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eval.replay.past import read_past
from serve.errors import DataCommandError
from serve.services import Stores
from serve.storage.database import Database
from serve.tickets_export import TicketChoices, export_tickets
from triage.desk_files import read_desk
from triage.tickets import Message, Requester, Ticket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERSONAL = ("Wilhelmina", "wilhelmina@rind.example", "c-77")
TICKET = Ticket(
    id="T-1",
    subject="Till",
    body="It is stuck. Write to wilhelmina@rind.example.",
    created_at=NOW - timedelta(days=3),
    requester=Requester(id="c-77", name="Wilhelmina Rind", email="wilhelmina@rind.example", tags=("vip",)),
    messages=(
        Message(author="customer", text="Still stuck."),
        Message(author="agent", text="Do not call her yet.", public=False),
        Message(author="agent", text="Hello Wilhelmina, hold the button."),
        Message(author="customer", text="Thanks!"),
    ),
)


@dataclass(frozen=True)
class Place:
    desk: Path
    url: str
    out: Path
    stores: Stores

    def add(self, ticket: Ticket = TICKET, at: datetime = NOW, desk: str = "demo", **fields: str) -> None:
        self.stores.tickets.put(desk, ticket, None, at)
        if fields:
            self.stores.tickets.set_values(desk, ticket.id or "", fields)

    def export(self, **choices: Any) -> str:
        return export_tickets(self.desk, self.url, TicketChoices(self.out, **choices))

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def place(desk_copy: Callable[[], Path], tmp_path: Path) -> Iterator[Place]:
    url = f"sqlite:///{tmp_path / 'firstline.db'}"
    database = Database.open(url)
    yield Place(desk_copy(), url, tmp_path / "tickets.jsonl", Stores.of(database))
    database.close()


def test_a_ticket_comes_out_as_it_was_before_its_first_reply(place: Place) -> None:
    place.add(team="books")
    place.stores.tickets.set_status("demo", "T-1", "solved", NOW)
    told = place.export()
    assert told.splitlines()[0] == f"{place.out}: 1 ticket, 1 with what a person set as labels"
    (past,) = read_past(place.out, read_desk(place.desk).rules.taxonomy)
    assert [said.text for said in past.ticket.messages] == ["Still stuck.", "Do not call her yet."]
    assert (past.ticket.created_at, past.ticket.requester) == (TICKET.created_at, TICKET.requester)
    assert (past.truth, past.ticket.set_fields) == ({"team": "books"}, {})
    (row,) = place.rows()
    assert (row["reply"], row["resolved"]) == ("Hello Wilhelmina, hold the button.", True)


def test_what_is_labelled_is_past_tickets_for_a_build(place: Place) -> None:
    place.add(team="books")
    place.add(TICKET.model_copy(update={"id": "T-2"}))
    place.add(TICKET.model_copy(update={"id": "T-3"}), team="gone-team")
    told = place.export(labelled=True)
    assert "Left out: 2 on which nobody set a field" in told.splitlines()
    history = place.desk / "history.jsonl"
    history.write_bytes(history.read_bytes() + place.out.read_bytes())
    row = read_desk(place.desk).history[-1]
    assert (row.ticket.id, row.labels, row.resolved) == ("T-1", {"team": "books"}, False)


def test_masked_tickets_name_nobody_and_repeats_stay_repeats(place: Place) -> None:
    place.add()
    place.add(TICKET.model_copy(update={"id": "T-2"}))
    place.add(Ticket(id="T-3", body="Till", requester=Requester(id="c-8")))
    assert "as far as it was recognised" in place.export(mask=True)
    assert [word for word in PERSONAL if word.lower() in place.out.read_text(encoding="utf-8").lower()] == []
    who = {row["id"]: row["requester"]["id"] for row in place.rows()}
    assert who["T-1"] == who["T-2"] != who["T-3"]


def test_all_pages_come_but_no_other_desks_and_none_that_is_older(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.tickets_export.PAGE", 3)
    for number in range(10):
        place.add(TICKET.model_copy(update={"id": f"T-{number}"}), NOW + timedelta(hours=number))
    place.add(TICKET.model_copy(update={"id": "T-other"}), desk="other")
    place.export()
    assert sorted(row["id"] for row in place.rows()) == [f"T-{number}" for number in range(10)]
    place.export(since=NOW + timedelta(hours=7), replace=True)
    assert sorted(row["id"] for row in place.rows()) == ["T-7", "T-8", "T-9"]


def test_a_ticket_that_changes_while_others_are_read_is_not_lost(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.tickets_export.PAGE", 2)
    for number in range(6):
        place.add(TICKET.model_copy(update={"id": f"T-{number}"}), NOW + timedelta(hours=number))
    listed = type(place.stores.tickets).list

    def changing(store: Any, desk: str, wanted: Any, limit: int, behind: Any = None) -> Any:
        page = listed(store, desk, wanted, limit, behind)
        if behind is None:  # the oldest goes to the front, past which the pages have gone
            store.put(
                "demo", TICKET.model_copy(update={"id": "T-0", "subject": "Later"}), None, NOW + timedelta(days=1)
            )
        return page

    monkeypatch.setattr(type(place.stores.tickets), "list", changing)
    place.export()
    assert sorted(row["id"] for row in place.rows()) == [f"T-{number}" for number in range(6)]


def test_only_the_owner_reads_the_file_and_none_is_overwritten_unasked(place: Place, tmp_path: Path) -> None:
    place.add()
    place.export()
    assert place.out.stat().st_mode & 0o777 == 0o600
    with pytest.raises(DataCommandError, match=r"is there already.*--replace"):
        place.export()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataCommandError, match="name another file"):
        export_tickets(place.desk, place.url, TicketChoices(tmp_path / "file" / "below.jsonl"))


def test_a_desk_without_tickets_gives_an_empty_file(place: Place) -> None:
    assert place.export().splitlines()[0] == f"{place.out}: 0 tickets, 0 with what a person set as labels"
    assert place.out.read_bytes() == b""
