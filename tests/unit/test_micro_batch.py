"""Concurrent calls share a pass, each gets its own rows or its own error, and nobody waits for ever."""

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import EncoderError, EncoderFullError, WeightsError
from models.hashing_encoder import HashingEncoder
from models.micro_batch import SHORT, BatchStats, MicroBatcher, cut_by_size, size_of
from models.protocols import FloatArray, Progress, no_progress

#: Seconds after which a test fails rather than waits: never reached where the code is right.
DEADLINE = 30
PLAIN = HashingEncoder(32)


class Recorder:
    """A hashing encoder that writes down its batches, can be held, and fails or misbehaves for the texts it is told."""

    def __init__(self, faults: dict[str, BaseException] | None = None) -> None:
        self.identity, self.dimension = PLAIN.identity, PLAIN.dimension
        self.batches: list[list[str]] = []
        self.faults = faults or {}
        self.open = threading.Event()
        self.open.set()
        self._alone = threading.Lock()

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        assert self._alone.acquire(blocking=False), "two threads use the encoder"
        try:
            self.batches.append(list(texts))
            assert self.open.wait(DEADLINE)
            for text in texts:
                if text in self.faults:
                    raise self.faults[text]
            vectors = PLAIN.encode(texts)
            if "not a number" in texts:
                vectors[texts.index("not a number")] = np.nan
            return vectors[:-1] if "a row too few" in texts else vectors
        finally:
            self._alone.release()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as threads:
        yield threads


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


def queue(pool: ThreadPoolExecutor, batcher: MicroBatcher, *calls: list[str]) -> list[Future[FloatArray]]:
    """Queue calls in this order, behind whatever is held."""
    answers = []
    for texts in calls:
        before = batcher.stats().calls
        answers.append(pool.submit(batcher.encode, texts))
        until(lambda before=before: batcher.stats().calls > before)  # type: ignore[misc]
    return answers


def hold(pool: ThreadPoolExecutor, batcher: MicroBatcher, recorder: Recorder) -> Future[FloatArray]:
    """Start a pass that lasts until `recorder.open` is set."""
    recorder.open.clear()
    passes = len(recorder.batches)
    (answer,) = queue(pool, batcher, ["held"])
    until(lambda: len(recorder.batches) > passes)
    return answer


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "micro-batch"]


def assert_rows(answer: Future[FloatArray], texts: list[str]) -> None:
    vectors = answer.result(DEADLINE)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, PLAIN.encode(texts))


def error_of(answer: Future[FloatArray]) -> BaseException | None:
    return answer.exception(DEADLINE)


def test_calls_that_come_during_a_pass_share_the_next(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder) as batcher:
        held = hold(pool, batcher, recorder)
        answers = queue(pool, batcher, ["till"], ["vat", "stock"], ["till", "day"])
        recorder.open.set()
        assert_rows(held, ["held"])
        for answer, texts in zip(answers, (["till"], ["vat", "stock"], ["till", "day"]), strict=True):
            assert_rows(answer, texts)
    assert recorder.batches == [["held"], ["till", "vat", "stock", "day"]]
    assert batcher.stats() == BatchStats(passes=2, calls=4, texts=6, encoded=5, refused=0, failed=0)


def test_it_tells_how_many_calls_wait(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder) as batcher:
        assert batcher.waiting == 0
        hold(pool, batcher, recorder)
        assert batcher.waiting == 0
        answers = queue(pool, batcher, ["till"], ["vat"])
        assert batcher.waiting == 2
        recorder.open.set()
        for answer in answers:
            answer.result(DEADLINE)
        assert batcher.waiting == 0


def test_a_pass_takes_so_many_calls_in_the_order_they_came(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder, max_calls=2) as batcher:
        hold(pool, batcher, recorder)
        answers = queue(pool, batcher, *[[str(number)] for number in range(5)])
        recorder.open.set()
        for number, answer in enumerate(answers):
            assert_rows(answer, [str(number)])
    assert recorder.batches == [["held"], ["0", "1"], ["2", "3"], ["4"]]


