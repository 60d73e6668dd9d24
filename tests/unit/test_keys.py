"""How keys are found (malformed, unknown, run out, revoked), and the commands that make, list and revoke them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serve.errors import KeyCommandError
from serve.keys_command import KeyChoices, create_key, list_keys, revoke_key
from serve.security.keys import BELIEVED, DEFAULT_SCOPES, SCOPES, KeyStore, id_of, is_well_formed, new_key
from serve.storage.database import Database

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
END = NOW + timedelta(days=1)


class Store:
    def __init__(self, folder: Path) -> None:
        self.database = Database.open(f"sqlite:///{folder / 'keys.db'}")
        self.seconds = 100.0
        self.keys = KeyStore(self.database, lambda: self.seconds)
        self.key = new_key()
        self.keys.add(self.key, "demo", ("triage",), NOW, END)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'commands.db'}"


@pytest.fixture
def demo(project: Path) -> Path:
    return project / "desks" / "demo"


def test_a_key_stands_for_its_desk_until_it_runs_out(store: Store) -> None:
    caller = store.keys.find(store.key, NOW)
    assert caller is not None
    assert (caller.key_id, caller.desk, caller.scopes) == (id_of(store.key), "demo", frozenset({"triage"}))
    assert store.keys.find(store.key, END - timedelta(seconds=1)) == caller
    assert store.keys.find(store.key, END) is None


def test_a_key_that_is_unknown_or_mistyped_is_nobody(store: Store) -> None:
    assert store.keys.find(new_key(), NOW) is None
    assert store.keys.find(store.key[:-1], NOW) is None
    assert store.keys.find("", NOW) is None


def test_a_key_with_one_character_changed_is_malformed(store: Store) -> None:
    for place in range(len(store.key)):
        other = "0" if store.key[place] != "0" else "1"
        assert not is_well_formed(store.key[:place] + other + store.key[place + 1 :])


def test_a_revoked_key_is_refused_within_a_second_by_every_worker(store: Store) -> None:
    elsewhere = KeyStore(store.database, lambda: store.seconds)
    assert elsewhere.find(store.key, NOW) is not None
    assert store.keys.find(store.key, NOW) is not None
    assert store.keys.revoke("demo", id_of(store.key), NOW)
    assert store.keys.find(store.key, NOW) is None
    store.seconds += BELIEVED - 0.01
    assert elsewhere.find(store.key, NOW) is not None
    store.seconds += 0.01
    assert elsewhere.find(store.key, NOW) is None
    assert BELIEVED < 1


def test_a_key_that_was_not_there_is_found_as_soon_as_it_is(store: Store) -> None:
    late = new_key()
    assert store.keys.find(late, NOW) is None
    store.keys.add(late, "demo", ("suggest",), NOW, END)
    assert store.keys.find(late, NOW) is not None


def test_a_key_made_by_command_is_listed_and_revoked(demo: Path, url: str) -> None:
    choices = KeyChoices(("triage", "metrics"), 30, "Grafana", 90)
    key = create_key(demo, url, choices, NOW)
    listed = list_keys(demo, url, NOW)
    heading, row = listed.splitlines()
    assert heading.split()[:2] == ["id", "name"]
    assert row.split() == [id_of(key), "Grafana", "metrics", "triage", "90", "2026-11-20", "2026-12-20", "valid"]
    assert key not in listed
    assert id_of(key) in revoke_key(demo, url, id_of(key), NOW)
    assert list_keys(demo, url, NOW).splitlines()[1].endswith("revoked")


def test_a_leaked_key_is_revoked_by_itself_and_the_answer_does_not_repeat_it(demo: Path, url: str) -> None:
    key = create_key(demo, url, KeyChoices(), NOW)
    assert key not in revoke_key(demo, url, key, NOW)
    assert list_keys(demo, url, NOW).endswith("revoked")


def test_a_key_that_ran_out_says_so(demo: Path, url: str) -> None:
    create_key(demo, url, KeyChoices(days=1), NOW)
    assert list_keys(demo, url, NOW + timedelta(days=1)).endswith("expired")


def test_a_key_may_not_publish_or_administer_unless_asked_for(demo: Path, url: str) -> None:
    create_key(demo, url, KeyChoices(), NOW)
    row = list_keys(demo, url, NOW).splitlines()[1]
    assert " ".join(sorted(DEFAULT_SCOPES)) in row
    assert not {"admin", "metrics", "knowledge:write", "knowledge:publish"} & set(DEFAULT_SCOPES)
    assert set(DEFAULT_SCOPES) < set(SCOPES)


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        (KeyChoices(("triage", "king")), "unknown scope 'king'; use triage"),
        (KeyChoices(name="n" * 129), "128 characters at most"),
        (KeyChoices(name="Grafana\x1b[2J"), "must be one line"),
    ],
)
def test_what_a_key_cannot_be_is_one_sentence(demo: Path, url: str, choices: KeyChoices, problem: str) -> None:
    with pytest.raises(KeyCommandError, match=problem):
        create_key(demo, url, choices, NOW)


def test_an_unknown_key_cannot_be_revoked_and_is_not_repeated(demo: Path, url: str) -> None:
    unknown = new_key()
    with pytest.raises(KeyCommandError, match="has no such key") as caught:
        revoke_key(demo, url, unknown, NOW)
    assert unknown not in str(caught.value)
    assert "has no keys; make one with" in list_keys(demo, url, NOW)
