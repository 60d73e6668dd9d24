"""The budget of a key: never more than it in a minute, whoever asks, from however many workers, by whatever clock."""

import logging
import math
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from serve.errors import RateLimited
from serve.security.keys import Caller
from serve.security.rate_limits import ALONE_SHARE, ASK_AGAIN, KEPT, PER_MINUTE, RateLimiter, granted
from serve.storage.database import Database
from serve.storage.tables import rate_windows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
#: Two of these run at a time; each asks until it is told that nothing is left.
HAMMER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from serve.errors import RateLimited
from serve.security.keys import Caller
from serve.security.rate_limits import RateLimiter
from serve.storage.database import Database
limits, caller = RateLimiter(Database.open(sys.argv[1])), Caller("k", "demo", frozenset(), int(sys.argv[2]))
now = datetime.fromisoformat(sys.argv[3])
def allowed(_):
    taken = 0
    while True:
        try:
            limits.take(caller, now)
        except RateLimited:
            return taken
        taken += 1
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(4) as threads:
    print(sum(threads.map(allowed, range(4))))
"""


def caller_of(per_minute: int | None, key_id: str = "k") -> Caller:
    return Caller(key_id, "demo", frozenset({"triage"}), per_minute)


def allowed(limits: RateLimiter, caller: Caller, now: datetime, asked: int) -> int:
    taken = 0
    for _ in range(asked):
        try:
            limits.take(caller, now)
        except RateLimited:
            continue
        taken += 1
    return taken


def minute_of(now: datetime) -> int:
    return math.floor(now.timestamp() / 60)


def taken_in(database: Database) -> dict[tuple[str, int], int]:
    with database.reading() as connection:
        return {(row.key_id, row.minute): row.taken for row in connection.execute(select(rate_windows))}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "limits.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{file}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path_factory.mktemp('limits') / 'shared.db'}")
    yield opened
    opened.close()


@pytest.fixture
def locked(database: Database, file: Path) -> Iterator[Callable[[], None]]:
    """Another connection's write lock; returns what gives it back."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield other.rollback
    other.close()


@pytest.mark.parametrize("budget", [1, 2, 9, 10, 11, 250, 6_000])
def test_one_worker_hands_out_the_whole_budget_and_not_one_more(database: Database, budget: int) -> None:
    limits, caller = RateLimiter(database), caller_of(budget)
    assert allowed(limits, caller, NOON, budget + 50) == budget
    assert allowed(limits, caller, NOON + timedelta(seconds=59.99), 50) == 0
    assert allowed(limits, caller, NOON + timedelta(seconds=60), budget + 50) == budget


fresh_keys = count()
#: Around the ends of minutes, and as far apart as clocks may be.
seconds = st.sampled_from([-61.0, -60.0, -0.001, 0.0, 30.5, 59.999, 60.0, 61.0]) | st.floats(-KEPT * 30, KEPT * 30)


@settings(max_examples=60, deadline=None)
@given(
    budget=st.integers(1, 15) | st.integers(100, 600),
    workers=st.integers(1, 5),
    asks=st.lists(st.tuples(st.integers(0, 4), seconds, st.integers(1, 20) | st.integers(50, 600)), max_size=15),
)
def test_no_interleaving_of_workers_and_clocks_hands_out_more_than_the_budget(
    shared: Database, budget: int, workers: int, asks: list[tuple[int, float, int]]
) -> None:
    limiters, caller = [RateLimiter(shared) for _ in range(workers)], caller_of(budget, f"k{next(fresh_keys)}")
    given_out: Counter[int] = Counter()
    for worker, second, asked in asks:
        now = NOON + timedelta(seconds=second)
        given_out[minute_of(now)] += allowed(limiters[worker % workers], caller, now, asked)
    assert max(given_out.values(), default=0) <= budget


def test_a_late_request_of_the_minute_before_takes_nothing_from_this_one(database: Database) -> None:
    limits, caller, before = RateLimiter(database), caller_of(1_000), NOON - timedelta(seconds=0.1)
    assert allowed(limits, caller, before, 1_000) == 1_000
    limits.take(caller, NOON)
    assert allowed(limits, caller, before, 5) == 0
    assert limits.take(caller, NOON).left == 998
    assert taken_in(database)["k", minute_of(NOON)] == 10


@given(st.integers(0, 50), st.lists(st.integers(1, 20)))
def test_leases_that_lie_end_to_end_add_up_to_the_budget_at_most(budget: int, wanted: list[int]) -> None:
    taken, leases = 0, []
    for lease in wanted:
        taken += lease
        leases.append(granted(budget, taken, lease))
        assert 0 <= leases[-1] <= lease
    assert sum(leases) == min(budget, taken)


