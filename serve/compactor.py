"""Builds a desk's indexes anew once too much of its knowledge has changed: one process at a time, beside serving."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from serve.served_desk import ServedDesk
from serve.storage.leases import Leases

log = logging.getLogger("firstline.serve")

#: A process that has not finished by then is taken for dead, and another one begins.
LEASE = timedelta(minutes=30)
#: What failed is not tried again at once, and not by every process in turn: it may take all of a core.
PAUSE = timedelta(minutes=1)


class Compactor:
    """Compacts desks that need it, each in a thread of its own; who holds the desk's lease does, the others wait."""

    def __init__(self, leases: Leases, owner: str, now: Callable[[], datetime]) -> None:
        """owner: names this process, unlike any other."""
        self._leases, self._owner, self._now = leases, owner, now
        self._running: dict[str, threading.Thread] = {}
        self._not_before: dict[str, datetime] = {}

    def look_at(self, desk: ServedDesk) -> None:
        """Begin to compact a desk where that is due and nobody does."""
        thread = self._running.get(desk.id)
        if not (desk.live.needs_compaction and desk.serves_current) or (thread is not None and thread.is_alive()):
            return
        if desk.id in self._not_before and self._now() < self._not_before[desk.id]:
            return
        if self._leases.take(desk.id, self._owner, self._now(), LEASE):
            thread = threading.Thread(target=self._compact, args=(desk,), name=f"compact-{desk.id}", daemon=True)
            self._running[desk.id] = thread
            thread.start()

    def stop(self) -> None:
        """Wait for what was begun: a generation is published whole or not at all, but a lease should be given back."""
        for thread in self._running.values():
            thread.join()

    def _compact(self, desk: ServedDesk) -> None:
        try:
            made = desk.compacted(self._now())
            log.info("desk %s: generation %s is compacted", desk.id, made.name)
        except Exception as error:
            log.error("desk %s could not be compacted: %s", desk.id, type(error).__name__)
            self._not_before[desk.id] = self._now() + PAUSE
        finally:
            self._leases.give_back(desk.id, self._owner)
