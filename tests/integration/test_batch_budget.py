"""A batch is as many requests of its key's budget as it has tickets."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from two_desks import LATER, NOW, TwoDesks, two_desks

from serve.security.keys import KeyOptions, new_key

TICKET = {"subject": "Printer", "body": "It prints nothing."}


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("budget")) as made:
        # One minute for ever: no budget is filled up amid a test.
        made.client.app.state.services = replace(made.services, now=lambda: NOW)  # type: ignore[attr-defined]
        yield made


def key_for(desks: TwoDesks, per_minute: int) -> str:
    key = new_key()
    desks.services.keys.add(key, "demo", ["triage"], NOW, LATER, KeyOptions(per_minute=per_minute))
    return key


def test_each_ticket_counts(desks: TwoDesks) -> None:
    key = key_for(desks, 10)
    answer = desks.call("demo", "POST", "/v1/triage/batch", {"tickets": [TICKET] * 6}, key)
    assert (answer.status_code, len(answer.json()["items"])) == (200, 6)
    assert ";r=4;" in answer.headers["RateLimit"]
    spent = desks.call("demo", "POST", "/v1/triage/batch", {"tickets": [TICKET] * 6}, key)
    assert (spent.status_code, spent.json()["code"]) == (429, "rate_limited")
    assert int(spent.headers["Retry-After"]) >= 1


def test_a_batch_that_no_minute_has_room_for_is_told_so(desks: TwoDesks) -> None:
    answer = desks.call("demo", "POST", "/v1/triage/batch", {"tickets": [TICKET] * 6}, key_for(desks, 5))
    assert answer.status_code == 422
    assert "fewer at a time" in answer.json()["detail"]
