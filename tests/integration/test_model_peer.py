"""A desk drafts with a real server of chat completions: `transformers serve`, in a process of its own.

Its models are made on the spot. One has random weights and babbles; the other is a table that says what it was made to
say, so that a good answer comes through a real tokenizer, a real chat template and a real server too.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.egress import Egress, EgressLimits
from models.errors import GeneratorError
from models.openai_generator import OpenAIEndpoint, OpenAIGenerator
from models.protocols import GenerationRequest
from triage.assembly import generator_of
from triage.desk_files import read_desk, read_rules
from triage.engine import TriageEngine
from triage.suggestions import Suggestion
from triage.tickets import Ticket

DEMO = Path(__file__).resolve().parents[2] / "desks" / "demo"
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
#: What `transformers serve` imports beside what the other parts of transformers do: its extra `serving`.
NEEDED = ("accelerate", "fastapi", "openai", "rich", "uvicorn")
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>")
TEMPLATE = "{% for turn in messages %}<|{{ turn['role'] }}|>{{ turn['content'] }}</s>{% endfor %}<|assistant|>"
#: Long enough for a prompt with six passages.
WINDOW = 16_384
#: What a suggestion may take beyond the desk's seconds on a busy machine.
SLACK = 1.5
ASK = GenerationRequest("Be brief.", "Where is my parcel?", max_tokens=24, deadline_seconds=30)
TICKET = Ticket(
    id="P-1", subject="reset link dead", body="Asked for a new password and the link is no good. How do I get another?"
)


@dataclass
class Peer:
    """A running server. folder: where it looks for models by name; log: what it prints, one line for a request."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path
    log: Path

    @property
    def answered(self) -> int:
        """How many chat completions it has answered with 200."""
        return len(re.findall(r"POST /v1/chat/completions HTTP/1\.1\" 200", self.log.read_text(encoding="utf-8")))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        pytest.skip(f"transformers serve needs {' and '.join(missing)}: pip install 'transformers[serving]'")
    folder, port = tmp_path_factory.mktemp("serve"), free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1", "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub"), "PYTHONUNBUFFERED": "1"}
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
    try:
        found = Peer(process, f"http://127.0.0.1:{port}", folder, log)
        # It looks for a model when it is asked for one: both take seconds, and side by side.
        articles = sorted((DEMO / "articles").iterdir())
        write_babbler(folder / "babbler", [path.read_text(encoding="utf-8") for path in articles])
        wait_until_ready(found)
        yield found
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(10)


def wait_until_ready(peer: Peer) -> None:
    end = time.monotonic() + 50
    with httpx.Client(base_url=peer.url, trust_env=False) as client:
        while True:
            try:
                assert client.get("/health", timeout=2).status_code == 200
                return
            except httpx.TransportError:
                assert peer.process.poll() is None, peer.log.read_text("utf-8")[-2000:]
                assert time.monotonic() < end, "transformers serve does not answer"
                time.sleep(0.1)


def write_babbler(folder: Path, texts: Sequence[str]) -> None:
    """Two layers of random weights over the words of the desk's own articles."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    inner = ByteLevelBPETokenizer()
    inner.train_from_iterator(texts, vocab_size=600, special_tokens=list(SPECIAL), show_progress=False)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model: Any = LlamaForCausalLM(LlamaConfig(**_ids(inner._tokenizer.get_vocab_size()), **sizes))
    _save(folder, inner._tokenizer, model)


def write_parrot(folder: Path, answer: str) -> None:
    """A table in the form of a language model: behind the mark of its turn comes the answer, behind that the end.

    Its one layer adds nothing; each token is a direction of its own, and the head turns it into the one that follows.
    """
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import LlamaConfig, LlamaForCausalLM

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, answer])}
    inner = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = Whitespace()
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    model: Any = LlamaForCausalLM(LlamaConfig(**_ids(len(vocabulary)), **sizes))
    following = {"<|assistant|>": answer, answer: "</s>"}
    with torch.no_grad():
        layer = model.model.layers[0]
        for weights in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight, model.lm_head.weight):
            weights.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(len(vocabulary), 8))
        for word, following_word in following.items():
            model.lm_head.weight[vocabulary[following_word], vocabulary[word]] = 1.0
    _save(folder, inner, model)


def _ids(words: int) -> dict[str, int]:
    return {
        "vocab_size": words,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "max_position_embeddings": WINDOW,
    }


def _save(folder: Path, inner: Any, model: Any) -> None:
    from transformers import PreTrainedTokenizerFast

    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, additional_special_tokens=list(SPECIAL[4:]), **names)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(str(folder))
    model.save_pretrained(str(folder))


def asking(peer: Peer, model: str = "babbler", **more: Any) -> OpenAIGenerator:
    return OpenAIGenerator(OpenAIEndpoint(peer.url, model, **more), Egress(EgressLimits(allow_loopback=True)), {})


def drafting(engine: TriageEngine, peer: Peer, folder: Path, model: str = "babbler", seconds: int = 30) -> TriageEngine:
    """Return the demo desk's engine with a model in its desk.toml."""
    desk = Path(shutil.copytree(DEMO, folder / f"desk-{model}-{seconds}"))
    with (desk / "desk.toml").open("a", encoding="utf-8") as toml:
        toml.write(
            f'\n[drafting.model]\nkind = "openai"\nbase_url = "{peer.url}/v1"\nmodel = "{model}"\n'
            f"loopback = true\nseconds = {seconds}\n"
        )
    rules = read_rules(desk)
    return replace(engine, rules=rules, generator=generator_of(rules.settings.drafting.model, desk))


