"""Retries keep the deadline, a failing model is left alone, no period is overdrawn, no line grows without end."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import (
    GeneratorAnswerError,
    GeneratorBudgetError,
    GeneratorError,
    GeneratorRefusedError,
    GeneratorSettingsError,
    GeneratorTimeoutError,
    GeneratorUnavailableError,
)
from models.generator_guards import (
    BoundedGenerator,
    BreakerGenerator,
    BudgetedGenerator,
    GuardSettings,
    RetryingGenerator,
    TokenBudget,
    estimate_request,
    estimate_tokens,
    guarded,
    retry_pause,
)
from models.protocols import GenerationRequest, GenerationResult, TextGenerator
from models.scripted_generator import ScriptedGenerator

ASK = GenerationRequest("Be brief.", "Where is my parcel?", max_tokens=20, deadline_seconds=20)
DEADLINE = 30


@dataclass
class Clock:
    """A clock that only moves when somebody sleeps, or a test says so."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Faulty:
    """Raises the errors it is given, one per call, then answers; each call takes some time on the clock."""

    identity = "faulty"

    def __init__(self, clock: Clock, errors: Iterable[GeneratorError | None] = (), takes: float = 0.0) -> None:
        self._clock, self._errors, self._takes = clock, iter(errors), takes
        self.seen: list[GenerationRequest] = []

    def generate(self, request: GenerationRequest) -> GenerationResult:
        self.seen.append(request)
        self._clock.now += self._takes
        if error := next(self._errors, None):
            raise error
        return GenerationResult("fine", 10, 5, self.identity)


def down(seconds: float | None = None) -> GeneratorUnavailableError:
    return GeneratorUnavailableError("down", seconds)


# --- retries


def retrying(inner: TextGenerator, clock: Clock, draw: float = 0.5) -> RetryingGenerator:
    return RetryingGenerator(inner, 2, lambda: draw, clock.sleep, clock)


def test_two_further_tries_are_made_and_the_last_error_is_raised() -> None:
    clock = Clock()
    model = Faulty(clock, [down(), down()])
    assert retrying(model, clock).generate(ASK).text == "fine"
    assert clock.slept == [0.25, 0.5]
    last = down()
    model = Faulty(clock, [down(), down(), last])
    with pytest.raises(GeneratorUnavailableError) as caught:
        retrying(model, clock).generate(ASK)
    assert caught.value is last
    assert len(model.seen) == 3


@pytest.mark.parametrize(
    "kind", [GeneratorTimeoutError, GeneratorAnswerError, GeneratorRefusedError, GeneratorBudgetError]
)
def test_what_a_retry_cannot_mend_is_not_retried(kind: type[GeneratorError]) -> None:
    clock = Clock()
    model = Faulty(clock, [kind("no")])
    with pytest.raises(kind):
        retrying(model, clock).generate(ASK)
    assert len(model.seen) == 1


def test_each_try_gets_what_is_left_of_the_deadline() -> None:
    clock = Clock()
    model = Faulty(clock, [down(), down(3)], takes=2)
    retrying(model, clock, draw=0).generate(ASK)
    assert [request.deadline_seconds for request in model.seen] == [20, 18, 13]
    assert {request.user for request in model.seen} == {ASK.user}


def test_the_endpoints_own_pause_is_kept_where_the_deadline_allows_it() -> None:
    clock = Clock()
    assert retrying(Faulty(clock, [down(7)]), clock).generate(ASK)
    assert clock.slept == [7.25]
    model = Faulty(clock, [down(19.9)])
    with pytest.raises(GeneratorUnavailableError):
        retrying(model, clock).generate(ASK)
    assert clock.slept == [7.25]  # nobody waits for a try that would come too late
    assert len(model.seen) == 1


