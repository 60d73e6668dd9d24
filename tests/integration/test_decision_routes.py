"""Decisions over HTTP: the record, and the same decision made again after the world has changed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from two_desks import LATER, NOW, TwoDesks, two_desks

from serve.security.keys import new_key
from serve.storage.tables import suggestions

TICKET = {
    "id": "T-7",
    "subject": "New phone, codes gone",
    "body": "No codes in the app on my new phone. How do I move them?",
    "created_at": "2026-11-20T10:00:00Z",
    "requester": {"id": "c-7", "name": "Jo Bun", "tags": ["gold"]},
    "set_fields": {"team": "trust"},
}


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("decisions")) as made:
        yield made


def suggest(desks: TwoDesks, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = desks.call("demo", "POST", "/v1/suggestions", TICKET | more).json()
    return made


def replayed(desks: TwoDesks, id: str, key: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = desks.call("demo", "POST", f"/v1/decisions/{id}/replay", key=key).json()
    return told


def test_the_record_shows_what_went_in_and_what_came_out(desks: TwoDesks) -> None:
    made = suggest(desks)
    record = desks.call("demo", "GET", f"/v1/decisions/{made['id']}").json()
    assert record["suggestion"] == made
    assert (record["step"], record["ticket"]["id"], record["ticket"]["set_fields"]) == (
        "suggest",
        "T-7",
        {"team": "trust"},
    )
    assert record["vectors"]["count"] in (1, 2)
    assert record["clock"]


@pytest.mark.parametrize("path", ["/v1/suggestions", "/v1/triage?store=true"])
def test_the_same_comes_out_again_after_edits_compaction_and_other_tickets(desks: TwoDesks, path: str) -> None:
    made = desks.call("demo", "POST", path, TICKET | {"id": "T-8"}).json()
    for number in range(3):
        suggest(desks, id=f"T-8{number}")
    article = {"title": "New phone", "markdown": "Codes move to a new phone by magic.", "audience": "public"}
    desks.call("demo", "PUT", "/v1/articles/phone", article | {"status": "published"})
    desk = desks.services.desks["demo"]
    desk.refresh()
    assert replayed(desks, made["id"]) == {"id": made["id"], "same": True, "differences": [], "notes": []}
    desk.compacted(NOW)
    desk.refresh()
    assert desk.engine.versions.generation != made["versions"]["generation"]
    assert replayed(desks, made["id"])["same"]


def test_repeats_and_values_of_then_count_and_not_those_of_now(desks: TwoDesks) -> None:
    suggest(desks, id="T-90")
    made = suggest(desks, id="T-91")
    assert made["history"]["repeat_of"]
    desks.call("demo", "PUT", "/v1/tickets/T-91", TICKET | {"id": "T-91", "set_fields": {"team": "billing_ops"}})
    desks.call("demo", "DELETE", "/v1/requesters/nobody")
    assert replayed(desks, made["id"])["same"]


def test_a_record_that_was_changed_is_told_apart(desks: TwoDesks) -> None:
    made = suggest(desks, id="T-92")
    with desks.services.stores.database.writing() as connection:
        row = connection.execute(select(suggestions).where(suggestions.c.id == made["id"])).one()
        told = json.loads(row.suggestion)
        told["language"] = "de"
        change = update(suggestions).where(suggestions.c.id == made["id"])
        connection.execute(change.values(suggestion=json.dumps(told)))
    found = replayed(desks, made["id"])
    assert not found["same"]
    assert found["differences"] == [{"at": "language", "recorded": "de", "replayed": "en"}]


def test_a_generation_that_is_gone_is_named(desks: TwoDesks) -> None:
    made = suggest(desks, id="T-93")
    with desks.services.stores.database.writing() as connection:
        row = connection.execute(select(suggestions).where(suggestions.c.id == made["id"])).one()
        told = json.loads(row.suggestion)
        told["versions"]["generation"] = "000099"
        change = update(suggestions).where(suggestions.c.id == made["id"])
        connection.execute(change.values(suggestion=json.dumps(told)))
    found = replayed(desks, made["id"])
    assert (found["same"], found["notes"]) == (False, ["generation 000099 of desk demo is no longer there"])


def test_a_generation_that_was_purged_is_named(desks: TwoDesks) -> None:
    made, desk = suggest(desks, id="T-95"), desks.services.desks["demo"]
    desk.compacted(NOW)
    desk.refresh()
    desk._generations.purge(1)
    gone = made["versions"]["generation"]
    assert gone != desk.engine.versions.generation
    desk._earlier = {}  # as in a process that has not looked back yet
    found = replayed(desks, made["id"])
    assert (found["same"], found["notes"]) == (False, [f"generation {gone} of desk demo is no longer there"])
    assert desks.call("demo", "GET", f"/v1/decisions/{made['id']}").json()["suggestion"] == made


@pytest.mark.parametrize("file", ["articles.faiss", "manifest.json"])
def test_a_generation_that_is_damaged_is_named_without_its_folder(desks: TwoDesks, file: str) -> None:
    made, desk = suggest(desks, id="T-96"), desks.services.desks["demo"]
    desk.compacted(NOW)
    desk.refresh()
    desk._earlier = {}
    damaged = desk._generations.root / made["versions"]["generation"] / file
    assert damaged.is_file()
    damaged.write_bytes(b"damaged")
    found = replayed(desks, made["id"])
    assert not found["same"]
    assert made["versions"]["generation"] in found["notes"][0]
    assert str(desk.place.var) not in found["notes"][0]


def test_a_generation_whose_encoder_is_gone_is_named(desks: TwoDesks) -> None:
    made, desk = suggest(desks, id="T-98"), desks.services.desks["demo"]
    desk.compacted(NOW)
    desk.refresh()
    desk._earlier = {}
    manifest = desk._generations.root / made["versions"]["generation"] / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["encoder"]["identity"] = "openvino-int8-0-demo"
    manifest.write_text(json.dumps(told), encoding="utf-8")
    found = replayed(desks, made["id"])
    assert not found["same"]
    assert "openvino-int8-0-demo" in found["notes"][0]
    assert str(desk.place.var) not in found["notes"][0]


def test_a_decision_that_nobody_made_is_not_found(desks: TwoDesks) -> None:
    for method, path in (("GET", "/v1/decisions/none"), ("POST", "/v1/decisions/none/replay")):
        answer = desks.call("demo", method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_differences_show_no_internal_article_to_a_key_without_internal(desks: TwoDesks) -> None:
    made = suggest(desks, id="T-97", body="Kestrel payments arrive without the reference")
    told = next(hit for hit in made["articles"] if hit["audience"] == "internal")
    told["passage"], told["title"] = "Pay the wombats first.", "Of wombats"
    with desks.services.stores.database.writing() as connection:
        change = update(suggestions).where(suggestions.c.id == made["id"])
        connection.execute(change.values(suggestion=json.dumps(made)))
    assert [one["at"].rpartition(".")[2] for one in replayed(desks, made["id"])["differences"]] == ["title", "passage"]
    key = new_key()
    desks.services.keys.add(key, "demo", ["suggest"], NOW, LATER)
    found = replayed(desks, made["id"], key)
    assert (found["same"], found["differences"]) == (False, [])
    assert "ombats" not in desks.call("demo", "GET", f"/v1/decisions/{made['id']}", key=key).text


def test_a_key_without_internal_sees_no_internal_article(desks: TwoDesks) -> None:
    made = suggest(desks, id="T-94", body="Kestrel payments arrive without the reference")
    assert "internal" in {hit["audience"] for hit in made["articles"]}
    key = new_key()
    desks.services.keys.add(key, "demo", ["suggest"], NOW, LATER)
    record = desks.call("demo", "GET", f"/v1/decisions/{made['id']}", key=key).json()
    assert {hit["audience"] for hit in record["suggestion"]["articles"]} <= {"public"}
    assert replayed(desks, made["id"], key)["same"]
