"""How keys are found: malformed, unknown, run out, revoked."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from serve.security.keys import BELIEVED, KeyStore, new_key
from serve.storage.database import Database
from serve.storage.tables import api_keys

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
END = NOW + timedelta(days=1)


class Store:
    def __init__(self, folder: Path) -> None:
        self.database = Database.open(f"sqlite:///{folder / 'keys.db'}")
        self.seconds = 100.0
        self.keys = KeyStore(self.database, lambda: self.seconds)
        self.key = new_key()
        self.keys.add(self.key, "demo", ("triage",), NOW, END)

    def revoke(self) -> None:
        with self.database.writing() as connection:
            connection.execute(delete(api_keys))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_key_stands_for_its_desk_until_it_runs_out(store: Store) -> None:
    caller = store.keys.find(store.key, NOW)
    assert caller is not None
    assert (caller.desk, caller.scopes) == ("demo", frozenset({"triage"}))
    assert store.keys.find(store.key, END - timedelta(seconds=1)) == caller
    assert store.keys.find(store.key, END) is None


def test_a_key_that_is_unknown_or_mistyped_is_nobody(store: Store) -> None:
    assert store.keys.find(new_key(), NOW) is None
    assert store.keys.find(store.key[:-1], NOW) is None
    assert store.keys.find("", NOW) is None


def test_a_revoked_key_is_refused_within_a_second(store: Store) -> None:
    assert store.keys.find(store.key, NOW) is not None
    store.revoke()
    store.seconds += BELIEVED - 0.01
    assert store.keys.find(store.key, NOW) is not None
    store.seconds += 0.01
    assert store.keys.find(store.key, NOW) is None
    assert BELIEVED < 1


def test_a_key_that_was_not_there_is_found_as_soon_as_it_is(store: Store) -> None:
    late = new_key()
    assert store.keys.find(late, NOW) is None
    store.keys.add(late, "demo", ("suggest",), NOW, END)
    assert store.keys.find(late, NOW) is not None
