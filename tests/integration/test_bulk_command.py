"""`firstline bulk` as people use it: real processes, killed and started again."""

import json
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW, build_desk
from eval_builders import small_desk

from models.hashing_encoder import HashingEncoder
from models.protocols import FloatArray, Progress, no_progress
from triage.assembly import build_engine
from triage.bulk import BulkJob, BulkSummary, manifest_sha256, run_bulk
from triage.bulk_record import Header, sidecar_of
from triage.engine import TriageEngine
from triage.errors import BulkError
from triage.ticket_files import parse_ticket_text

FIRSTLINE = str(Path(sys.executable).with_name("firstline"))
PRIVATE = "my sister's pin is 4711"
PATIENCE = 120.0
LINES, BAD = 100, 10
ROOM = 200_000
Rows = list[dict[str, Any]]


class SpoiltEncoder(HashingEncoder):
    """Fails on texts that hold a word, with the customer's words in what it says."""

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        for text in texts:
            if "pasty" in text:
                raise ArithmeticError(f"cannot encode {text!r}")
        return super().encode(texts, progress)


@pytest.fixture(scope="module")
def desk(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_desk(project, tmp_path_factory.mktemp("bulk") / "desk")
    build_desk(folder, folder.parent / "var")
    return folder


@pytest.fixture(scope="module")
def engine(desk: Path) -> TriageEngine:
    return build_engine(desk, desk.parent / "var")


@pytest.fixture(scope="module")
def manifest(desk: Path, engine: TriageEngine) -> str:
    return manifest_sha256(engine, desk.parent / "var")


@pytest.fixture(scope="module")
def tickets(project: Path, desk: Path) -> Path:
    """The desk's cases as tickets, every tenth line a bad one. Read them, change nothing."""
    cases = (project / "desks" / "demo" / "cases.jsonl").read_bytes().splitlines()[:LINES]
    given = [json.loads(case)["ticket"] for case in cases]
    for ticket in given[::3]:
        del ticket["created_at"]  # their due times are counted from the clock of the run
    lines = [b"?" if number % 10 == 9 else json.dumps(ticket).encode() for number, ticket in enumerate(given)]
    return written(desk.parent / "tickets.jsonl", lines)


@pytest.fixture(scope="module")
def whole(engine: TriageEngine, manifest: str, tickets: Path, desk: Path) -> BulkJob:
    """A run that nothing interrupted. Read it, change nothing."""
    job = BulkJob(tickets, desk.parent / "whole.jsonl", manifest)
    run_bulk(engine, job, NOW)
    return job


@pytest.fixture
def command(desk: Path, tickets: Path, tmp_path: Path) -> Callable[..., list[str]]:
    def made(*options: str, out: str = "out.jsonl", tickets: Path = tickets) -> list[str]:
        var = str(desk.parent / "var")
        return [FIRSTLINE, "bulk", str(desk), str(tickets), str(tmp_path / out), "--var", var, *options]

    return made


def finished(command: list[str]) -> str:
    """Run a command that has to succeed; return what it said."""
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""
    return done.stderr.decode()


def refused(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert said.startswith("firstline: ")
    assert said.count("\n") == 1
    return said


def stopped(command: list[str], out: Path, lines: int, by: signal.Signals) -> tuple[int, str]:
    """Start a command, stop it as soon as OUT has so many lines; return its exit code and what it said."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=listen_to_the_keyboard)
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and lines_of(out) < lines and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(by)
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said.decode()


def listen_to_the_keyboard() -> None:
    """Tests that run in the background are started with Ctrl+C switched off."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def rows_of(path: Path) -> Rows:
    """The rows of a file but for the time they took."""
    rows: Rows = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    for row in rows:
        row.pop("timing_ms", None)
    return rows


def written(path: Path, lines: Sequence[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def interrupt_at(count: int) -> Progress:
    def progress(step: str, done: int, total: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    return progress


def test_a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened(
    command: Callable[..., list[str]], engine: TriageEngine, whole: BulkJob, tmp_path: Path
) -> None:
    out, draw = tmp_path / "out.jsonl", random.Random(20)
    # Kills come early: answers that wait for the one before them are written in one go, up to 32 of them.
    target, headers, seen = 0, set[str](), [0]
    for _ in range(4):
        target += draw.randint(1, 9)
        code, _ = stopped(command(), out, target, signal.SIGKILL)
        assert code == -signal.SIGKILL
        seen.append(lines_of(out))
        assert target <= seen[-1] < LINES
        headers.add(sidecar_of(out).read_text(encoding="utf-8"))
        with out.open("ab") as file:
            file.write(b'{"id":"0')  # as if it had died in the middle of a line
    said = finished(command())
    assert seen == sorted(seen)
    assert not sidecar_of(out).exists()
    assert re.search(r" 100 lines: \d+ draft, \d+ handoff, \d+ no_reply, 10 errors; [\d.]+ tickets a second\n$", said)
    [header] = headers
    same = replace(whole, out=tmp_path / "whole.jsonl")
    run_bulk(engine, same, Header.model_validate_json(header).at)
    assert rows_of(out) == rows_of(same.out)


def test_ctrl_c_stops_with_a_sentence_and_the_same_command_goes_on(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    code, said = stopped(command(), out, 20, signal.SIGINT)
    assert code == 130
    assert said == f"firstline: interrupted; the same command (without --overwrite) goes on from where {out} stands\n"
    left = out.read_bytes()
    assert left.endswith(b"\n")
    assert 20 <= left.count(b"\n") < LINES
    finished(command())
    assert out.read_bytes().startswith(left)
    assert len(rows_of(out)) == LINES


def test_order_ids_and_clock_are_those_of_the_lines(engine: TriageEngine, whole: BulkJob, tmp_path: Path) -> None:
    for threads in (1, 8):
        job = replace(whole, out=tmp_path / str(threads), threads=threads)
        summary = run_bulk(engine, job, NOW)
        assert summary.counts["errors"] == BAD
        assert sum(summary.counts.values()) == summary.lines == LINES
        assert rows_of(job.out) == rows_of(whole.out)
    rows = rows_of(whole.out)
    for number, (line, row) in enumerate(zip(whole.tickets.read_bytes().splitlines(), rows, strict=True), start=1):
        if line == b"?":
            assert (row["line"], row["ticket_id"], row["error"]["code"]) == (number, None, "invalid_ticket")
        else:
            assert row["ticket_id"] == json.loads(line)["id"]
    assert len({row["id"] for row in rows if "id" in row}) == LINES - BAD


def test_a_line_is_what_the_engine_says_at_the_clock_of_the_run(engine: TriageEngine, whole: BulkJob) -> None:
    given = whole.tickets.read_bytes().splitlines()
    for line, row in list(zip(given, rows_of(whole.out), strict=True))[:9]:
        said = engine.suggest(parse_ticket_text(line, "here"), row["id"], NOW).model_dump(mode="json")
        assert {key: value for key, value in said.items() if key != "timing_ms"} == row


def test_every_bad_line_is_a_line(engine: TriageEngine, manifest: str, tmp_path: Path) -> None:
    good = b'{"id":"T-1","body":"Where do I find the balance sheet?"}'
    kinds: list[tuple[bytes, str | None]] = [
        (b"\xef\xbb\xbf" + good, None),
        (good, None),
        (good, None),
        (b"", "line 4: blank"),
        (b" \t\r", "line 5: blank"),
        (b'{"body":"' + b"a" * 1_000_000 + b'"}', "line 6: larger than 1 MB"),
        (b'{"id":"T-7","body":"\xff"}', "not JSON"),
        (b'{"body":"a \\ud800 b"}', None),
        (b'{"body":"a \xed\xa0\x80 b"}', None),
        (b'{"body":"x","attributes":{"n":NaN}}', "attributes.n"),
        (b'{"body":"x","attributes":{"n":1e999}}', "attributes.n"),
        (b'{"body":"x","attributes":{"n":' + b"9" * 5_000 + b"}}", "not JSON"),
        (b'{"body":"x","attributes":{"n":' + b"9" * 4_000 + b"}}", None),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the ticket"),
        (b"7", "the ticket"),
        (b'{"id":"T-17","channel":"email"}', "a ticket needs a subject or a body"),
        (b'{"id":"T-18","body":"x","colour":"' + PRIVATE.encode() + b'"}', "colour: unknown key"),
        (b'{"body":"\x00"}', "not JSON"),
        (b'{"body":""}', None),
        (b'{"body":"\\u0000"}', None),
        (good + b"\r", None),
        (b"\xff\xfe" + '{"body":"x"}'.encode("utf-16-le"), None),
        (b'{"id":"T-24","body":"a pasty, and ' + PRIVATE.encode() + b'"}', "ArithmeticError at test_bulk_command.py"),
    ]
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\n".join(line for line, _ in kinds) + b"\n" + good)
    spoilt = replace(engine, encoder=SpoiltEncoder())
    summary = run_bulk(spoilt, BulkJob(path, tmp_path / "out", manifest), NOW)
    rows = rows_of(tmp_path / "out")
    assert len(rows) == len(kinds) + 1 == sum(summary.counts.values())
    for number, (row, (_, words)) in enumerate(zip(rows, kinds, strict=False), start=1):
        if words is None:
            assert "error" not in row, row
        else:
            assert row["line"] == number
            assert row["error"]["detail"].startswith(f"line {number}: ")
            assert words in row["error"]["detail"], row
            assert PRIVATE not in json.dumps(row)
    assert [row.get("ticket_id") for row in rows[:3]] == ["T-1"] * 3
    assert len({row["id"] for row in rows if "id" in row}) == len(rows) - summary.counts["errors"]
    codes = {row["line"]: (row["error"]["code"], row["ticket_id"]) for row in rows if "error" in row}
    assert codes[6] == ("ticket_too_large", None)
    assert codes[17] == ("invalid_ticket", "T-17")
    assert codes[24] == ("internal_error", "T-24")
    assert rows[-1]["ticket_id"] == "T-1"


@pytest.mark.parametrize("at", [0, 1, LINES - 1, LINES])
def test_an_interrupted_run_goes_on_from_any_line(
    engine: TriageEngine, whole: BulkJob, tmp_path: Path, at: int
) -> None:
    job = replace(whole, out=tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        run_bulk(engine, job, NOW, interrupt_at(at))
    assert lines_of(job.out) == at
    summary = run_bulk(engine, job, NOW.replace(year=2030))
    assert (summary.lines, sum(summary.counts.values())) == (LINES - at, LINES)
    assert rows_of(job.out) == rows_of(whole.out)


def test_no_lines_give_an_empty_file(engine: TriageEngine, manifest: str, tmp_path: Path) -> None:
    job = BulkJob(written(tmp_path / "in", []), tmp_path / "out", manifest)
    assert run_bulk(engine, job, NOW) == BulkSummary({}, 0, pytest.approx(0, abs=PATIENCE))
    assert job.out.read_bytes() == b""
    assert not sidecar_of(job.out).exists()


@pytest.mark.parametrize("changed", [b"", b"?\n" * 5, b"?\n" * 9 + b"!\n", b"?\n" * 9 + b"??"])
def test_tickets_that_change_while_they_are_worked_on_end_the_run(
    engine: TriageEngine, manifest: str, tmp_path: Path, changed: bytes
) -> None:
    job = BulkJob(written(tmp_path / "in", [b"?"] * 10), tmp_path / "out", manifest)

    def change(step: str, done: int, total: int) -> None:
        if not done:
            job.tickets.write_bytes(changed)

    with pytest.raises(BulkError, match="changed while it was worked on; add --overwrite"):
        run_bulk(engine, job, NOW, change)
    assert sidecar_of(job.out).exists()


def test_paths_that_cannot_be_are_one_sentence(command: Callable[..., list[str]], tickets: Path) -> None:
    kept = tickets.read_bytes()
    assert "is the file of the tickets" in refused(command("--overwrite", out=str(tickets)))
    assert "this is a folder" in refused(command(out="."))
    assert "No such file or directory" in refused(command(tickets=Path("none.jsonl")))
    assert tickets.read_bytes() == kept


def test_what_belongs_to_another_run_is_refused_and_overwritten_where_that_is_asked_for(
    command: Callable[..., list[str]], engine: TriageEngine, tickets: Path, tmp_path: Path
) -> None:
    mine, out = tmp_path / "mine.jsonl", tmp_path / "out.jsonl"
    mine.write_bytes(tickets.read_bytes())
    with pytest.raises(KeyboardInterrupt):
        run_bulk(engine, BulkJob(mine, out, "another generation of the same number"), NOW, interrupt_at(5))
    said = refused(command(tickets=mine))
    assert "with another generation is here; name another file, or add --overwrite" in said
    finished(command("--overwrite", tickets=mine))
    before = out.read_bytes()
    assert "a file is here already" in refused(command(tickets=mine))
    assert out.read_bytes() == before
    out.unlink()
    stopped(command(tickets=mine), out, 5, signal.SIGKILL)
    mine.write_bytes(tickets.read_bytes() + b"{}\n")
    assert "an interrupted run over other tickets" in refused(command(tickets=mine))


def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))

    done = subprocess.run(command(), capture_output=True, preexec_fn=little_room, timeout=PATIENCE, check=False)
    said = done.stderr.decode()
    assert done.returncode == 2, said
    assert "the file cannot be written (File too large); see to it, and the same command goes on" in said
    assert said.count("\n") == 1
    assert (tmp_path / "out.jsonl").stat().st_size == ROOM
    finished(command())
    assert len(rows_of(tmp_path / "out.jsonl")) == LINES


def test_the_example_of_the_docs_runs(project: Path, desk: Path, tmp_path: Path) -> None:
    text = (project / "docs" / "bulk.md").read_text(encoding="utf-8")
    shell, tickets, code, error = re.findall(r"```[^\n]+\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "desks").mkdir()
    (tmp_path / "desks" / "demo").symlink_to(desk)
    (tmp_path / "var").symlink_to(desk.parent / "var")
    (tmp_path / "tickets.jsonl").write_text(tickets, encoding="utf-8")
    program, *arguments = shell.split()
    assert program == "firstline"
    subprocess.run([FIRSTLINE, *arguments], cwd=tmp_path, check=True, capture_output=True, timeout=PATIENCE)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert re.fullmatch(r"T-1 (draft|handoff)\nT-2 no_reply\nT-3 \{'code'.*\n", done.stdout), done.stdout
    assert rows_of(tmp_path / "suggestions.jsonl")[2] == json.loads(error)
    assert all(f"`{code}`" in text for code in ("invalid_ticket", "ticket_too_large", "internal_error"))