def drafted(engine: TriageEngine, number: int) -> list[tuple[Ticket, Suggestion]]:
    """Return the first tickets of the demo desk's past that get a draft, with their suggestions."""
    tickets = (row.ticket for row in read_desk(DEMO).history)
    suggested = ((ticket, engine.suggest(ticket, "s", NOW)) for ticket in tickets)
    return list(islice((pair for pair in suggested if pair[1].draft is not None), number))


def but_for_the_draft(suggestion: Suggestion) -> dict[str, Any]:
    return suggestion.model_dump(exclude={"draft", "timing_ms"})


def test_it_answers_with_text_and_counts_its_tokens(peer: Peer) -> None:
    before = peer.answered
    model = asking(peer)
    answer = model.generate(ASK)
    assert answer.text.strip()
    assert (answer.is_estimated, answer.is_cut) == (False, answer.tokens_out == 24)
    assert 0 < answer.tokens_out <= 24
    # Both turns were read: a longer ticket costs that much more.
    longer = model.generate(replace(ASK, user=" ".join([ASK.user] * 20)))
    assert longer.tokens_in >= answer.tokens_in + 19 * 4
    assert answer.identity == f"{model.identity}=babbler@main"
    assert model.generate(ASK) == answer
    assert peer.answered == before + 3


@pytest.mark.parametrize("mode", ["object", "schema"])
def test_it_may_be_asked_for_json_that_it_does_not_promise(peer: Peer, mode: Any) -> None:
    asked = replace(ASK, schema='{"type": "object"}')
    assert asking(peer, json_mode=mode).generate(asked).text == asking(peer).generate(ASK).text


def test_a_model_that_babbles_leaves_every_draft_as_it_is_without_one(
    demo_engine: TriageEngine, peer: Peer, tmp_path: Path
) -> None:
    engine, before = drafting(demo_engine, peer, tmp_path), peer.answered
    plain = drafted(demo_engine, 4)
    for ticket, expected in plain:
        found = engine.suggest(ticket, "s", NOW)
        assert expected.draft is not None
        assert found.draft == expected.draft.model_copy(update={"warnings": ("model_unavailable",)})
        assert but_for_the_draft(found) == but_for_the_draft(expected)
    assert peer.answered == before + len(plain) == before + 4


def test_a_model_that_writes_what_the_articles_say_is_followed(
    demo_engine: TriageEngine, peer: Peer, tmp_path: Path
) -> None:
    plain = demo_engine.suggest(TICKET, "s", NOW)
    assert plain.draft is not None
    facts = [sentence.text for sentence in plain.draft.sentences if sentence.role == "fact"][:2]
    said = [{"text": text, "passages": [1]} for text in facts]
    write_parrot(peer.folder / "parrot", json.dumps({"sentences": said}, ensure_ascii=False))
    found = drafting(demo_engine, peer, tmp_path, "parrot").suggest(TICKET, "s", NOW)
    assert found.draft is not None
    assert (found.draft.source, found.draft.warnings) == ("model", ())
    supported = [sentence for sentence in found.draft.sentences if sentence.role == "fact"]
    assert [sentence.text for sentence in supported] == facts
    assert all(sentence.support for sentence in supported)
    assert but_for_the_draft(found) == but_for_the_draft(plain)


def test_a_model_that_the_server_does_not_have_is_an_error(peer: Peer) -> None:
    before = peer.answered
    with pytest.raises(GeneratorError, match=r"answered [45]\d\d"):
        asking(peer, "nobody").generate(ASK)
    assert peer.answered == before


def test_a_server_that_stands_still_costs_the_desks_seconds_and_no_more(
    demo_engine: TriageEngine, peer: Peer, tmp_path: Path
) -> None:
    engine, plain = drafting(demo_engine, peer, tmp_path, seconds=1), demo_engine.suggest(TICKET, "s", NOW)
    assert plain.draft is not None
    peer.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    found = engine.suggest(TICKET, "s", NOW)
    assert 1 <= time.monotonic() - start < 1 + SLACK
    peer.process.send_signal(signal.SIGCONT)
    assert found.draft == plain.draft.model_copy(update={"warnings": ("model_unavailable",)})
    assert asking(peer).generate(ASK).text