@given(st.integers(0, 5), st.none() | st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_shorter_than_asked_and_grows_twofold(attempt: int, asked: float | None, draw: float) -> None:
    pause = retry_pause(attempt, asked, draw)
    assert (asked or 0) <= pause <= (asked or 0) + 0.5 * 2**attempt


@given(st.lists(st.floats(0, 30), max_size=3), st.floats(0, 8), st.floats(0.1, 20))
def test_no_pause_outlasts_the_deadline(asked: list[float], takes: float, deadline: float) -> None:
    clock = Clock()
    start = clock.now
    model = Faulty(clock, [down(seconds) for seconds in asked], takes)
    request = GenerationRequest("", "x", deadline_seconds=deadline)
    with suppress(GeneratorError):
        retrying(model, clock).generate(request)
    # A model that keeps its own deadline is the only thing that may still run.
    assert clock.now - start <= deadline + takes + 1e-6
    assert all(request.deadline_seconds > 0 for request in model.seen)


# --- circuit breaker


def test_it_opens_after_five_failures_in_a_row_and_lets_one_try_after_thirty_seconds() -> None:
    clock = Clock()
    model = Faulty(clock, [down(), down(), None, *[down()] * 6])
    breaker = BreakerGenerator(model, 5, 30, clock)
    outcomes = [outcome(breaker) for _ in range(9)]
    assert outcomes == ["down", "down", "fine", "down", "down", "down", "down", "down", "refused"]
    assert len(model.seen) == 8
    clock.now += 29.9
    assert outcome(breaker) == "refused"
    clock.now += 0.1
    assert outcome(breaker) == "down"  # the trial fails: another thirty seconds
    assert outcome(breaker) == "refused"
    clock.now += 30
    assert [outcome(breaker) for _ in range(3)] == ["fine"] * 3


def outcome(generator: TextGenerator) -> str:
    try:
        return generator.generate(ASK).text
    except GeneratorRefusedError:
        return "refused"
    except GeneratorError as error:
        return str(error)


def test_the_refusal_says_when_it_will_be_tried_again() -> None:
    clock = Clock()
    breaker = BreakerGenerator(Faulty(clock, [down()]), 1, 30, clock)
    outcome(breaker)
    clock.now += 10
    with pytest.raises(GeneratorRefusedError, match=r"faulty.*left alone.*in 20 s"):
        breaker.generate(ASK)


def test_what_is_wrong_with_a_request_does_not_open_it() -> None:
    clock = Clock()
    errors = [GeneratorRefusedError("a"), GeneratorBudgetError("b"), GeneratorSettingsError("c")] * 5
    breaker = BreakerGenerator(Faulty(clock, errors), 5, 30, clock)
    for _ in errors:
        outcome(breaker)
    assert outcome(breaker) == "fine"


def test_a_refused_trial_leaves_the_next_call_to_try() -> None:
    clock = Clock()
    breaker = BreakerGenerator(Faulty(clock, [down(), GeneratorRefusedError("no")]), 1, 30, clock)
    outcome(breaker)
    clock.now += 30
    assert [outcome(breaker), outcome(breaker)] == ["refused", "fine"]


class Held:
    """Answers once it is let go; counts how many are inside."""

    identity = "held"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside, self.most, self.calls = 0, 0, 0
        self._lock = threading.Lock()
        self.error: GeneratorError | None = None

    def generate(self, request: GenerationRequest) -> GenerationResult:
        with self._lock:
            self.inside += 1
            self.calls += 1
            self.most = max(self.most, self.inside)
        try:
            assert self.open.wait(DEADLINE)
            if self.error:
                raise self.error
            return GenerationResult("fine", 1, 1, self.identity)
        finally:
            with self._lock:
                self.inside -= 1


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


def test_only_one_call_tries_while_the_others_are_refused() -> None:
    clock, model = Clock(), Held()
    breaker = BreakerGenerator(model, 1, 30, clock)
    model.error = down()
    model.open.set()
    outcome(breaker)
    clock.now += 30
    model.open.clear()
    model.error = None
    with ThreadPoolExecutor(1) as pool:
        trial: Future[str] = pool.submit(outcome, breaker)
        until(lambda: model.inside == 1)
        assert [outcome(breaker) for _ in range(5)] == ["refused"] * 5
        model.open.set()
        assert trial.result(DEADLINE) == "fine"
    assert outcome(breaker) == "fine"


def test_a_call_from_before_it_opened_has_nothing_to_say() -> None:
    clock, slow = Clock(), Held()

    class Both:
        identity = "both"
        is_slow = True

        def generate(self, request: GenerationRequest) -> GenerationResult:
            if self.is_slow:
                return slow.generate(request)
            raise down()

    model = Both()
    breaker = BreakerGenerator(model, 2, 30, clock)
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(outcome, breaker)
        until(lambda: slow.inside == 1)
        model.is_slow = False
        assert [outcome(breaker) for _ in range(3)] == ["down", "down", "refused"]
        slow.open.set()
        assert old.result(DEADLINE) == "fine"
    assert outcome(breaker) == "refused"


steps = st.lists(st.sampled_from(["down", "fine", "refused"]) | st.floats(0, 40), max_size=60)


@given(steps, st.integers(1, 6))
def test_an_open_breaker_never_calls_and_a_closed_one_always_does(steps: list[str | float], failures: int) -> None:
    clock = Clock()
    errors = {"down": down(), "fine": None, "refused": GeneratorRefusedError("no")}
    model = Faulty(clock, (errors[step] for step in steps if isinstance(step, str)))
    breaker = BreakerGenerator(model, failures, 30, clock)
    in_a_row, opened = 0, None
    planned = [step for step in steps if isinstance(step, str)]
    for step in steps:
        if not isinstance(step, str):
            clock.now += step
            continue
        before = len(model.seen)
        outcome(breaker)
        called = len(model.seen) > before
        assert called == (opened is None or clock.now >= opened + 30)
        if called:
            told = planned[len(model.seen) - 1]
            if told == "down":
                in_a_row += 1
                if opened is not None or in_a_row >= failures:
                    opened = clock.now
            elif told == "fine":
                in_a_row, opened = 0, None


# --- token budget


def test_a_period_is_never_overdrawn_and_the_next_one_begins_afresh() -> None:
    clock = Clock(0.0)
    price = estimate_request(ASK) + ASK.max_tokens
    budget = TokenBudget(price + 20, 86_400, clock)
    model = Faulty(clock)
    generator = BudgetedGenerator(model, budget)
    generator.generate(ASK)
    assert budget.left == price + 5  # 15 tokens were used
    generator.generate(ASK)
    with pytest.raises(GeneratorBudgetError, match="tokens_per_period"):
        generator.generate(ASK)
    assert len(model.seen) == 2
    clock.now = 86_399
    with pytest.raises(GeneratorBudgetError):
        generator.generate(ASK)
    clock.now = 86_400
    assert generator.generate(ASK)
    clock.now = 0  # a clock that is set back opens nothing again
    assert budget.left == price + 5


@pytest.mark.parametrize(
    ("error", "costs"),
    [
        (GeneratorTimeoutError("late"), True),
        (GeneratorAnswerError("odd"), True),
        (down(), False),
        (GeneratorRefusedError("no"), False),
    ],
)
def test_what_may_have_been_written_is_paid_for(error: GeneratorError, costs: bool) -> None:
    clock = Clock()
    budget = TokenBudget(10_000, 60, clock)
    with pytest.raises(GeneratorError):
        BudgetedGenerator(Faulty(clock, [error]), budget).generate(ASK)
    assert budget.left == 10_000 - costs * (estimate_request(ASK) + ASK.max_tokens)


def test_calls_at_the_same_time_cannot_overdraw_together() -> None:
    price = estimate_request(ASK) + ASK.max_tokens
    model = Held()
    generator = BudgetedGenerator(model, TokenBudget(3 * price, 60, Clock()))
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(outcome, generator) for _ in range(8)]
        until(lambda: sum(call.done() for call in calls) == 5)
        model.open.set()
    assert sorted(call.result() for call in calls) == ["fine"] * 3 + ["refused"] * 5
    assert model.calls == 3


