"""Gauges of what nobody counts as it happens: set about once a second, in each process."""

import time
from collections.abc import Callable

from models.micro_batch import MicroBatcher
from serve import metrics
from serve.served_desk import ServedDesk
from serve.services import Services


class Gauges:
    """Sets the gauges of one process. Safe from threads: a follower tells of looks, the event loop sets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._start = clock, clock()
        self._looked_at: dict[str, float] = {}

    def looked_at(self, desk: ServedDesk) -> None:
        """Note that a desk has just been found, or brought, up to date."""
        self._looked_at[desk.id] = self._clock()

    def lag(self, desk: str) -> float:
        """Return for how many seconds nobody has seen that a desk is up to date."""
        return self._clock() - self._looked_at.get(desk, self._start)

    def set(self, services: Services) -> None:
        """Set generation, knowledge and the encoders' queues."""
        waiting: dict[int, int] = {}
        for desk in services.desks:
            engine = services.engine(desk)
            metrics.set_generation(desk, engine.versions.generation, services.desks[desk].refuses_current)
            metrics.set_knowledge(desk, engine.versions.knowledge_revision, self.lag(desk))
            if isinstance(engine.encoder, MicroBatcher):  # desks may share it
                waiting[id(engine.encoder)] = engine.encoder.waiting
        metrics.set_encoder_waiting(sum(waiting.values()))
