"""Answers by Idempotency-Key, on SQLite and on a real PostgreSQL: who begins, who waits, who takes over."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, insert, select

from serve.storage.database import Database
from serve.storage.idempotency_store import KEPT, LEASE, SWEPT, Claim, Found, IdempotencyStore, Kept
from serve.storage.tables import idempotency_keys

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIRST = Claim("demo", "key1", "event-1", "f" * 64, "first", NOON)
ANSWER = Kept(201, (("content-type", "application/json"), ("etag", '"1"')), '{"a":"ä😀"}\0'.encode())


def later(seconds: float, **changes: str) -> Claim:
    return replace(FIRST, owner="later", now=NOON + timedelta(seconds=seconds), **changes)  # type: ignore[arg-type]


def test_the_first_begins_and_the_next_ones_are_told_of_it(store: IdempotencyStore) -> None:
    assert store.begin(FIRST) is None
    assert store.begin(later(1)) == Found(FIRST.fingerprint, None)
    assert store.begin(later(1, fingerprint="0" * 64)) == Found(FIRST.fingerprint, None)


def test_an_answer_comes_back_byte_by_byte(store: IdempotencyStore) -> None:
    store.begin(FIRST)
    store.finish(FIRST, ANSWER)
    assert store.begin(later(1)) == Found(FIRST.fingerprint, ANSWER)
    assert store.begin(later(KEPT.total_seconds())) == Found(FIRST.fingerprint, ANSWER)


def test_an_answer_may_be_empty(store: IdempotencyStore) -> None:
    store.begin(FIRST)
    store.finish(FIRST, Kept(204))
    assert store.begin(later(1)) == Found(FIRST.fingerprint, Kept(204))


@pytest.mark.parametrize("other", [{"key": "event-2"}, {"key": "Event-1"}, {"key_id": "key2"}, {"key": "e" * 255}])
def test_another_key_or_caller_is_another_matter(store: IdempotencyStore, other: dict[str, str]) -> None:
    store.begin(FIRST)
    store.finish(FIRST, ANSWER)
    assert store.begin(later(0, **other)) is None


def test_what_was_given_up_may_be_tried_by_anybody(store: IdempotencyStore) -> None:
    store.begin(FIRST)
    store.give_up(FIRST)
    other = later(0, fingerprint="0" * 64)
    assert store.begin(other) is None
    assert store.begin(FIRST) == Found(other.fingerprint, None)


def test_a_try_that_died_is_taken_over_once_its_lease_is_out(store: IdempotencyStore) -> None:
    store.begin(FIRST)
    span = LEASE.total_seconds()
    assert store.begin(later(span - 0.001)) == Found(FIRST.fingerprint, None)
    second = later(span)
    assert store.begin(second) is None
    assert store.begin(later(2 * span - 0.001)) == Found(FIRST.fingerprint, None)
    # The first was not dead but slow: its end changes nothing any more.
    store.give_up(FIRST)
    store.finish(FIRST, Kept(500))
    assert store.begin(later(span + 1)) == Found(FIRST.fingerprint, None)
    store.finish(second, ANSWER)
    store.finish(FIRST, Kept(500))
    store.give_up(FIRST)
    assert store.begin(later(span + 2)) == Found(FIRST.fingerprint, ANSWER)


def test_an_answer_that_was_given_does_not_change(store: IdempotencyStore) -> None:
    store.begin(FIRST)
    store.finish(FIRST, ANSWER)
    store.finish(FIRST, Kept(500))
    store.give_up(FIRST)
    assert store.begin(later(1)) == Found(FIRST.fingerprint, ANSWER)


def test_after_a_day_the_key_is_new(store: IdempotencyStore) -> None:
    store.begin(FIRST)
    store.finish(FIRST, ANSWER)
    tomorrow = later(KEPT.total_seconds() + 0.001, fingerprint="0" * 64)
    assert store.begin(tomorrow) is None
    assert store.begin(tomorrow) == Found("0" * 64, None)


def test_old_rows_go_some_with_each_new_one(store: IdempotencyStore, database: Database) -> None:
    old = {"desk": "other", "key_id": "k", "fingerprint": "f", "owner": "o", "locked_until": NOON}
    ages = [timedelta(hours=25)] * (SWEPT + 5) + [timedelta(hours=23)] * 3
    rows = [old | {"idempotency_key": str(n), "created_at": NOON - age} for n, age in enumerate(ages)]
    with database.writing() as connection:
        connection.execute(insert(idempotency_keys), rows)
    assert count(database) == SWEPT + 8
    store.begin(FIRST)
    assert count(database) == 5 + 3 + 1
    store.begin(later(0))  # a look takes nothing away
    assert count(database) == 5 + 3 + 1
    store.begin(later(0, key="event-2"))
    assert count(database) == 3 + 2


def test_of_a_hundred_at_once_one_begins(store: IdempotencyStore) -> None:
    found = at_once([replace(FIRST, owner=str(number)) for number in range(100)], store)
    assert Counter(found) == {None: 1, Found(FIRST.fingerprint, None): 99}


def test_of_a_hundred_that_take_over_at_once_one_does(store: IdempotencyStore) -> None:
    store.begin(FIRST)
    found = at_once([replace(later(60), owner=str(number)) for number in range(100)], store)
    assert Counter(found) == {None: 1, Found(FIRST.fingerprint, None): 99}


def test_many_that_sweep_at_once_do_not_stand_in_each_other_s_way(store: IdempotencyStore, database: Database) -> None:
    old = {"desk": "demo", "key_id": "key1", "fingerprint": "f", "owner": "o", "locked_until": NOON}
    long_ago = NOON - 2 * KEPT
    with database.writing() as connection:
        rows = [old | {"idempotency_key": str(number), "created_at": long_ago} for number in range(200)]
        connection.execute(insert(idempotency_keys), rows)
    # Each claims an old row again while the others sweep: in both directions, so that locks would cross.
    order = [*range(0, 200, 2), *range(199, 0, -2)]
    claims = [replace(FIRST, key=str(number), owner=f"new {number}") for number in order]
    assert at_once(claims, store) == [None] * 200
    with database.reading() as connection:
        owners = connection.execute(select(idempotency_keys.c.owner)).scalars().all()
    assert sorted(owners) == sorted(claim.owner for claim in claims)


def at_once(claims: list[Claim], store: IdempotencyStore) -> list[Found | None]:
    """Begin them all, eight at a time, the first eight together."""
    barrier = Barrier(8)

    def begin(numbered: tuple[int, Claim]) -> Found | None:
        if numbered[0] < barrier.parties:
            barrier.wait(10)
        return store.begin(numbered[1])

    with ThreadPoolExecutor(barrier.parties) as threads:
        return list(threads.map(begin, enumerate(claims)))


def count(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(idempotency_keys)).scalar_one()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> IdempotencyStore:
    return IdempotencyStore(database)
