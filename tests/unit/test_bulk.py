import hashlib
import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eval_builders import NOW, VERSIONS

from triage.bulk import Answer, BulkSummary, failure, id_in, in_order, told_every
from triage.bulk_record import (
    ERRORS,
    PIECE,
    Header,
    TicketFile,
    came_to,
    check_paths,
    open_out,
    read_lines,
    sidecar_of,
)
from triage.errors import BulkError
from triage.fault_text import where_raised

LIMIT = 10


class Timer:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def header(lines: int = 3, **changes: Any) -> Header:
    plain: dict[str, Any] = {
        "desk": "demo",
        "at": NOW,
        "tickets": TicketFile(file="in.jsonl", sha256="ab" * 32, lines=lines),
        "versions": VERSIONS,
        "manifest": "cd" * 32,
    }
    return Header(**plain | changes)


def line_of(number: int, of: Header) -> bytes:
    return json.dumps({"id": of.id_of(number), "disposition": "draft"}, separators=(",", ":")).encode()


def left_by_a_kill(out: Path, of: Header, lines: int, begun: bytes = b"") -> None:
    """What is on disk after so many whole lines and a begun one."""
    with open_out(out, of, overwrite=False) as growing:
        for number in range(1, lines + 1):
            growing.append(line_of(number, of), "draft")
    with out.open("ab") as file:
        file.write(begun)


def refusal(out: Path, of: Header) -> str:
    kept, beside = out.read_bytes(), sidecar_of(out)
    told = beside.read_bytes() if beside.exists() else None
    with pytest.raises(BulkError) as caught, open_out(out, of, overwrite=False):
        pass
    assert out.read_bytes() == kept
    assert (beside.read_bytes() if beside.exists() else None) == told
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n\n", [b"", b""]),
        (b"a\rb\x0bc\x0cd\n", [b"a\rb\x0bc\x0cd"]),
        ("a\u2028b\u0085\n".encode(), ["a\u2028b\u0085".encode()]),
        (b"1234567890\n1234567890\r\n1234567890", [b"1234567890"] * 3),
        (b"12345678901\n12345678901\r\n12345678901", [None] * 3),
        (b"12345678901\r\n1", [None, b"1"]),
        (b"x" * 3 * PIECE + b"\nb\n", [None, b"b"]),
        (b"x" * (PIECE + LIMIT + 2) + b"\nb", [None, b"b"]),
    ],
)
def test_lines_end_with_a_line_feed_and_too_long_ones_are_none(
    tmp_path: Path, text: bytes, lines: list[bytes | None]
) -> None:
    path = tmp_path / "in"
    path.write_bytes(text)
    pieces: list[bytes] = []
    assert list(read_lines(path, LIMIT, pieces.append)) == lines
    assert b"".join(pieces) == text
    assert all(len(piece) <= PIECE for piece in pieces)


def test_ids_come_from_the_tickets_the_generation_and_the_line() -> None:
    first = header()
    same = header(at=NOW + timedelta(days=1), tickets=TicketFile(file="moved", sha256="ab" * 32, lines=3))
    others = [
        header(lines=4),
        header(manifest="00" * 32),
        header(desk="other"),
        header(versions=VERSIONS.model_copy(update={"engine": "2"})),
        header(tickets=TicketFile(file="in.jsonl", sha256="00" * 32, lines=3)),
    ]
    assert first.id_of(1) == same.id_of(1)
    assert first.same_run(same)
    assert len({first.id_of(1), first.id_of(11), *(other.id_of(1) for other in others)}) == 7
    assert not any(first.same_run(other) for other in others)
    assert set(first.id_of(1)) <= set("0123456789abcdef")
    assert len(first.id_of(1)) == 32