def test_a_pass_takes_so_many_characters(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    long = "x" * 900
    with MicroBatcher(recorder, max_characters=1_000) as batcher:
        hold(pool, batcher, recorder)
        answers = queue(pool, batcher, ["a"], ["b", "c"], ["d"], [long], ["e"])
        recorder.open.set()
        assert_rows(answers[-1], ["e"])
    assert recorder.batches == [["held"], ["a", "b", "c"], ["d"], [long], ["e"]]


def test_a_large_call_lets_others_in_between(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    texts = [str(number) for number in range(10)]
    told: list[tuple[str, int, int]] = []
    with MicroBatcher(recorder, max_characters=4 * SHORT) as batcher:
        recorder.open.clear()
        large = pool.submit(batcher.encode, texts, lambda *step: told.append(step))
        until(lambda: len(recorder.batches) == 1)
        (small,) = queue(pool, batcher, ["small"])
        recorder.open.set()
        assert_rows(small, ["small"])
        assert_rows(large, texts)
    assert recorder.batches == [texts[:4], ["small"], texts[4:8], texts[8:]]
    assert told == [("encode", 4, 10), ("encode", 8, 10), ("encode", 10, 10)]
    assert batcher.stats() == BatchStats(passes=4, calls=2, texts=11, encoded=11)


def test_a_large_call_that_was_let_in_goes_on_when_the_queue_is_full(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()

    def fill_the_queue(step: str, done: int, total: int) -> None:
        if done == 1:
            hold(pool, batcher, recorder)
            queue(pool, batcher, ["waiting"])
            pool.submit(lambda: until(lambda: batcher.stats().texts == 4) or recorder.open.set())  # type: ignore[func-returns-value]

    with MicroBatcher(recorder, max_characters=SHORT, max_waiting=1) as batcher:
        assert_rows(pool.submit(batcher.encode, ["a", "b"], fill_the_queue), ["a", "b"])
    assert recorder.batches == [["a"], ["held"], ["waiting"], ["b"]]


def test_a_lone_call_waits_for_nobody() -> None:
    with MicroBatcher(Recorder(), max_wait=1_000_000) as batcher:
        assert np.array_equal(batcher.encode(["till"]), PLAIN.encode(["till"]))
        assert batcher.stats().passes == 1


def test_two_calls_wait_for_a_third(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder, max_calls=3, max_wait=1_000_000) as batcher:
        held = hold(pool, batcher, recorder)
        queue(pool, batcher, ["a"], ["b"])
        recorder.open.set()
        assert_rows(held, ["held"])
        (third,) = queue(pool, batcher, ["c"])
        assert_rows(third, ["c"])
    assert recorder.batches == [["held"], ["a", "b", "c"]]


def test_the_wait_for_company_ends(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder, max_calls=3, max_wait=0.01) as batcher:
        hold(pool, batcher, recorder)
        answers = queue(pool, batcher, ["a"], ["b"])
        recorder.open.set()
        assert_rows(answers[0], ["a"])
    assert recorder.batches == [["held"], ["a", "b"]]


TEXTS = st.sampled_from(["till", "vat", "stock", "day sheet", "", "x" * 300, "Grüße 1.234,50 €", "\ud83d"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(TEXTS, max_size=6), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(1, 4 * SHORT),
    st.sampled_from([0.0, 0.001]),
)
def test_every_caller_gets_its_rows_whatever_the_mix(
    calls: list[list[str]], max_calls: int, max_characters: int, max_wait: float
) -> None:
    recorder = Recorder()
    start = threading.Barrier(len(calls))

    def encode(texts: list[str]) -> FloatArray:
        start.wait(DEADLINE)
        return batcher.encode(texts)

    with MicroBatcher(recorder, max_calls, max_characters, max_wait=max_wait) as batcher:
        with ThreadPoolExecutor(len(calls)) as threads:
            answers = [threads.submit(encode, texts) for texts in calls]
        for answer, texts in zip(answers, calls, strict=True):
            assert_rows(answer, texts)
    for batch in recorder.batches:
        assert len(batch) == len(set(batch))
        assert len(batch) == 1 or sum(map(size_of, batch)) <= max_characters
    stats = batcher.stats()
    assert stats.passes == len(recorder.batches)
    assert stats.calls == sum(map(bool, calls))
    assert stats.texts == sum(map(len, calls))
    assert stats.encoded == sum(map(len, recorder.batches))


def test_two_hundred_threads_at_once() -> None:
    start = threading.Barrier(200)

    def encode(number: int) -> FloatArray:
        start.wait(DEADLINE)
        return batcher.encode([f"ticket {number}", f"ticket {number % 7}"])

    with MicroBatcher(Recorder()) as batcher, ThreadPoolExecutor(200) as threads:
        answers = [threads.submit(encode, number) for number in range(200)]
        for number, answer in enumerate(answers):
            assert_rows(answer, [f"ticket {number}", f"ticket {number % 7}"])
    assert batcher.stats().calls == 200
    assert batcher.stats().passes < 200


def test_no_texts_give_no_rows_and_queue_nowhere(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder, max_waiting=1) as batcher:
        hold(pool, batcher, recorder)
        queue(pool, batcher, ["waiting"])
        vectors = batcher.encode([])
        recorder.open.set()
    assert vectors.shape == (0, PLAIN.dimension)
    assert vectors.dtype == np.float32
    assert batcher.stats().calls == 2


def test_rows_are_the_callers_own(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder) as batcher:
        hold(pool, batcher, recorder)
        first, second = queue(pool, batcher, ["till"], ["till"])
        recorder.open.set()
        first.result(DEADLINE)[:] = 0
        assert_rows(second, ["till"])


def test_progress_is_told_of_the_callers_own_texts() -> None:
    told: list[tuple[str, int, int]] = []
    with MicroBatcher(Recorder()) as batcher:
        batcher.encode(["a", "b", "a"], lambda *step: told.append(step))
    assert told == [("encode", 3, 3)]


def test_identity_and_dimension_are_the_encoders() -> None:
    batcher = MicroBatcher(PLAIN)
    assert (batcher.identity, batcher.dimension) == ("hashing:32", 32)


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (WeightsError("the weights are gone; build again"), WeightsError, "the weights are gone; build again"),
        (RuntimeError("out of memory"), RuntimeError, "out of memory"),
        (SystemExit(3), EncoderError, "the encoder hashing:32 was stopped by SystemExit; send the texts again"),
        (GeneratorExit(), EncoderError, "the encoder hashing:32 was stopped by GeneratorExit; send the texts again"),
    ],
)
def test_only_the_guilty_call_fails(
    pool: ThreadPoolExecutor, fault: BaseException, kind: type[Exception], text: str
) -> None:
    recorder = Recorder({"poison": fault})
    with MicroBatcher(recorder) as batcher:
        hold(pool, batcher, recorder)
        calls = [["till"], ["vat", "poison"], ["stock"], ["poison"], ["day", "sheet"]]
        answers = queue(pool, batcher, *calls)
        recorder.open.set()
        for answer, texts in zip(answers, calls, strict=True):
            if "poison" in texts:
                assert type(error_of(answer)) is kind
                assert str(error_of(answer)) == text
            else:
                assert_rows(answer, texts)
        assert_rows(pool.submit(batcher.encode, ["after"]), ["after"])
    assert recorder.batches[2:] == [*calls, ["after"]]
    assert batcher.stats() == BatchStats(passes=8, calls=7, texts=9, encoded=15, failed=3)


@pytest.mark.parametrize("guilty", ["not a number", "a row too few"])
def test_vectors_that_cannot_be_trusted_fail_only_their_own_call(pool: ThreadPoolExecutor, guilty: str) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder) as batcher:
        hold(pool, batcher, recorder)
        bad, good = queue(pool, batcher, [guilty], ["till"])
        recorder.open.set()
        assert isinstance(error_of(bad), EncoderError)
        assert_rows(good, ["till"])


def test_a_call_beyond_the_queue_is_refused_at_once(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    with MicroBatcher(recorder, max_waiting=2) as batcher:
        hold(pool, batcher, recorder)
        answers = queue(pool, batcher, ["a"], ["b"])
        for _ in range(3):
            with pytest.raises(EncoderFullError) as caught:
                batcher.encode(["c"])
            assert str(caught.value) == "2 calls are waiting for the encoder already; try again in a second"
        recorder.open.set()
        assert_rows(answers[0], ["a"])
        assert_rows(answers[1], ["b"])
        assert_rows(pool.submit(batcher.encode, ["c"]), ["c"])
    assert batcher.stats() == BatchStats(passes=3, calls=4, texts=4, encoded=4, refused=3)


def test_closing_answers_the_running_pass_and_refuses_the_rest(pool: ThreadPoolExecutor) -> None:
    recorder = Recorder()
    batcher = MicroBatcher(recorder)
    held = hold(pool, batcher, recorder)
    answers = queue(pool, batcher, ["a"], ["b"])
    closing = pool.submit(batcher.close)
    for answer in answers:
        error = error_of(answer)
        assert isinstance(error, EncoderError)
        assert "was closed while calls were waiting" in str(error)
    recorder.open.set()
    assert_rows(held, ["held"])
    closing.result(DEADLINE)
    for _ in range(2):
        batcher.close()
        with pytest.raises(EncoderError, match="is closed"):
            batcher.encode(["late"])
    assert recorder.batches == [["held"]]
    assert batcher.stats().calls == 3


def test_closing_ends_the_wait_for_company(pool: ThreadPoolExecutor) -> None:
    recorder, before = Recorder(), workers()
    with MicroBatcher(recorder, max_wait=1_000_000) as batcher:
        held = hold(pool, batcher, recorder)
        answers = queue(pool, batcher, ["a"], ["b"])
        recorder.open.set()
        held.result(DEADLINE)
    assert [type(error_of(answer)) for answer in answers] == [EncoderError, EncoderError]
    assert workers() == before


def test_the_worker_is_a_daemon_that_the_first_call_starts_and_close_ends() -> None:
    before = workers()
    with MicroBatcher(PLAIN) as batcher:
        batcher.encode([])
        assert workers() == before
        batcher.encode(["till"])
        batcher.encode(["vat"])
        (worker,) = (thread for thread in workers() if thread not in before)
        assert worker.daemon
    assert not worker.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_killed_worker_fails_who_waits_and_is_replaced() -> None:
    before = workers()
    with MicroBatcher(PLAIN) as batcher:
        batcher.encode(["till"])
        (worker,) = (thread for thread in workers() if thread not in before)
        assert worker.ident is not None
        # Delivered when the worker runs its next line, which is when the call below wakes it.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(SystemExit))
        with pytest.raises(EncoderError, match="stopped while calls were waiting; send them again"):
            batcher.encode(["vat"])
        worker.join(DEADLINE)
        assert np.array_equal(batcher.encode(["vat"]), PLAIN.encode(["vat"]))


def test_an_interrupted_caller_is_not_served(pool: ThreadPoolExecutor) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    def when_waiting() -> None:
        until(lambda: batcher.stats().calls == 2)
        signal.pthread_kill(main.ident or 0, signal.SIGUSR1)

    recorder, main = Recorder(), threading.main_thread()
    old = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with MicroBatcher(recorder) as batcher:
            hold(pool, batcher, recorder)
            pool.submit(when_waiting)
            with pytest.raises(Interrupted):
                batcher.encode(["interrupted"])
            (last,) = queue(pool, batcher, ["last"])
            recorder.open.set()
            assert_rows(last, ["last"])
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert recorder.batches == [["held"], ["last"]]


@pytest.mark.parametrize(
    "limit", [{"max_calls": 0}, {"max_characters": 0}, {"max_waiting": 0}, {"max_wait": -0.001}], ids=str
)
def test_a_limit_that_lets_nobody_in_is_refused(limit: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        MicroBatcher(PLAIN, **limit)


def test_parts_keep_the_order_and_the_budget() -> None:
    assert cut_by_size([], 1_000) == []
    assert cut_by_size(["a", "b", "c", "d"], 3 * SHORT) == [("a", "b", "c"), ("d",)]
    long = "x" * 700
    assert cut_by_size(["a", long, "b", "x" * 5_000, "c", "d"], 1_000) == [
        ("a", long), ("b",), ("x" * 5_000,), ("c", "d"),
    ]  # fmt: skip


@given(st.lists(st.text(max_size=600), max_size=30), st.integers(1, 3_000))
@settings(max_examples=50, deadline=None)
def test_parts_hold_every_text_once_and_are_filled(texts: list[str], budget: int) -> None:
    parts = cut_by_size(texts, budget)
    assert [text for part in parts for text in part] == texts
    sizes = [sum(map(size_of, part)) for part in parts]
    assert all(size <= budget or len(part) == 1 for size, part in zip(sizes, parts, strict=True))
    for size, following in zip(sizes, parts[1:], strict=False):
        assert size + size_of(following[0]) > budget
