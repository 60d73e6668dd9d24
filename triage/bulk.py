"""Suggestions for a file of tickets: one line out for every line in, in order; a killed run goes on."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic

from pydantic import TypeAdapter

from models.artifact_files import sha256_of_file
from models.micro_batch import MicroBatcher
from models.protocols import Progress, no_progress
from triage.assembly import generations_of
from triage.bulk_record import ERRORS, BulkOut, Header, TicketFile, check_paths, open_out, read_lines
from triage.cleaning import safe_unicode
from triage.engine import TriageEngine
from triage.errors import BulkError, TicketError, TicketFileError
from triage.fault_text import where_raised
from triage.generations import MANIFEST
from triage.ticket_files import MAX_BYTES, parse_ticket_text
from triage.tickets import Name

#: While Python works on some tickets, the encoder has others: their texts share its passes.
THREADS = 16
#: Lines that are worked on or done while the first of them is waited for, per thread.
AHEAD = 2
#: A detail is cut in its middle: a key that is a megabyte long is no key that anyone would look for.
MAX_DETAIL = 300


@dataclass(frozen=True)
class BulkJob:
    """What is asked for: the files, and the hash of the generation's manifest (`manifest_sha256`)."""

    tickets: Path
    out: Path
    manifest: str
    overwrite: bool = False
    threads: int = THREADS


@dataclass(frozen=True)
class Answer:
    """A line of OUT without its line break, and what it came to: a disposition, or `ERRORS`."""

    line: bytes
    came_to: str


#: Called with a line's number and the line.
Work = Callable[[int, bytes | None], Answer]


@dataclass(frozen=True)
class BulkSummary:
    """What all lines of OUT came to; lines and seconds of this start alone, which may have gone on with another's."""

    counts: Mapping[str, int]
    lines: int
    seconds: float

    @property
    def text(self) -> str:
        """The summary in a few words."""
        counts = {"draft": 0, "handoff": 0, "no_reply": 0, ERRORS: 0} | dict(self.counts)
        said = ", ".join(f"{count:,} {came_to}" for came_to, count in counts.items())
        return f"{sum(counts.values()):,} lines: {said}; {rate(self.lines, self.seconds)}"


def run_bulk(
    engine: TriageEngine,
    job: BulkJob,
    now: datetime,
    progress: Progress = no_progress,
    timer: Callable[[], float] = monotonic,
) -> BulkSummary:
    """Write a line for every line of the tickets; the same call goes on with a run that was interrupted.

    now: the clock of every suggestion, where this is the first start. Raises `BulkError`; whatever a line or the
    engine does wrong is a line of the file instead.
    """
    check_paths(job.tickets, job.out)
    header = header_of(engine, job, now)
    with open_out(job.out, header, job.overwrite, timer) as out, MicroBatcher(engine.encoder) as encoder:
        done, started = out.done, timer()
        work = partial(answer, replace(engine, encoder=encoder), out.header)
        sha256 = write_lines(work, job, out, progress)
        if sha256 != header.tickets.sha256:
            problem = "the file changed while it was worked on"
            raise BulkError(job.tickets, problem, "add --overwrite to begin again with the file as it is")
        out.finish()
        return BulkSummary(dict(out.counts), out.done - done, timer() - started)


def write_lines(work: Work, job: BulkJob, out: BulkOut, progress: Progress) -> str:
    """Write the lines that are not there yet; return the SHA-256 of the tickets as they were read."""
    digest, total = hashlib.sha256(), out.header.tickets.lines
    progress("tickets", out.done, total)
    numbered = enumerate(read_lines(job.tickets, MAX_BYTES, digest.update), start=1)
    with closing(in_order(work, islice(numbered, out.done, total), job.threads)) as answers:
        for found in answers:
            out.append(found.line, found.came_to)
            progress("tickets", out.done, total)
    return digest.hexdigest()


def header_of(engine: TriageEngine, job: BulkJob, now: datetime) -> Header:
    """Return what is to be run: reads the whole file of tickets once."""
    digest = hashlib.sha256()
    lines = sum(1 for _ in read_lines(job.tickets, MAX_BYTES, digest.update))
    tickets = TicketFile(file=job.tickets.name, sha256=digest.hexdigest(), lines=lines)
    desk = engine.rules.settings.id
    return Header(desk=desk, at=now, tickets=tickets, versions=engine.versions, manifest=job.manifest)


def manifest_sha256(engine: TriageEngine, var: Path) -> str:
    """Return what tells an engine's generation from any other, also from one of the same number."""
    root = generations_of(engine.rules.settings, var).root
    return sha256_of_file(root / engine.versions.generation / MANIFEST)


def answer(engine: TriageEngine, header: Header, number: int, data: bytes | None) -> Answer:
    """Return the line for a line, which is None where it is too long; never raises."""
    where, ticket = f"line {number}", None
    try:
        if data is None:
            return failure(number, None, "ticket_too_large", f"{where}: larger than 1 MB; shorten the ticket")
        if not data.strip():
            return failure(number, None, "invalid_ticket", f"{where}: blank; write one ticket as a JSON object")
        ticket = parse_ticket_text(data, where)
        suggestion = engine.suggest(ticket, header.id_of(number), header.at)
        return Answer(suggestion.model_dump_json().encode(), suggestion.disposition)
    except (TicketError, TicketFileError) as error:
        return failure(number, id_in(data or b""), "invalid_ticket", str(error))
    except Exception as error:  # one ticket must not stop the others, whatever it did
        detail = (
            f"{where}: this ticket could not be worked on ({where_raised(error)}); try it again in a file of its own"
        )
        return failure(number, ticket.id if ticket else None, "internal_error", detail)


def failure(number: int, ticket_id: str | None, code: str, detail: str) -> Answer:
    """Return the line for a line that got no suggestion."""
    if len(detail) > MAX_DETAIL:
        detail = f"{detail[: MAX_DETAIL // 2]} … {detail[-MAX_DETAIL // 2 :]}"
    values = {"line": number, "ticket_id": ticket_id, "error": {"code": code, "detail": safe_unicode(detail)}}
    return Answer(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(), ERRORS)


def id_in(data: bytes) -> str | None:
    """Return the id that a ticket which is not right names, None where there is none to be read."""
    try:
        return TypeAdapter(Name).validate_python(json.loads(data)["id"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def in_order(work: Work, lines: Iterable[tuple[int, bytes | None]], threads: int) -> Generator[Answer, None, None]:
    """Yield what some threads make of numbered lines, in the order of the lines, which are read a little ahead."""
    waiting: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="bulk") as pool:
        try:
            for number, data in lines:
                waiting.append(pool.submit(work, number, data))
                if len(waiting) >= threads * AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def rate(lines: int, seconds: float) -> str:
    """Say how fast it went."""
    return f"{lines / seconds:.1f} tickets a second" if lines and seconds > 0 else "nothing was left"


def told_every(seconds: float, say: Callable[[str], None], timer: Callable[[], float] = monotonic) -> Progress:
    """Return a progress for where no bar can be drawn: it says a sentence every so many seconds."""
    started = last = timer()
    first: int | None = None

    def progress(step: str, done: int, total: int) -> None:
        nonlocal last, first
        first = done if first is None else first
        if timer() - last >= seconds:
            last = timer()
            say(f"{done:,} of {total:,} {step}, {rate(done - first, last - started)}")

    return progress
