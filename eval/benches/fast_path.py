"""Server CPU of ``POST /v1/triage`` beside the encoder's own, in the same run: what all the rest costs."""

import http.client
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.benches.frame import Bar, Cell, Row, write_bench
from eval.benches.service_process import ANSWER, Api, Place, Service, free_port, serving
from eval.cases import load_cases
from eval.errors import BenchError
from eval.run_suite import known_articles
from models.protocols import TextEncoder
from triage.assembly import build_engine
from triage.cleaning import read_text
from triage.engine import TriageEngine, text_to_classify
from triage.tickets import Ticket

ROUNDS = 9
#: Of all that a ticket costs a server, at most this many times what its vector costs.
TARGET = 1.5


@dataclass(frozen=True)
class Round:
    """CPU seconds, of all threads, for every ticket once: the server's process, and an encoder in this one."""

    server: float
    encoder: float


def main(desk: Path, var: Path) -> None:
    """Run the bench. Neither side keeps a vector, so that rounds may repeat the same tickets."""
    started = time.monotonic()
    engine = build_engine(desk, var)
    known = known_articles(desk, engine)
    tickets = [case.ticket for case in load_cases(desk / "cases.jsonl", engine.rules.taxonomy, known)]
    with tempfile.TemporaryDirectory() as folder:
        place = Place.in_folder(Path(folder), desk, var)
        with serving(place, Api(free_port(), place.new_key())) as server:
            rounds = measure(server, engine, tickets)
    rows, bar = outcome(rounds, len(tickets))
    write_bench("fast_path", started, rows, [bar], var / "bench")


def measure(server: Service, engine: TriageEngine, tickets: Sequence[Ticket]) -> list[Round]:
    """Let server and encoder take turns over the same tickets; the first turn only warms them up."""
    bodies = [ticket.model_dump_json(exclude_defaults=True).encode() for ticket in tickets]
    kinds = triage(server.api, bodies)
    texts = [
        text_to_classify(read_text(ticket)) for ticket, kind in zip(tickets, kinds, strict=True) if kind != "empty"
    ]
    encode_each(engine.encoder, texts)
    rounds = []
    for _ in range(ROUNDS):
        before = server.cpu_seconds()
        triage(server.api, bodies)
        rounds.append(Round(server.cpu_seconds() - before, encode_each(engine.encoder, texts)))
    return rounds


def triage(api: Api, bodies: Sequence[bytes]) -> list[str]:
    """Post tickets one after the other over one connection; return their kinds. Raises `BenchError`."""
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=ANSWER)
    headers = {"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"}
    kinds = []
    try:
        for body in bodies:
            connection.request("POST", "/v1/triage", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.OK:
                raise BenchError(f"POST /v1/triage answered {answer.status}: {said[:200]!r}")
            kinds.append(str(json.loads(said)["kind"]))
    finally:
        connection.close()
    return kinds


def encode_each(encoder: TextEncoder, texts: Sequence[str]) -> float:
    """Encode texts one by one, as requests come; return the CPU seconds of this process."""
    start = time.process_time()
    for text in texts:
        encoder.encode([text])
    return time.process_time() - start


def outcome(rounds: Sequence[Round], tickets: int) -> tuple[list[Row], Bar]:
    """Return the table and the bar: totals, with the spread of the rounds."""
    server, encoder = sum(each.server for each in rounds), sum(each.encoder for each in rounds)
    ratios = [each.server / each.encoder for each in rounds]
    table, count = "CPU of a ticket on the fast path", f"{len(rounds)} x {tickets}"
    rows: list[Row] = [
        {"table": table, "system": name, "CPU, ms": _per_ticket(seconds, tickets), "tickets": count}
        for name, seconds in (
            ("POST /v1/triage, the server's process", [each.server for each in rounds]),
            ("the encoder alone, text by text", [each.encoder for each in rounds]),
        )
    ]
    ratio = server / encoder
    name = "server CPU of POST /v1/triage, times the encoder's"
    return rows, Bar(name, ratio, min(ratios), max(ratios), f"<= {TARGET:g}", ratio <= TARGET)


def _per_ticket(seconds: Sequence[float], tickets: int) -> Cell:
    each = [1000 * value / tickets for value in seconds]
    return {"value": sum(each) / len(each), "low": min(each), "high": max(each)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
