"""What a lead approved, handed out: read again by a build and by an evaluation, masked, capped, never over an edit."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eval_builders import suggestion

from eval.cases import load_cases
from serve.erase_requester import DeskHome, ErasureOrder, erase_requester
from serve.errors import DataCommandError
from serve.feedback_export import ExportChoices, export_feedback
from serve.services import Stores
from serve.storage.database import Database
from serve.storage.feedback_store import Feedback
from serve.storage.suggestion_store import StoredSuggestion
from triage.desk_files import read_desk
from triage.tickets import Message, Requester, Ticket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOLD = "Personal data is masked as far as it was recognised: look before you share these files."
#: Each must be in no file.
PERSONAL = ("Wilhelmina", "wilhelmina@rind.example", "c-77", "+44 20 7946 0958", "Niamh", "GB29 NWBK 6016 1331 9268 19")
TICKET = Ticket(
    id="T-1",
    subject="Wilhelmina here",
    body="Call me on +44 20 7946 0958 or at wilhelmina@rind.example. My IBAN is GB29 NWBK 6016 1331 9268 19.",
    language="en",
    channel="email",
    created_at=NOW,
    requester=Requester(id="c-77", name="Wilhelmina Rind", email="wilhelmina@rind.example", tags=("vip",)),
    messages=(Message(author="customer", text="Wilhelmina again"),),
    headers={"From": "wilhelmina@rind.example"},
    attributes={"contact": "wilhelmina@rind.example", "seats": 3},
    set_fields={"priority": "high"},
)
SAID = Feedback(
    id="f1",
    suggestion_id="s1",
    ticket_id="T-1",
    key_id="k1",
    created_at=NOW,
    verdict="edited",
    agent="Niamh",
    final_text="Hello Wilhelmina, we have it.\n\nNiamh",
    fields={"team": "books"},
)


@dataclass(frozen=True)
class Place:
    desk: Path
    url: str
    stores: Stores

    def add(self, said: Feedback, ticket: Ticket | None = None, approved: bool = True) -> None:
        ticket = ticket or TICKET.model_copy(update={"id": said.ticket_id})
        if self.stores.suggestions.get("demo", said.suggestion_id) is None:
            made = suggestion(id=said.suggestion_id, ticket_id=ticket.id)
            self.stores.suggestions.add("demo", StoredSuggestion(ticket, made, NOW))
        self.stores.feedback.add("demo", said)
        if approved:
            self.stores.feedback.approve("demo", said.id, "lead", NOW)

    def export(self, **choices: Any) -> str:
        return export_feedback(self.desk, self.url, ExportChoices(**choices))

    def rows(self, name: str = "corrections.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.desk / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def place(desk_copy: Callable[[], Path], tmp_path: Path) -> Iterator[Place]:
    url = f"sqlite:///{tmp_path / 'firstline.db'}"
    database = Database.open(url)
    yield Place(desk_copy(), url, Stores.of(database))
    database.close()


def test_a_correction_is_handed_out_masked_and_read_again_by_a_build(place: Place) -> None:
    place.add(SAID)
    told = place.export()
    assert told.splitlines() == [
        f"{place.desk / 'corrections.jsonl'}: 1 ticket; a build learns from it",
        f"{place.desk / 'corrections-cases.jsonl'}: 1 case, for `firstline eval run --cases`",
        TOLD,
    ]
    row = read_desk(place.desk).history[-1]
    assert (row.ticket.id, row.labels, row.resolved) == ("T-1", {"priority": "high", "team": "books"}, True)
    assert row.ticket.body is not None
    assert "{EMAIL_1}" in row.ticket.body
    assert row.reply == "Hello {NAME_1}, we have it.\n\n{NAME_2}"
    assert (row.ticket.requester, row.ticket.headers) == (Requester(tags=("vip",)), {})
    assert row.ticket.attributes == {"contact": "{EMAIL_1}", "seats": 3}


def test_no_personal_data_that_can_be_recognised_is_in_any_file(place: Place) -> None:
    place.add(SAID)
    place.export()
    for path in place.desk.glob("*corrections*"):
        assert [word for word in PERSONAL if word.lower() in path.read_text(encoding="utf-8").lower()] == []


def test_cases_are_read_by_an_evaluation_and_hold_what_a_person_said(place: Place) -> None:
    place.add(replace(SAID, fields={"team": "books", "kind": "request"}))
    place.add(replace(SAID, id="f2", suggestion_id="s2", ticket_id="T-2", verdict="accepted", final_text="our draft"))
    place.export()
    taxonomy = read_desk(place.desk).rules.taxonomy
    first, second = load_cases(place.desk / "corrections-cases.jsonl", taxonomy, ())
    assert (first.id, first.slice) == ("feedback-f1", {"language": "en", "channel": "email", "verdict": "edited"})
    assert set(first.expect) == {"priority", "team", "kind", "reply"}
    assert "reply" not in second.expect  # a draft is not measured by itself


def test_what_nobody_approved_or_was_withdrawn_is_not_handed_out(place: Place) -> None:
    place.add(SAID, approved=False)
    assert place.export() == "No feedback has been approved; see POST /v1/feedback/{id}/approval."
    assert list(place.desk.glob("*corrections*")) == []
    place.stores.feedback.approve("demo", "f1", "lead", NOW)
    place.export()
    place.stores.feedback.withdraw("demo", "f1", "lead", NOW)
    place.export()
    assert place.rows() == place.rows("corrections-cases.jsonl") == []
    assert read_desk(place.desk).history[-1].file == "history.jsonl"


def test_of_one_ticket_the_newest_word_on_each_field_counts(place: Place) -> None:
    def later(number: int, **changes: Any) -> None:
        place.add(replace(SAID, id=f"f{number}", created_at=NOW + timedelta(minutes=number), **changes))

    later(1, fields={"team": "books", "category": "reports"})
    later(2, fields={"team": "frontline"}, final_text="Second.")
    later(3, fields={}, verdict="rejected", final_text=None, suggestion_id="s2")
    place.export()
    (row,) = place.rows()
    assert row["labels"] == {"priority": "high", "team": "frontline", "category": "reports"}
    assert row["reply"] == "Second."
    later(4, fields={}, verdict="rejected", final_text=None)
    place.export()
    assert ("reply" in place.rows()[0], place.rows()[0]["resolved"]) == (False, False)


def test_an_agent_teaches_the_newest_so_many_and_the_rest_is_told(place: Place) -> None:
    for number in range(5):
        for agent in ("Ann", "Bob", None):
            id = f"{agent}-{number}"
            at = NOW + timedelta(minutes=number)
            said = replace(SAID, id=id, suggestion_id=id, ticket_id=id, agent=agent, created_at=at)
            place.add(said)
    told = place.export(per_agent=2)
    assert sorted(row["id"] for row in place.rows()) == sorted(
        f"{agent}-{n}" for agent in ("Ann", "Bob", None) for n in (3, 4)
    )
    assert "Left out: 3 older ones of Ann, who has more than 2 (--per-agent)" in told.splitlines()
    assert "Left out: 3 older ones of key k1, who has more than 2 (--per-agent)" in told.splitlines()
    with pytest.raises(DataCommandError, match="--per-agent"):
        place.export(per_agent=0)


def test_a_draft_with_a_wrong_fact_becomes_a_case_that_expects_a_person(place: Place) -> None:
    place.add(replace(SAID, verdict="rejected", final_text=None, fields={}, reason="wrong_fact: it is 90"))
    place.add(replace(SAID, id="f2", suggestion_id="s2", ticket_id="T-2", fields={"category": "vat"}))
    told = place.export()
    taxonomy = read_desk(place.desk).rules.taxonomy
    first, second = load_cases(place.desk / "corrections-cases.jsonl", taxonomy, ())
    assert (first.slice["mistake"], first.expect["handoff"]) == ("wrong_fact", True)
    assert (second.slice["mistake"], "handoff" in second.expect) == ("decided_wrong", False)
    assert "Dangerous mistakes: 2 of the cases (slice mistake=…)" in told.splitlines()


def test_dangerous_mistakes_beyond_the_newest_become_cases_and_teach_no_build(place: Place) -> None:
    for number in range(7):
        id = f"f{number}"
        said = replace(SAID, id=id, suggestion_id=id, ticket_id=id, created_at=NOW + timedelta(minutes=number))
        place.add(replace(said, verdict="rejected", final_text=None, reason="wrong_fact") if number < 4 else said)
    told = place.export(per_agent=2)
    assert [row["id"] for row in place.rows()] == ["f5", "f6"]
    cases = place.rows("corrections-cases.jsonl")
    assert [(row["ticket"]["id"], row["slice"].get("mistake")) for row in cases] == [
        ("f2", "wrong_fact"),
        ("f3", "wrong_fact"),
        ("f5", None),
        ("f6", None),
    ]
    line = "Dangerous mistakes: 2 of the cases (slice mistake=…); 2 of their words are older than those"
    assert line in told.splitlines()


def test_the_same_export_again_changes_nothing_and_says_so(place: Place) -> None:
    for number in range(4):
        place.add(replace(SAID, id=f"f{number}", suggestion_id=f"s{number}", ticket_id=f"T-{number}"))
    place.export()
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.desk.iterdir() if path.is_file()}
    assert "(unchanged)" in place.export()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_a_file_that_somebody_edited_is_kept_unless_it_may_go(place: Place) -> None:
    place.add(SAID)
    place.export()
    path = place.desk / "corrections.jsonl"
    edited = path.read_text().replace("books", "banking")
    path.write_text(edited)
    place.add(replace(SAID, id="f2", created_at=NOW + timedelta(hours=1), fields={"category": "reports"}))
    with pytest.raises(DataCommandError, match=r"corrections\.jsonl was changed by hand.*--replace"):
        place.export()
    assert path.read_text() == edited
    assert "category" not in (place.desk / "corrections-cases.jsonl").read_text()
    place.export(replace=True)
    assert place.rows()[0]["labels"]["team"] == "books"


def test_a_file_that_no_export_wrote_is_kept(place: Place) -> None:
    place.add(SAID)
    (place.desk / "corrections.jsonl").write_text("")
    with pytest.raises(DataCommandError, match="not written by an export"):
        place.export()


def test_another_folder_takes_the_files_and_the_desk_stays_as_it_is(place: Place, tmp_path: Path) -> None:
    place.add(SAID)
    place.export(out=tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder" / "corrections.jsonl").is_file()
    assert list(place.desk.glob("*corrections*")) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(DataCommandError, match="name another folder"):
        place.export(out=tmp_path / "file")


def test_what_cannot_be_used_any_more_is_left_out_and_told(place: Place) -> None:
    place.add(replace(SAID, fields={"team": "gone-team", "category": "reports"}))
    place.add(replace(SAID, id="f2", suggestion_id="s2"))
    long = Ticket(id="T-3", body="x", messages=tuple(Message(author="agent", text="y" * 199_999) for _ in range(6)))
    place.add(replace(SAID, id="f3", suggestion_id="s3", ticket_id="T-3"), long)
    with place.stores.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM suggestions WHERE id = 's2'")
    told = place.export().splitlines()
    assert [row["id"] for row in place.rows()] == ["T-1"]
    assert "Left out: 1 piece of feedback whose suggestion was removed" in told
    assert "Left out: 1 label that the desk no longer has" in told
    assert "Left out: 2 rows longer than 1 MB" in told


def test_an_erasure_takes_masked_rows_out_and_the_next_export_goes_on(place: Place, tmp_path: Path) -> None:
    place.add(SAID)
    place.add(replace(SAID, id="f2", suggestion_id="s2", ticket_id="T-2"), Ticket(id="T-2", body="other"))
    place.export()
    home = DeskHome("demo", place.desk, tmp_path / "var")
    done = erase_requester(place.stores.database, home, Requester(id="c-77"), ErasureOrder(NOW, files=True))
    assert done.rows == {"corrections.jsonl": 1, "corrections-cases.jsonl": 1}
    assert [row["id"] for row in place.rows()] == ["T-2"]
    assert "(unchanged)" in place.export()
