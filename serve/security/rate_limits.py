"""How many requests a key may make in a minute, over all workers and processes.

A minute is one of the clock. A worker takes several requests at a time from the key's budget, in one short write, and
hands them out from memory: most requests cost no database at all. Each such lease is a part of the budget that nobody
else has, so all workers together never hand out more than the budget for a minute.
"""

import logging
import math
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from sqlalchemy import delete, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from serve.errors import RateLimited
from serve.security.keys import Caller
from serve.storage.database import Database
from serve.storage.tables import rate_windows

log = logging.getLogger("firstline.serve")

#: Requests a minute for a key that has no number of its own.
PER_MINUTE = 6_000
#: Seconds.
MINUTE = 60
#: A worker's first lease of a minute is the budget divided by this: workers that see few requests hold little back.
FIRST_SHARE = 100
#: Every later one is what was left, divided by this.
NEXT_SHARE = 10
#: While the database takes no writes, a worker hands out the budget divided by this on its own account.
ALONE_SHARE = 10
#: Seconds until a database that took no write is asked again.
ASK_AGAIN = 10
#: Minutes for which windows are kept: the clocks of workers may be that far apart.
KEPT = 60

#: One statement, so that no two workers are ever given the same part. `taken` may run past the budget.
TAKE = text(
    "INSERT INTO rate_windows (key_id, minute, taken) VALUES (:key_id, :minute, :wanted) "
    "ON CONFLICT (key_id, minute) DO UPDATE SET taken = rate_windows.taken + excluded.taken RETURNING taken"
)


@dataclass(frozen=True, slots=True)
class Rate:
    """Where a key stands: requests a minute, how many are left of this one (as far as this worker knows), and for how
    many seconds it lasts, 1 to 60.
    """

    per_minute: int
    left: int
    seconds: int


@dataclass(slots=True)
class _Window:
    """What a worker has of one key's minute.

    lease: requests that it may hand out; left: what nobody had taken when it last asked, None before; alone: whether it
    has handed out on its own account; closed_until: seconds since 1970, before which it does not ask again.
    """

    lock: Lock = field(default_factory=Lock)
    lease: int = 0
    left: int | None = None
    alone: bool = False
    closed_until: float = -math.inf


class RateLimiter:
    """Budgets by key, one for each minute. Safe from many threads; one is made for each process.

    While the database takes no writes (a full disk, a lock held elsewhere), each worker hands out a tenth of the budget
    of the minute on its own account: what needs no write goes on, with a limit. The sum over the workers is exact again
    from the next minute on that the database takes part in.
    """

    def __init__(self, database: Database, per_minute: int = PER_MINUTE) -> None:
        self._database, self._per_minute = database, per_minute
        self._windows: dict[tuple[str, int], _Window] = {}
        self._lock = Lock()
        self._newest = self._swept = 0

    def take(self, caller: Caller, now: datetime) -> Rate:
        """Take one request from the budget of the caller's key for this minute; raise `RateLimited` where it is spent.

        Nothing but the key counts. Of 6,000 requests in a minute, fewer than a hundred wait for a write.
        """
        budget = self.budget(caller)
        moment = now.timestamp()
        minute, second = divmod(math.floor(moment), MINUTE)
        window = self._windows.get((caller.key_id, minute)) or self._window(caller.key_id, minute)
        with window.lock:
            if window.lease == 0 and moment >= window.closed_until:
                self._ask(window, caller.key_id, budget, moment)
            if window.lease == 0:
                raise _spent(budget, min(MINUTE - second, math.ceil(window.closed_until - moment)))
            window.lease -= 1
            return Rate(budget, window.lease + (window.left or 0), MINUTE - second)

    def budget(self, caller: Caller) -> int:
        """Return how many requests a minute a caller's key has."""
        return self._per_minute if caller.per_minute is None else caller.per_minute

    def _window(self, key_id: str, minute: int) -> _Window:
        with self._lock:
            # Requests of the minute before may still come. A clock that was set back starts anew.
            if not self._newest - 1 <= minute <= self._newest:
                self._newest = minute
                self._windows = {at: window for at, window in self._windows.items() if abs(at[1] - minute) <= 1}
            return self._windows.setdefault((key_id, minute), _Window())

    def _ask(self, window: _Window, key_id: str, budget: int, moment: float) -> None:
        """Take a lease; where none can be had, note until when nobody needs to ask."""
        minute = math.floor(moment) // MINUTE
        wanted = max(1, budget // FIRST_SHARE if window.left is None else window.left // NEXT_SHARE)
        try:
            taken = self._take(key_id, minute, wanted)
        except (OperationalError, PoolTimeout) as error:
            log.warning("requests of key %s are counted by this worker alone: %s", key_id, error.__class__.__name__)
            window.lease = 0 if window.alone else max(1, budget // ALONE_SHARE)
            window.alone, window.closed_until = True, moment + ASK_AGAIN
            return
        window.lease = granted(budget, taken, wanted)
        window.left = max(0, budget - taken)
        if window.lease == 0:
            window.closed_until = (minute + 1) * MINUTE

    def _take(self, key_id: str, minute: int, wanted: int) -> int:
        """Add to what is taken of a window, and return the sum; at times remove windows that are over."""
        sweeps = abs(minute - self._swept) >= KEPT
        with self._database.writing() as connection:
            if sweeps:
                connection.execute(delete(rate_windows).where(rate_windows.c.minute < minute - KEPT))
            row = {"key_id": key_id, "minute": minute, "wanted": wanted}
            taken: int = connection.execute(TAKE, row).scalar_one()
        if sweeps:
            self._swept = minute
        return taken


def granted(budget: int, taken: int, wanted: int) -> int:
    """Return how much of a lease is within the budget, 0 to wanted; taken: the sum of all leases with this one.

    Leases lie end to end, from 0 on: what of them is below the budget adds up to the budget at most.
    """
    return min(wanted, max(0, budget - (taken - wanted)))


def _spent(budget: int, seconds: int) -> RateLimited:
    return RateLimited(
        f"This key may make {budget:,} requests a minute and has none left; try again in {seconds} seconds.", seconds
    )
