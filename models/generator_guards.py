"""What stands between a ticket and a language model: retries, a circuit breaker, a token budget, a bounded line.

Each guard is a `TextGenerator` around another one, and keeps one promise: nothing waits past the request's deadline, a
failing endpoint is left alone, a period costs no more than was granted, and so many requests run at once and no more.
`guarded` puts them in the order that makes sense. The numbers of a guard are this process's own: they start at nothing
with it, and other workers have theirs.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from models.errors import (
    GeneratorAnswerError,
    GeneratorBudgetError,
    GeneratorRefusedError,
    GeneratorTimeoutError,
    GeneratorUnavailableError,
)
from models.protocols import GenerationRequest, GenerationResult, TextGenerator

#: Bytes of UTF-8 that make a token, at the least that is usual: an estimate made with it is rather too high.
BYTES_PER_TOKEN = 3
#: Tokens that an endpoint adds around the two texts of a request.
FRAME_TOKENS = 16
#: A retry waits up to this many seconds, the one after it up to twice as many.
RETRY_SECONDS = 0.5

#: What counts against a model. An error of other kinds says something about the request, or about a guard.
FAILURES = (GeneratorUnavailableError, GeneratorTimeoutError, GeneratorAnswerError)

Outcome = Literal["answered", "failed", "undecided"]
Clock = Callable[[], float]
Sleep = Callable[[float], None]
#: Returns a number from 0 up to 1, 1 left out.
Chance = Callable[[], float]


@dataclass(frozen=True)
class GuardSettings:
    """How much a language model may be used.

    retries: further tries after a failure that may pass. failures: in a row, after which the model is left alone for
    open_seconds. tokens_per_period: in and out together, None for no limit; a period is counted from the clock's zero,
    so that 86,400 seconds on the clock of the system is a day in UTC. at_once: requests that run; waiting: those that
    may stand in line, for wait_seconds at most.
    """

    retries: int = 2
    failures: int = 5
    open_seconds: float = 30.0
    tokens_per_period: int | None = None
    period_seconds: float = 86_400.0
    at_once: int = 4
    waiting: int = 4
    wait_seconds: float = 1.0

    def __post_init__(self) -> None:
        counts = (self.failures, self.at_once, 1 if self.tokens_per_period is None else self.tokens_per_period)
        seconds = (self.retries, self.waiting, self.wait_seconds, self.open_seconds)
        if min(counts) < 1 or min(seconds) < 0 or self.period_seconds <= 0:
            raise ValueError("failures, at_once, tokens and the period must be above 0, the other settings at least 0")


def guarded(
    generator: TextGenerator,
    settings: GuardSettings,
    chance: Chance,
    sleep: Sleep = time.sleep,
    clock: Clock = time.monotonic,
    calendar: Clock = time.time,
) -> TextGenerator:
    """Return the generator with all guards: line, then retries, each of which asks breaker and budget again.

    chance: draws the length of pauses. clock: counts seconds. calendar: says which period it is.
    """
    if settings.tokens_per_period is not None:
        budget = TokenBudget(settings.tokens_per_period, settings.period_seconds, calendar)
        generator = BudgetedGenerator(generator, budget)
    generator = BreakerGenerator(generator, settings.failures, settings.open_seconds, clock)
    generator = RetryingGenerator(generator, settings.retries, chance, sleep, clock)
    return BoundedGenerator(generator, settings.at_once, settings.waiting, settings.wait_seconds, clock)


# --- retries


def retry_pause(attempt: int, retry_after: float | None, draw: float) -> float:
    """Return the seconds to wait after a failed try: a share of 0.5, 1, 2 …, and never less than the endpoint asks for.

    attempt: 0 after the first try. draw: from 0 to 1, so that callers who failed together do not return together.
    """
    return (retry_after or 0.0) + RETRY_SECONDS * 2.0**attempt * draw


class RetryingGenerator:
    """Tries again where the failure may pass, as long as the deadline leaves time for the pause and a try."""

    def __init__(self, inner: TextGenerator, retries: int, chance: Chance, sleep: Sleep, clock: Clock) -> None:
        self._inner, self._retries = inner, retries
        self._chance, self._sleep, self._clock = chance, sleep, clock
        self.identity = inner.identity

    def generate(self, request: GenerationRequest) -> GenerationResult:
        """Return the first answer; raise what the last try raised."""
        end = self._clock() + request.deadline_seconds
        attempt, left = 0, request.deadline_seconds
        while True:
            try:
                return self._inner.generate(replace(request, deadline_seconds=left))
            except GeneratorUnavailableError as error:
                pause = retry_pause(attempt, error.retry_after, self._chance())
                if attempt >= self._retries or self._clock() + pause >= end:
                    raise
            self._sleep(pause)
            attempt += 1
            if (left := end - self._clock()) <= 0:
                raise GeneratorTimeoutError(f"{self.identity}: the deadline passed while waiting for another try")


# --- circuit breaker


@dataclass(frozen=True)
class Breaker:
    """The state of a circuit breaker. Closed while `opened_at` is None; open after it, and half-open some time later.

    failed: failures in a row while closed. opened_at: when it opened last. is_trying: the one call that a half-open
    breaker lets through is under way. epoch: how often it has opened or closed; a call reports with the epoch that it
    began in, and a call of an earlier one has nothing to say.
    """

    failed: int = 0
    opened_at: float | None = None
    is_trying: bool = False
    epoch: int = 0

    def wait(self, now: float, open_seconds: float) -> float:
        """Return the seconds until a call may pass: 0 where it may now."""
        if self.opened_at is None:
            return 0.0
        return max(0.0, self.opened_at + open_seconds - now)

    def begun(self) -> "Breaker":
        """Return the state after a call has passed."""
        return self if self.opened_at is None else replace(self, is_trying=True)

    def ended(self, outcome: Outcome, epoch: int, now: float, failures: int) -> "Breaker":
        """Return the state after a call of this epoch has ended.

        It opens after so many failures in a row, or one that was a trial; an answer closes it; after a call that tells
        nothing of the model, the next one may try.
        """
        if epoch != self.epoch:
            return self
        if outcome == "answered":
            return Breaker(epoch=self.epoch + (self.opened_at is not None))
        if outcome == "undecided":
            return replace(self, is_trying=False)
        if self.opened_at is None and self.failed + 1 < failures:
            return replace(self, failed=self.failed + 1)
        return Breaker(opened_at=now, epoch=self.epoch + 1)


class BreakerGenerator:
    """Leaves a model alone that has failed several times in a row, then lets one call try.

    A failure is a model that is not reached, runs out of time or gives no usable text. A request that the endpoint
    turns away is none: it says something about the request.
    """

    def __init__(self, inner: TextGenerator, failures: int, open_seconds: float, clock: Clock) -> None:
        self._inner, self._failures, self._open_seconds, self._clock = inner, failures, open_seconds, clock
        self._state, self._lock = Breaker(), threading.Lock()
        self.identity = inner.identity

    @property
    def state(self) -> Breaker:
        """The state now, to look at."""
        return self._state

    def generate(self, request: GenerationRequest) -> GenerationResult:
        """Return the answer; raise `GeneratorRefusedError` at once while the model is left alone."""
        with self._lock:
            wait = self._state.wait(self._clock(), self._open_seconds)
            if wait or self._state.is_trying:
                raise GeneratorRefusedError(
                    f"{self.identity}: failed {self._failures} times in a row and is left alone; "
                    f"tried again in {wait:.0f} s"
                )
            self._state = self._state.begun()
            epoch = self._state.epoch
        outcome: Outcome = "undecided"
        try:
            result = self._inner.generate(request)
            if request.accept is not None:
                request.accept(result.text)
            outcome = "answered"
        except FAILURES:
            outcome = "failed"
            raise
        finally:
            with self._lock:
                self._state = self._state.ended(outcome, epoch, self._clock(), self._failures)
        return result


# --- token budget


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text has, rather too many than too few."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def estimate_request(request: GenerationRequest) -> int:
    """Return about how many tokens a request costs before a word is answered."""
    return estimate_tokens(request.system) + estimate_tokens(request.user) + FRAME_TOKENS


class TokenBudget:
    """Counts tokens by period: what is granted, taken, and given back. Safe from many threads."""

    def __init__(self, tokens: int, period_seconds: float, calendar: Clock) -> None:
        self._tokens, self._seconds, self._calendar = tokens, period_seconds, calendar
        self._period, self._spent, self._lock = 0, 0, threading.Lock()

    @property
    def left(self) -> int:
        """Tokens that may still be taken in this period."""
        with self._lock:
            self._turn()
            return max(0, self._tokens - self._spent)

    def take(self, tokens: int) -> int | None:
        """Take tokens; return the period that they were taken from, or None where so many are not left."""
        with self._lock:
            self._turn()
            if self._spent + tokens > self._tokens:
                return None
            self._spent += tokens
            return self._period

    def settle(self, period: int, taken: int, used: int) -> None:
        """Count what was used instead of what was taken, in the period that it was taken from."""
        with self._lock:
            self._turn()
            if period == self._period:
                self._spent += used - taken

    def _turn(self) -> None:
        # A clock that was set back does not open a period again that has been paid for.
        period = int(self._calendar() // self._seconds)
        if period > self._period:
            self._period, self._spent = period, 0


class BudgetedGenerator:
    """Turns requests away that the period's tokens may not pay for.

    What a request can cost at most is taken before the call, so that calls at the same time cannot overdraw together;
    what it did cost is settled after it. A call that ran out of time or gave no usable text keeps its price: nobody
    knows what was written. One that never reached a model costs nothing.
    """

    def __init__(self, inner: TextGenerator, budget: TokenBudget) -> None:
        self._inner, self._budget = inner, budget
        self.identity = inner.identity

    def generate(self, request: GenerationRequest) -> GenerationResult:
        """Return the answer; raise `GeneratorBudgetError` before the call where the tokens do not suffice."""
        price = estimate_request(request) + request.max_tokens
        period = self._budget.take(price)
        if period is None:
            raise GeneratorBudgetError(
                f"{self.identity}: the tokens of this period do not suffice for the request ({price} at most); "
                "wait for the next one or raise tokens_per_period"
            )
        used = 0
        try:
            result = self._inner.generate(request)
            used = result.tokens_in + result.tokens_out
        except (GeneratorTimeoutError, GeneratorAnswerError):
            used = price
            raise
        finally:
            self._budget.settle(period, price, used)
        return result


# --- bounded line


class BoundedGenerator:
    """Lets so many requests run at once, so many more wait for a short time, and turns the others away at once."""

    def __init__(
        self, inner: TextGenerator, at_once: int, waiting: int, wait_seconds: float, clock: Clock = time.monotonic
    ) -> None:
        self._inner, self._wait_seconds, self._clock = inner, wait_seconds, clock
        self._inside = threading.BoundedSemaphore(at_once + waiting)
        self._running = threading.BoundedSemaphore(at_once)
        self.identity = inner.identity

    def generate(self, request: GenerationRequest) -> GenerationResult:
        """Return the answer; raise `GeneratorRefusedError` where the line is full or does not move."""
        end = self._clock() + request.deadline_seconds
        with self._held(self._inside, 0), self._held(self._running, min(self._wait_seconds, request.deadline_seconds)):
            if (left := end - self._clock()) <= 0:
                raise GeneratorTimeoutError(f"{self.identity}: the deadline passed while waiting in line")
            return self._inner.generate(replace(request, deadline_seconds=left))

    @contextmanager
    def _held(self, places: threading.BoundedSemaphore, seconds: float) -> Iterator[None]:
        if not places.acquire(timeout=seconds):
            raise GeneratorRefusedError(f"{self.identity}: too many requests at once; go on without it, or try later")
        try:
            yield
        finally:
            places.release()