def test_a_call_that_ends_in_another_period_is_not_counted_in_it() -> None:
    clock = Clock(0.0)
    budget = TokenBudget(1_000, 60, clock)
    BudgetedGenerator(Faulty(clock, takes=61), budget).generate(ASK)
    assert budget.left == 1_000


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(0, 30)), max_size=40))
def test_what_is_left_and_what_was_used_make_up_the_grant(calls: list[tuple[int, int, float]]) -> None:
    clock = Clock(0.0)
    budget = TokenBudget(200, 60, clock)
    used, period = 0, 0
    for taken, spent, seconds in calls:
        clock.now += seconds
        if int(clock.now // 60) != period:
            used, period = 0, int(clock.now // 60)
        got = budget.take(taken)
        assert (got is None) == (used + taken > 200)
        if got is not None:
            budget.settle(got, taken, spent)
            used += spent
        assert budget.left == max(0, 200 - used)


@given(st.text())
def test_an_estimate_is_not_below_one_token_for_four_characters(text: str) -> None:
    assert len(text) / 4 <= estimate_tokens(text) <= len(text.encode()) / 3 + 1


# --- bounded line


def test_so_many_run_so_many_wait_and_the_rest_is_turned_away_at_once() -> None:
    model = Held()
    generator = BoundedGenerator(model, at_once=2, waiting=3, wait_seconds=DEADLINE)
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(outcome, generator) for _ in range(12)]
        until(lambda: sum(call.done() for call in calls) == 7)
        assert model.inside == 2
        model.open.set()
    assert sorted(call.result() for call in calls) == ["fine"] * 5 + ["refused"] * 7
    assert model.most == 2
    assert outcome(generator) == "fine"


def test_nobody_waits_longer_than_allowed_and_places_are_given_back() -> None:
    model = Held()
    generator = BoundedGenerator(model, at_once=1, waiting=4, wait_seconds=0.1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(outcome, generator)
        until(lambda: model.inside == 1)
        start = time.monotonic()
        with pytest.raises(GeneratorRefusedError, match="too many requests"):
            generator.generate(ASK)
        assert 0.1 <= time.monotonic() - start < 2
        model.open.set()
        assert first.result() == "fine"
    model.error = down()
    assert [outcome(generator) for _ in range(9)] == ["down"] * 9


def test_time_in_line_comes_off_the_deadline() -> None:
    clock = Clock()

    class Late(Faulty):
        def generate(self, request: GenerationRequest) -> GenerationResult:
            assert request.deadline_seconds == 20
            return super().generate(request)

    assert BoundedGenerator(Late(clock), 1, 0, 0, clock).generate(ASK)


# --- all together


def test_all_guards_around_a_model_that_is_down() -> None:
    clock = Clock(86_400.0)
    model = Faulty(clock, [down()] * 100)
    settings = GuardSettings(tokens_per_period=1_000)
    generator = guarded(model, settings, lambda: 0.5, clock.sleep, clock, clock)
    assert generator.identity == "faulty"
    assert [outcome(generator) for _ in range(4)] == ["down", "refused", "refused", "refused"]
    assert len(model.seen) == 5  # three tries, two tries, then it is left alone


def test_a_budget_that_is_spent_neither_retries_nor_opens_the_breaker() -> None:
    clock = Clock(86_400.0)
    model = ScriptedGenerator(lambda request: "a" * 30)
    generator = guarded(model, GuardSettings(tokens_per_period=80), lambda: 0.5, clock.sleep, clock, clock)
    found = [outcome(generator) for _ in range(12)]
    assert found[0] == "a" * 30
    assert set(found[-8:]) == {"refused"}
    assert clock.slept == []
    clock.now += 86_400
    assert outcome(generator) == "a" * 30


@pytest.mark.parametrize(
    "wrong",
    [
        *({"failures": 0}, {"at_once": 0}, {"tokens_per_period": 0}, {"period_seconds": 0}),
        *({"retries": -1}, {"waiting": -1}, {"open_seconds": -1}, {"wait_seconds": -0.1}),
    ],
)
def test_settings_without_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        GuardSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"max_tokens": 0}, {"schema": "[]"}, {"schema": "no"}),
        *({"deadline_seconds": 0}, {"deadline_seconds": float("nan")}, {"deadline_seconds": float("inf")}),
    ],
)
def test_a_request_without_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"generation|JSON|Expecting"):
        GenerationRequest("a", "b", **wrong)  # type: ignore[arg-type]


def test_neither_request_nor_result_shows_its_words() -> None:
    assert "parcel" not in repr(ASK)
    assert "secret words" not in repr(GenerationResult("secret words", 1, 1, "x"))