def test_a_whole_file_has_nothing_beside_it(out: Path) -> None:
    first = header()
    with open_out(out, first, overwrite=False) as growing:
        for number in (1, 2, 3):
            growing.append(line_of(number, first), "draft")
            assert sidecar_of(out).exists()
            assert out.read_bytes().count(b"\n") == number
        growing.finish()
    assert [path.name for path in out.parent.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("begun", [b"", b'{"id":"12', b'{"id":"12\x00\x00\n\x00\x00\n', b"\0" * 9_000, b"\0\n\0"])
def test_what_was_only_begun_is_cut_off(out: Path, begun: bytes) -> None:
    first = header()
    left_by_a_kill(out, first, 2, begun)
    later = header(at=NOW + timedelta(hours=5))
    with open_out(out, later, overwrite=False) as growing:
        assert growing.done == 2
        assert growing.counts == {"draft": 2}
        assert growing.header.at == NOW
        growing.append(line_of(3, later), "draft")
    assert out.read_bytes() == b"".join(line_of(number, first) + b"\n" for number in (1, 2, 3))


def test_whole_lines_that_the_run_did_not_write_are_refused(out: Path) -> None:
    first = header()
    for stranger in (line_of(1, first), line_of(4, first), b"a letter", b'{"line":4,"x":1}'):
        out.unlink(missing_ok=True)
        left_by_a_kill(out, first, 2, stranger + b"\n")
        assert "line 3 was not written by the run" in refusal(out, first)
    out.unlink()
    left_by_a_kill(out, first, 3, line_of(4, first) + b"\n")
    assert "line 4 was not written by the run" in refusal(out, first)


def test_lines_with_errors_are_known_and_counted_again(out: Path) -> None:
    first = header()
    left_by_a_kill(out, first, 1, failure(2, "T-2", "internal_error", '"disposition":"draft"').line + b"\n")
    with open_out(out, first, overwrite=False) as growing:
        assert growing.counts == {"draft": 1, ERRORS: 1}
    assert came_to(b'{"id":"1","kind_evidence":"\\"disposition\\":\\"draft\\"","disposition":"no_reply"}') == "no_reply"


def test_files_of_others_are_refused_until_they_may_be_overwritten(out: Path) -> None:
    out.write_bytes(b"mine\n")
    said = refusal(out, header())
    assert said == f"{out}: a file is here already; name another one, or add --overwrite"
    with open_out(out, header(), overwrite=True) as growing:
        assert growing.done == 0
    assert "other tickets or with another generation" in refusal(out, header(manifest="00" * 32))
    for damaged in (b"", b"{", b"[]", b"\xff", b'{"format":"firstline-bulk/2"}', b"[" * 100_000):
        sidecar_of(out).write_bytes(damaged)
        assert "add --overwrite to begin again" in refusal(out, header())
    with open_out(out, header(lines=0), overwrite=True) as growing:
        growing.finish()
    assert out.read_bytes() == b""


def test_an_empty_file_has_nothing_to_lose(out: Path) -> None:
    out.touch()
    with open_out(out, header(), overwrite=False) as growing:
        assert growing.done == 0


def test_only_one_process_writes_at_a_time(out: Path) -> None:
    with open_out(out, header(), overwrite=False) as growing:
        growing.append(line_of(1, header()), "draft")
        for overwrite in (False, True):
            with pytest.raises(BulkError, match="another run is writing"), open_out(out, header(), overwrite):
                pass
        assert out.read_bytes() == line_of(1, header()) + b"\n"


def test_paths_that_cannot_be_are_refused_before_work(tmp_path: Path) -> None:
    tickets, folder, link = tmp_path / "in.jsonl", tmp_path / "folder", tmp_path / "link"
    tickets.write_bytes(b"{}\n")
    folder.mkdir()
    link.hardlink_to(tickets)
    beside = tmp_path / "taken.unfinished.json"
    beside.symlink_to(tickets)
    fine = tmp_path / "out"
    check_paths(tickets, fine)
    for given, wanted, words in [
        (tmp_path / "none", fine, "No such file or directory"),
        (folder, fine, "no plain file"),
        (Path("/dev/null"), fine, "no plain file"),
        (tickets, tickets, "this is the file of the tickets"),
        (tickets, link, "this is the file of the tickets"),
        (tickets, tmp_path / "taken", "this is the file of the tickets"),
        (tickets, folder, "this is a folder"),
        (tickets, Path("/dev/null"), "no plain file"),
        (tickets, folder / "none" / "out", "there is no folder"),
        (tickets, tickets / "out", "there is no folder"),
        (tickets, tmp_path / ("x" * 250), "File name too long"),
    ]:
        with pytest.raises(BulkError, match=words):
            check_paths(given, wanted)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "in.jsonl", "link", beside.name]


