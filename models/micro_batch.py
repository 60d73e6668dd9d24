"""Concurrent calls of an encoder share one forward pass."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType

import numpy as np

from models.errors import EncoderError, EncoderFullError
from models.protocols import FloatArray, Progress, TextEncoder, check_vectors, no_progress

#: Calls that share one pass, and calls that may wait, unless a batcher is told otherwise.
MAX_CALLS = 32
MAX_WAITING = 256
#: A text counts as this many characters at least, so that a pass holds 64 texts at most with the usual budget.
SHORT = 256
#: Seconds that `close` waits for a running pass to end.
CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class BatchStats:
    """What a batcher has done so far."""

    #: Forward passes, those included in which a call of a failed pass was tried alone.
    passes: int = 0
    #: Calls of `encode` that were let in, and their texts.
    calls: int = 0
    texts: int = 0
    #: Texts that the encoder was given: fewer than `texts` where calls of one pass shared some.
    encoded: int = 0
    #: Calls that were turned away by a full queue.
    refused: int = 0
    #: Passes that ended in an error, a lone call's included.
    failed: int = 0


@dataclass(frozen=True)
class _Call:
    texts: tuple[str, ...]
    size: int
    answer: "Future[FloatArray]" = field(default_factory=Future)


class MicroBatcher:
    """An encoder around another one. Safe to call from many threads.

    One worker thread runs the passes. While one runs, calls queue up and are taken together, in the order they came:
    at most `max_calls` calls and `max_characters` characters, past which encoders cut a batch anyway and a short text
    would only wait for long ones. A larger call is cut into slices of that size, which queue one after the other:
    others get their turn in between, and no two threads use the encoder. A text that several calls of a pass have in
    common is encoded once.

    max_waiting: calls that may wait, those of the running pass not counted; one more is refused.
    max_wait: seconds to wait for company before a pass, where two calls are waiting already; a lone call never waits.

    The worker is a daemon thread that the first call starts: a process that forks must do so before. A process that
    ends needs no `close`.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        max_calls: int = MAX_CALLS,
        max_characters: int = 16_384,
        max_waiting: int = MAX_WAITING,
        max_wait: float = 0.0,
    ) -> None:
        if min(max_calls, max_characters, max_waiting) < 1 or max_wait < 0:
            raise ValueError("max_calls, max_characters and max_waiting must be at least 1, max_wait at least 0")
        self._encoder = encoder
        self._max_calls, self._max_characters = max_calls, max_characters
        self._max_waiting, self._max_wait = max_waiting, max_wait
        self._waiting: deque[_Call] = deque()
        self._running: list[_Call] = []
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._closed = False
        self._stats = BatchStats()
        self.identity = encoder.identity
        self.dimension = encoder.dimension

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        """Return the rows of shape (len(texts), dimension) that the encoder behind it gives for these texts.

        Raises `EncoderFullError` at once where too many calls are waiting, `EncoderError` where the batcher is or gets
        closed, and else what the encoder raises for these texts; another call's texts never fail this one.
        """
        own = tuple(texts)
        vectors = [np.zeros((0, self.dimension), dtype=np.float32)]
        done = 0
        for part in cut_by_size(own, self._max_characters):
            call = _Call(part, sum(map(size_of, part)))
            try:
                self._enqueue(call, is_new=done == 0)
                vectors.append(call.answer.result())
            finally:
                call.answer.cancel()  # where its thread was interrupted while it waited; else without effect
            done += len(part)
            progress("encode", done, len(own))
        return vectors[1] if len(vectors) == 2 else np.concatenate(vectors)

    def stats(self) -> BatchStats:
        """Return the counts so far."""
        return self._stats

    @property
    def waiting(self) -> int:
        """Calls, or slices of them, that wait now; those of the running pass are not counted."""
        return len(self._waiting)

    def close(self) -> None:
        """Refuse what waits and what comes; a running pass still answers its calls. May be called again."""
        with self._changed:
            self._closed = True
            worker = self._worker
            self._changed.notify_all()
            refuse(self._waiting, f"the encoder {self.identity} was closed while calls were waiting; send them again")
            self._waiting.clear()
        if worker is not None and worker is not threading.current_thread():
            worker.join(CLOSE_SECONDS)

    def __enter__(self) -> "MicroBatcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _enqueue(self, call: _Call, is_new: bool) -> None:
        """Queue a new call, or a further slice of one that was let in: that is never turned away for lack of room."""
        with self._changed:
            if self._closed:
                raise EncoderError(f"the encoder {self.identity} is closed; open the desk again to use it")
            waiting = len(self._waiting)
            if is_new and waiting >= self._max_waiting:
                self._count(refused=1)
                raise EncoderFullError(f"{waiting} calls are waiting for the encoder already; try again in a second")
            if self._worker is None:
                worker = threading.Thread(target=self._run, name="micro-batch", daemon=True)
                worker.start()
                self._worker = worker
            self._waiting.append(call)
            self._count(calls=int(is_new), texts=len(call.texts))
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._take():
                self._answer(self._running)
        finally:
            # Reached without `close` only where the machinery itself failed: the next call starts another worker.
            with self._changed:
                self._worker = None
                why = f"the encoder {self.identity} stopped while calls were waiting; send them again"
                refuse([*self._running, *self._waiting], why)
                self._waiting.clear()

    def _take(self) -> bool:
        """Wait for calls and take those of the next pass; return False once the batcher is closed."""
        with self._changed:
            self._running = []
            while not self._running and not self._closed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._max_wait and len(self._waiting) > 1:
                    self._changed.wait_for(self._is_full_or_closed, self._max_wait)
                self._fill_pass()
        return bool(self._running)

    def _is_full_or_closed(self) -> bool:
        return self._closed or len(self._waiting) >= self._max_calls

    def _fill_pass(self) -> None:
        size = 0
        while self._waiting and len(self._running) < self._max_calls:
            call = self._waiting[0]
            size += call.size
            if self._running and size > self._max_characters:
                break
            if call.answer.set_running_or_notify_cancel():
                self._running.append(call)
            self._waiting.popleft()

    def _answer(self, calls: list[_Call]) -> None:
        """Give every call of a pass its rows, or its own error: after a failed pass each call is tried alone."""
        try:
            answers = self._encode_together(calls)
        except BaseException as error:  # nothing that an encoder raises may end the worker
            with self._changed:
                self._count(failed=1)
            if len(calls) == 1:
                calls[0].answer.set_exception(self._for_caller(error))
                return
        else:
            for call, answer in zip(calls, answers, strict=True):
                call.answer.set_result(answer)
            return
        for call in calls:
            self._answer([call])

    def _encode_together(self, calls: list[_Call]) -> list[FloatArray]:
        distinct = dict.fromkeys(text for call in calls for text in call.texts)
        row_of = {text: row for row, text in enumerate(distinct)}
        with self._changed:
            self._count(passes=1, encoded=len(distinct))
        vectors = check_vectors(self._encoder.encode(list(distinct)), len(distinct), self.dimension, self.identity)
        return [vectors[[row_of[text] for text in call.texts]] for call in calls]

    def _for_caller(self, error: BaseException) -> Exception:
        if isinstance(error, Exception):
            return error
        name = type(error).__name__
        stopped = EncoderError(f"the encoder {self.identity} was stopped by {name}; send the texts again")
        stopped.__cause__ = error
        return stopped

    def _count(self, **more: int) -> None:
        self._stats = replace(self._stats, **{name: getattr(self._stats, name) + by for name, by in more.items()})


def size_of(text: str) -> int:
    """Return how many characters a text counts as."""
    return max(len(text), SHORT)


def cut_by_size(texts: Sequence[str], budget: int) -> list[tuple[str, ...]]:
    """Cut texts, in order, into parts of at most `budget` characters; a longer text is a part of its own."""
    parts: list[list[str]] = []
    left = 0
    for text in texts:
        left -= size_of(text)
        if left < 0:
            parts.append([])
            left = budget - size_of(text)
        parts[-1].append(text)
    return [tuple(part) for part in parts]


def refuse(calls: Iterable[_Call], why: str) -> None:
    """Fail every call that has no answer yet."""
    for call in calls:
        with suppress(InvalidStateError):
            call.answer.set_exception(EncoderError(why))
