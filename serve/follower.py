"""A thread that keeps every desk of this process up to date: new generations, and what changed in the knowledge."""

import logging
import threading
from collections.abc import Callable, Sequence

from serve.served_desk import ServedDesk

log = logging.getLogger("firstline.serve")

#: Seconds between two looks; a change must show within one.
INTERVAL = 0.25


class Follower:
    """Looks at every desk in turn until it is stopped. What goes wrong is logged once, and tried again."""

    def __init__(
        self,
        desks: Sequence[ServedDesk],
        after: Callable[[ServedDesk], None] = lambda desk: None,
        interval: float = INTERVAL,
    ) -> None:
        """after: is called with each desk after every look, in the same thread."""
        self._desks, self._after, self._interval = desks, after, interval
        self._stopping = threading.Event()
        self._failed: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is being looked at is finished first."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            for desk in self._desks:
                self._look(desk)

    def _look(self, desk: ServedDesk) -> None:
        try:
            desk.refresh()
            self._after(desk)
        except Exception as error:
            name = type(error).__name__
            if self._failed.get(desk.id) != name:
                log.error("desk %s cannot be brought up to date: %s", desk.id, name)
            self._failed[desk.id] = name
        else:
            if self._failed.pop(desk.id, ""):
                log.warning("desk %s is up to date again", desk.id)