def test_two_processes_that_hammer_one_file_share_one_budget(database: Database, file: Path, project: Path) -> None:
    command = [sys.executable, "-c", HAMMER, f"sqlite:///{file}", "1000", NOON.isoformat()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": project}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sum(int(process.communicate(timeout=60)[0]) for process in processes) == 1000


def test_many_threads_of_two_workers_share_one_budget_on_either_database(database_url: str) -> None:
    database = Database.open(database_url)
    limiters, caller = [RateLimiter(database) for _ in range(2)], caller_of(300)
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda number: allowed(limiters[number % 2], caller, NOON, 300), range(8))
        assert sum(found) == 300
    database.close()


def test_requests_that_come_at_once_wait_for_one_lease(database: Database, locked: Callable[[], None]) -> None:
    limits, caller = RateLimiter(database), caller_of(1_000)
    with ThreadPoolExecutor(4) as threads:
        rates = [threads.submit(limits.take, caller, NOON) for _ in range(4)]
        time.sleep(0.1)
        locked()
        assert sorted(rate.result().left for rate in rates) == [996, 997, 998, 999]
    assert taken_in(database) == {("k", minute_of(NOON)): 10}


def test_a_request_costs_the_database_nothing_most_of_the_time(database: Database) -> None:
    limits, caller = RateLimiter(database), caller_of(6_000)
    sums = set()
    for _ in range(6_000):
        limits.take(caller, NOON)
        sums.add(taken_in(database)["k", minute_of(NOON)])
    assert len(sums) < 100


def test_a_flood_past_the_budget_costs_the_database_nothing(database: Database) -> None:
    limits, caller = RateLimiter(database), caller_of(20)
    assert allowed(limits, caller, NOON, 25) == 20
    before = taken_in(database)
    assert allowed(limits, caller, NOON + timedelta(seconds=1), 2_000) == 0
    assert taken_in(database) == before


def test_a_worker_that_sees_few_requests_holds_little_back(database: Database) -> None:
    caller = caller_of(1_000)
    for _ in range(15):
        RateLimiter(database).take(caller, NOON)
    assert allowed(RateLimiter(database), caller, NOON, 1_000) == 850


def test_who_is_over_the_budget_is_told_for_how_long(database: Database) -> None:
    limits, caller = RateLimiter(database), caller_of(1)
    rate = limits.take(caller, NOON + timedelta(seconds=13.5))
    assert (rate.per_minute, rate.left, rate.seconds) == (1, 0, 47)
    with pytest.raises(RateLimited, match="1 requests a minute and has none left; try again in 47 seconds") as caught:
        limits.take(caller, NOON + timedelta(seconds=13.5))
    assert caught.value.retry_after == 47
    with pytest.raises(RateLimited) as caught:
        limits.take(caller, NOON + timedelta(seconds=59.999))
    assert caught.value.retry_after == 1


def test_what_is_left_is_told_exactly_to_a_single_worker(database: Database) -> None:
    limits, caller = RateLimiter(database), caller_of(200)
    assert [limits.take(caller, NOON).left for _ in range(200)] == list(range(199, -1, -1))


def test_a_key_without_a_number_has_the_usual_budget(database: Database) -> None:
    assert RateLimiter(database).take(caller_of(None), NOON).per_minute == PER_MINUTE == 6_000
    assert RateLimiter(database, 5).take(caller_of(None, "other"), NOON).left == 4


def test_windows_that_are_over_are_removed_at_times(database: Database) -> None:
    limits, last = RateLimiter(database), 5 * KEPT
    for minute in range(last):
        limits.take(caller_of(10, f"k{minute % 3}"), NOON + timedelta(minutes=minute))
    minutes = [minute for _, minute in taken_in(database)]
    assert len(minutes) <= 2 * KEPT + 1
    assert max(minutes) - min(minutes) <= 2 * KEPT
    assert len(limits._windows) <= 2


def test_while_the_database_takes_no_writes_a_worker_counts_alone(
    database: Database, locked: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    limits, caller = RateLimiter(database), caller_of(1_000)
    with database._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")  # there is no need to wait for the lock for long
    caplog.set_level(logging.WARNING, "firstline.serve")
    assert allowed(limits, caller, NOON, 1_000) == 1_000 // ALONE_SHARE
    assert "requests of key k are counted by this worker alone: OperationalError" in caplog.text
    with pytest.raises(RateLimited) as caught:
        limits.take(caller, NOON + timedelta(seconds=4))
    assert caught.value.retry_after == ASK_AGAIN - 4
    assert allowed(limits, caller, NOON + timedelta(seconds=ASK_AGAIN), 1_000) == 0, "its own share comes once"
    locked()
    assert allowed(limits, caller, NOON + timedelta(seconds=2 * ASK_AGAIN), 2_000) == 1_000