def test_order_is_kept_and_only_a_little_is_read_ahead() -> None:
    read: list[int] = []
    second_done = threading.Event()

    def lines() -> Iterator[tuple[int, bytes | None]]:
        for number in range(100):
            read.append(number)
            yield number, None

    def work(number: int, data: bytes | None) -> Answer:
        if number == 0:
            assert second_done.wait(30)
        if number == 1:
            second_done.set()
        return Answer(b"%d" % number, "draft")

    answers = in_order(work, lines(), threads=2)
    assert next(answers).line == b"0"
    assert len(read) <= 4
    assert [int(found.line) for found in answers] == list(range(1, 100))


def test_who_stops_listening_stops_the_work() -> None:
    done: list[int] = []

    def work(number: int, data: bytes | None) -> Answer:
        done.append(number)
        return Answer(b"", "draft")

    answers = in_order(work, ((number, None) for number in range(1_000)), threads=2)
    next(answers)
    answers.close()
    assert len(done) <= 4


def test_an_error_is_one_short_line_without_lone_surrogates() -> None:
    found = failure(17, "T-9", "invalid_ticket", "line 17: " + "\ud800" * 5_000 + ": unknown key; correct the ticket")
    value = json.loads(found.line.decode())
    assert found.line.startswith(b'{"line":17,"ticket_id":"T-9","error":{"code":"invalid_ticket"')
    assert len(value["error"]["detail"]) < 320
    assert value["error"]["detail"].endswith("unknown key; correct the ticket")
    assert found.came_to == ERRORS


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"id":"T-1","colour":1}', "T-1"),
        (b'{"id":7}', None),
        (b'{"id":"' + b"x" * 129 + b'"}', None),
        (b'{"id":"a\\ud800"}', "a?"),
        (b"[]", None),
        (b"{", None),
        (b"7", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_id_of_a_ticket_that_is_not_right(data: bytes, found: str | None) -> None:
    assert id_in(data) == found


def test_an_exception_is_named_without_its_words() -> None:
    with pytest.raises(ValueError, match="4711") as caught:
        raise ValueError("my pin is 4711")
    assert re.fullmatch(r"ValueError at test_bulk\.py:\d+", where_raised(caught.value))


def test_where_no_bar_is_drawn_a_sentence_comes_now_and_then() -> None:
    said: list[str] = []
    timer = Timer()
    progress = told_every(30, said.append, timer)
    for done in range(1_000, 1_101):
        progress("tickets", done, 5_000)
        timer.now += 1
    assert said == [
        "1,030 of 5,000 tickets, 1.0 tickets a second",
        "1,060 of 5,000 tickets, 1.0 tickets a second",
        "1,090 of 5,000 tickets, 1.0 tickets a second",
    ]


def test_the_summary_counts_all_lines_and_the_speed_of_this_start() -> None:
    said = BulkSummary({"draft": 1_500, ERRORS: 2}, lines=500, seconds=10).text
    assert said == "1,502 lines: 1,500 draft, 0 handoff, 0 no_reply, 2 errors; 50.0 tickets a second"
    assert BulkSummary({}, 0, 0.1).text.endswith("0 lines: 0 draft, 0 handoff, 0 no_reply, 0 errors; nothing was left")


def test_the_file_of_tickets_is_hashed_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"a\r\n" + b"x" * 200_000 + b"\n\xff")
    digest = hashlib.sha256()
    assert len(list(read_lines(path, LIMIT, digest.update))) == 3
    assert digest.digest() == hashlib.sha256(path.read_bytes()).digest()
