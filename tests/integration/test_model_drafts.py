"""A desk with a language model: a real endpoint on this machine, one that is gone, and one that answers nonsense."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from triage.assembly import generator_of
from triage.desk_files import ModelSettings
from triage.engine import TriageEngine
from triage.suggestion_text import suggestion_text
from triage.suggestions import Suggestion
from triage.tickets import Requester, Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
TICKET = Ticket(
    id="M-1",
    subject="reset link dead",
    body="Asked for a new password last night and the link is no good any more. How do I get a fresh one?",
    requester=Requester(id="c-1", name="Derek Vane", email="derek@pobble.example"),
)


class Endpoint(ThreadingHTTPServer):
    """Speaks the chat protocol; says the sentences that it is told to, or no JSON at all."""

    sentences: tuple[str, ...] | None = ()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    @property
    def settings(self) -> ModelSettings:
        url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        return ModelSettings(kind="openai", base_url=url, model="small-1", loopback=True, seconds=5)


class Handler(BaseHTTPRequestHandler):
    """One answer in the form of a chat completion."""

    server: Endpoint

    def do_POST(self) -> None:
        self.server.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        said = [{"text": text, "passages": [1]} for text in self.server.sentences or ()]
        content = json.dumps({"sentences": said}) if self.server.sentences is not None else "I would rather not."
        choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9}
        body = json.dumps({"model": "small-1", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def suggest(engine: TriageEngine, settings: ModelSettings) -> Suggestion:
    return replace(engine, generator=generator_of(settings, Path())).suggest(TICKET, "s", NOW)


def quoted(engine: TriageEngine) -> list[str]:
    """Return the facts of the draft without a model."""
    draft = engine.suggest(TICKET, "s", NOW).draft
    assert draft is not None
    return [sentence.text for sentence in draft.sentences if sentence.role == "fact"]


def test_a_model_drafts_and_hears_neither_name_nor_address(demo_engine: TriageEngine, endpoint: Endpoint) -> None:
    endpoint.sentences = tuple(quoted(demo_engine)[:2])
    suggestion = suggest(demo_engine, endpoint.settings)
    assert suggestion.draft is not None
    assert (suggestion.draft.source, suggestion.draft.warnings) == ("model", ())
    assert suggestion.draft.text.startswith("Hello Derek,")
    facts = [sentence for sentence in suggestion.draft.sentences if sentence.role == "fact"]
    assert tuple(fact.text for fact in facts) == endpoint.sentences
    assert all(fact.support for fact in facts)
    assert "Derek" not in endpoint.asked[0]
    assert "pobble" not in endpoint.asked[0]


@pytest.mark.parametrize(
    ("sentences", "warning"), [(None, "model_unavailable"), (("You get £500 from us.",), "model_unsupported")]
)
def test_a_model_that_is_no_use_leaves_everything_as_it_is_without_one(
    demo_engine: TriageEngine, endpoint: Endpoint, sentences: tuple[str, ...] | None, warning: str
) -> None:
    endpoint.sentences = sentences
    plain, suggestion = demo_engine.suggest(TICKET, "s", NOW), suggest(demo_engine, endpoint.settings)
    assert plain.draft is not None
    assert suggestion.draft == plain.draft.model_copy(update={"warnings": (warning,)})
    other = {"draft", "timing_ms"}
    assert suggestion.model_dump(exclude=other) == plain.model_dump(exclude=other)


def test_an_endpoint_that_is_gone_leaves_the_draft_with_a_warning(
    demo_engine: TriageEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with Endpoint() as server:
        settings = server.settings
    suggestion = suggest(demo_engine, settings.model_copy(update={"seconds": 1}))
    assert suggestion.draft is not None
    assert (suggestion.draft.source, suggestion.draft.warnings) == ("articles", ("model_unavailable",))
    assert "password" not in caplog.text


def test_the_fast_path_and_handoffs_ask_no_model(demo_engine: TriageEngine, endpoint: Endpoint) -> None:
    engine = replace(demo_engine, generator=generator_of(endpoint.settings, Path()))
    engine.triage(TICKET, "s", NOW)
    handed = TICKET.model_copy(update={"body": "My solicitor will write to you. Where is the reset link?"})
    assert engine.suggest(handed, "s", NOW).disposition == "handoff"
    assert endpoint.asked == []


def test_a_person_at_the_terminal_reads_why_the_model_was_no_use(demo_engine: TriageEngine, endpoint: Endpoint) -> None:
    endpoint.sentences = None
    text = suggestion_text(TICKET, suggest(demo_engine, endpoint.settings))
    assert text.splitlines()[-1].startswith("Note: the language model failed or was late")
