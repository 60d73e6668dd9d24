"""However an endpoint fails, a ticket's suggestion is the one without a model, in time, with a warning."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fault_server import Answer, FaultServer, completion, cut, dripping, hanging, saying, sending

from models.egress import Egress, EgressLimits
from models.generator_guards import GuardSettings, guarded
from models.openai_generator import OpenAIEndpoint, OpenAIGenerator
from models.protocols import TextGenerator
from triage.assembly import generator_of
from triage.desk_files import ModelSettings
from triage.engine import TriageEngine
from triage.suggestions import Suggestion
from triage.tickets import Requester, Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
#: Seconds that the desk gives a model, and those for one that is known to use them up.
SECONDS, FEW_SECONDS = 4.0, 0.5
#: What a suggestion may take beyond them on a busy machine; who hangs does so for twice as long.
SLACK = 15.0
TICKET = Ticket(
    id="F-1",
    subject="reset link dead",
    body="Asked for a new password last night and the link is no good any more. How do I get a fresh one?",
    requester=Requester(id="c-1", name="Derek Vane", email="derek@pobble.example"),
)
MADE_UP = "We will send you £500 by courier tomorrow."
OK = b"HTTP/1.1 200 OK\r\n"
UNAVAILABLE, UNSUPPORTED = "model_unavailable", "model_unsupported"


def elsewhere(server: FaultServer, connection: socket.socket) -> None:
    """Send the client on to another port of this machine, which would count it."""
    trap = server.url.replace("127.0.0.1", "localhost")
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {trap}\r\nContent-Length: 0\r\n\r\n"
    connection.sendall(head.encode())


def closing(server: FaultServer, connection: socket.socket) -> None:
    """Close without a word."""


def content(text: str) -> Answer:
    """Answer with a chat completion whose text is this."""
    return sending(completion(text))


#: What the endpoint does, the warning that the draft then has, and how many requests are made of it.
FAULTS: dict[str, tuple[Answer, str, int]] = {
    "hangs": (hanging, UNAVAILABLE, 1),
    "a byte at a time": (dripping(OK + b"Content-Length: 4000\r\n\r\n", b" "), UNAVAILABLE, 1),
    "a head without end": (dripping(OK + b"X-Slow: ", b"a"), UNAVAILABLE, 1),
    "500": (sending(b"{}", "500 Oh"), UNAVAILABLE, 3),
    "429, soon again": (sending(b"{}", "429 Busy", "Retry-After: 0\r\n"), UNAVAILABLE, 3),
    "429, far away": (sending(b"{}", "429 Busy", "Retry-After: 60\r\n"), UNAVAILABLE, 1),
    "401": (sending(b"{}", "401 No"), UNAVAILABLE, 1),
    "HTML": (sending(b"<!doctype html><p>Welcome</p>", head="Content-Type: text/html\r\n"), UNAVAILABLE, 1),
    "JSON cut short": (sending(completion("{}")[:-20]), UNAVAILABLE, 1),
    "JSON of another shape": (sending(b'{"result": {"text": "hello"}}'), UNAVAILABLE, 1),
    "sentences of another shape": (content('{"sentences": {"text": "hello"}}'), UNAVAILABLE, 1),
    "huge, and says so": (sending(b" " * 6_000_000), UNAVAILABLE, 1),
    "huge in chunks": (
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65_536 + b"\r\n", 0),
        UNAVAILABLE,
        1,
    ),
    "more words than asked for": (content("word " * 20_000), UNAVAILABLE, 1),
    "sends us elsewhere": (elsewhere, UNAVAILABLE, 1),
    "closes at once": (closing, UNAVAILABLE, 3),
    "closes in the middle": (cut(completion("{}"), 30), UNAVAILABLE, 3),
    "no choices": (sending(completion("", choices=[])), UNAVAILABLE, 1),
    "no sentences": (content('{"sentences": []}'), UNAVAILABLE, 1),
    "cites what it was not given": (saying(MADE_UP, passages=[99, -1]), UNSUPPORTED, 1),
    "cites by name": (saying(MADE_UP, passages=["kb-999"]), UNAVAILABLE, 1),
    "cites a number without end": (content('{"sentences": [{"text": "a", "passages": [1e999]}]}'), UNAVAILABLE, 1),
    "not a number": (content('{"sentences": [{"text": NaN}]}'), UNAVAILABLE, 1),
    "tokens that are no number": (
        sending(completion("no JSON", usage={"prompt_tokens": float("nan"), "completion_tokens": float("inf")})),
        UNAVAILABLE,
        1,
    ),
    "half of a character": (content(f'{{"sentences": [{{"text": "\ud83d {MADE_UP}"}}]}}'), UNSUPPORTED, 1),
    "half of a character, escaped": (saying("\ud83d \x00 " + MADE_UP), UNAVAILABLE, 1),
    "turned round and piled up": (saying("\u202e" + MADE_UP, "e" + "\u0301" * 300, "\ufeff\u200b"), UNSUPPORTED, 1),
    "promises in Russian": (saying("Мы вернём вам все деньги завтра и пришлём подарок. " * 3), UNSUPPORTED, 1),
    "promises in Arabic": (saying("سوف نعيد لك كل أموالك غدا ونرسل لك هدية مجانية. " * 3), UNSUPPORTED, 1),
    "deep": (content("[" * 5_000), UNAVAILABLE, 1),
    "blanks without end": (content('{"sentences": [' + " " * 10_000), UNAVAILABLE, 1),
    "blanks without end in a fence": (content("```json" + " " * 3_000), UNAVAILABLE, 1),
    "thirty long sentences": (saying(*[f"{MADE_UP} {n} " * 6 for n in range(30)]), UNSUPPORTED, 1),
}
SLOW = {"hangs", "a byte at a time", "a head without end"}

Start = Callable[[Answer], FaultServer]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[FaultServer] = []

    def begin(answer: Answer) -> FaultServer:
        running.append(FaultServer(answer).__enter__())
        return running[-1]

    yield begin
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def plain(demo_engine: TriageEngine) -> Suggestion:
    return demo_engine.suggest(TICKET, "s", NOW)


def with_model(engine: TriageEngine, url: str, seconds: float = SECONDS) -> TriageEngine:
    """Return the engine as a desk has it that names this model."""
    model = ModelSettings(kind="openai", base_url=url, model="small-1", loopback=True, seconds=seconds)
    settings = engine.rules.settings
    settings = settings.model_copy(update={"drafting": settings.drafting.model_copy(update={"model": model})})
    return replace(engine, rules=replace(engine.rules, settings=settings), generator=generator_of(model, Path()))


def facts_of(suggestion: Suggestion) -> list[str]:
    assert suggestion.draft is not None
    return [sentence.text for sentence in suggestion.draft.sentences if sentence.role == "fact"]


def assert_same_but_warned(found: Suggestion, plain: Suggestion, warning: str) -> None:
    assert plain.draft is not None
    assert found.draft == plain.draft.model_copy(update={"warnings": (warning,)})
    other = {"draft", "timing_ms"}
    assert found.model_dump(exclude=other) == plain.model_dump(exclude=other)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_the_models_words_and_nothing_else(
    fault: str, start: Start, demo_engine: TriageEngine, plain: Suggestion
) -> None:
    answer, warning, requests = FAULTS[fault]
    server, seconds = start(answer), FEW_SECONDS if fault in SLOW else SECONDS
    engine = with_model(demo_engine, server.url, seconds)
    begun = time.monotonic()
    found = engine.suggest(TICKET, "s", NOW)
    took = time.monotonic() - begun
    assert_same_but_warned(found, plain, warning)
    assert took < (seconds if fault in SLOW else SECONDS) + SLACK
    assert (server.connections, len(server.asked)) == (requests, requests)
    assert "Derek" not in b"".join(server.asked).decode()


def test_nobody_there(demo_engine: TriageEngine, plain: Suggestion) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    begun = time.monotonic()
    found = with_model(demo_engine, f"http://127.0.0.1:{port}/v1").suggest(TICKET, "s", NOW)
    assert time.monotonic() - begun < SECONDS + SLACK
    assert_same_but_warned(found, plain, UNAVAILABLE)


@pytest.mark.parametrize("passages", [[99], [-1], []])
def test_what_a_model_cites_counts_for_nothing(
    passages: list[int], start: Start, demo_engine: TriageEngine, plain: Suggestion
) -> None:
    fact = facts_of(plain)[0]
    found = with_model(demo_engine, start(saying(fact, passages=passages)).url).suggest(TICKET, "s", NOW)
    assert found.draft is not None
    assert (found.draft.source, found.draft.warnings) == ("model", ())
    own = next(sentence for sentence in plain.draft.sentences if sentence.text == fact) if plain.draft else None
    theirs = next(sentence for sentence in found.draft.sentences if sentence.text == fact)
    assert own is not None
    assert theirs.support == own.support


def test_odd_characters_in_a_true_sentence_reach_nobody(
    start: Start, demo_engine: TriageEngine, plain: Suggestion
) -> None:
    fact = facts_of(plain)[0]
    odd = "\ufeff\u202e" + "\u200b".join(fact) + "\x00\u2066"
    found = with_model(demo_engine, start(saying(odd)).url).suggest(TICKET, "s", NOW)
    assert found.draft is not None
    assert found.draft.source == "model"
    assert facts_of(found) == [fact]


# --- again and again


def watched(url: str, clock: Callable[[], float]) -> TextGenerator:
    """Return the model as a desk has it, but for its clock and for pauses, which are not slept."""
    inner = OpenAIGenerator(OpenAIEndpoint(url, "small-1"), Egress(EgressLimits(allow_loopback=True)), {})
    return guarded(inner, GuardSettings(tokens_per_period=1_000_000), lambda: 0.0, lambda _: None, clock)


def test_a_model_that_keeps_failing_is_left_alone_and_taken_back(
    start: Start, demo_engine: TriageEngine, plain: Suggestion
) -> None:
    now, server = [0.0], start(sending(b"{}", "500 Oh"))
    engine = replace(demo_engine, generator=watched(server.url, lambda: now[0]))
    asked = []
    for _ in range(6):
        assert_same_but_warned(engine.suggest(TICKET, "s", NOW), plain, UNAVAILABLE)
        asked.append(server.connections)
    assert asked == [3, 5, 5, 5, 5, 5]

    now[0] = 29.9
    assert_same_but_warned(engine.suggest(TICKET, "s", NOW), plain, UNAVAILABLE)
    assert server.connections == 5
    now[0] = 30.0  # one request may try; it fails, and the next 30 seconds begin
    for _ in range(3):
        assert_same_but_warned(engine.suggest(TICKET, "s", NOW), plain, UNAVAILABLE)
        assert server.connections == 6

    server.answer = saying(*facts_of(plain)[:1])
    now[0] = 59.9
    assert_same_but_warned(engine.suggest(TICKET, "s", NOW), plain, UNAVAILABLE)
    assert server.connections == 6
    now[0] = 60.0
    for requests in (7, 8, 9):
        found = engine.suggest(TICKET, "s", NOW)
        assert found.draft is not None
        assert (found.draft.source, found.draft.warnings, server.connections) == ("model", (), requests)


def test_a_desks_own_model_is_left_alone_after_five_failures_too(
    start: Start, demo_engine: TriageEngine, plain: Suggestion
) -> None:
    server = start(sending(b"<p>not today"))
    engine = with_model(demo_engine, server.url)
    for number in range(1, 9):
        assert_same_but_warned(engine.suggest(TICKET, "s", NOW), plain, UNAVAILABLE)
        assert server.connections == min(number, 5)


def test_many_tickets_at_once_wait_for_a_hanging_model_no_longer_than_one(
    start: Start, demo_engine: TriageEngine, plain: Suggestion
) -> None:
    server = start(hanging)
    engine = with_model(demo_engine, server.url, FEW_SECONDS)
    begun = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda n: engine.suggest(TICKET, "s", NOW), range(16)))
    assert time.monotonic() - begun < FEW_SECONDS + SLACK
    for suggestion in found:
        assert_same_but_warned(suggestion, plain, UNAVAILABLE)
    assert server.connections <= 8  # four run, four wait in line


# --- what never waits for a model


def test_the_fast_path_asks_no_model_and_waits_for_none(
    start: Start, demo_engine: TriageEngine, plain: Suggestion
) -> None:
    good, release = saying(*facts_of(plain)[:1]), threading.Event()

    def late(server: FaultServer, connection: socket.socket) -> None:
        release.wait(30)
        good(server, connection)

    server = start(late)
    engine = with_model(demo_engine, server.url, 30)
    expected = demo_engine.triage(TICKET, "s", NOW).model_dump(exclude={"timing_ms"})
    with ThreadPoolExecutor(4) as pool:
        drafting = [pool.submit(engine.suggest, TICKET, "s", NOW) for _ in range(4)]
        try:
            end = time.monotonic() + 20
            while len(server.asked) < 4 and time.monotonic() < end:
                time.sleep(0.01)
            triaged = [engine.triage(TICKET, "s", NOW) for _ in range(20)]
            assert not wait(drafting, timeout=0).done  # every place that the model has is still taken
        finally:
            release.set()
        drafts = [done.result(20).draft for done in drafting]
    assert [one.model_dump(exclude={"timing_ms"}) for one in triaged] == [expected] * 20
    assert server.connections == 4
    assert [draft.source for draft in drafts if draft] == ["model"] * 4


def test_the_fast_path_opens_no_connection(start: Start, demo_engine: TriageEngine) -> None:
    server = start(hanging)
    engine = with_model(demo_engine, server.url, FEW_SECONDS)
    for _ in range(10):
        engine.triage(TICKET, "s", NOW)
    assert server.connections == 0
