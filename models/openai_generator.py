"""A language model behind any endpoint that speaks the chat completions of OpenAI's interface."""

import email.utils
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from models.egress import Egress, EgressResponse
from models.errors import (
    EgressAnswerError,
    EgressRefusedError,
    EgressTimeoutError,
    EgressUnreachableError,
    GeneratorAnswerError,
    GeneratorRefusedError,
    GeneratorSettingsError,
    GeneratorTimeoutError,
    GeneratorUnavailableError,
)
from models.generator_guards import estimate_request, estimate_tokens
from models.protocols import GenerationRequest, GenerationResult
from models.transformer_encoder import CHARACTERS_PER_TOKEN, printable

#: What the name of a variable looks like, and a key does not.
VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
#: What is taken over from an answer into an identity, which is logged and stored.
MODEL_NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,100}")
#: No count of tokens above it is believed.
MAX_TOKENS_BELIEVED = 10_000_000

JsonMode = Literal["none", "object", "schema"]


@dataclass(frozen=True)
class OpenAIEndpoint:
    """Where a model is and how it likes to be asked. Holds no key.

    base_url: as in ``https://models.example/v1``; without a path, ``/v1`` is added. key_variable: the name of the
    environment variable that holds the key, empty where none is needed. json_mode: what the endpoint knows of
    `response_format`: nothing, JSON objects, or schemas. max_tokens_name: what it calls the limit
    (``max_completion_tokens`` with some models). has_temperature: False for models that refuse any.
    """

    base_url: str
    model: str
    # Not shown: somebody may put the key itself here.
    key_variable: str = field(default="", repr=False)
    json_mode: JsonMode = "none"
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    has_temperature: bool = True


class OpenAIGenerator:
    """Asks once, with settings that make equal answers likely: temperature 0 and a seed. Safe from many threads.

    Retries, breaker, budget and line are guards around it: see `generator_guards.guarded`. The key is read from
    `environment` for each request and kept nowhere. Raises `GeneratorSettingsError` where address, model or key cannot
    be used.
    """

    def __init__(self, endpoint: OpenAIEndpoint, egress: Egress, environment: Mapping[str, str] = os.environ) -> None:
        self._endpoint, self._egress, self._environment = endpoint, egress, environment
        self._url, place = _address(endpoint.base_url, egress)
        if not MODEL_NAME.fullmatch(endpoint.model):
            raise GeneratorSettingsError("model: not the name of a model; give letters, digits and ._:/@+- only")
        self.identity = f"openai:{place}/{endpoint.model}"
        self._key()

    def __repr__(self) -> str:
        return f"OpenAIGenerator({self.identity!r})"

    def generate(self, request: GenerationRequest) -> GenerationResult:
        """Return the answer within the request's deadline, or raise a `GeneratorError`."""
        body = json.dumps(payload(request, self._endpoint)).encode("ascii")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        answer = self._send(headers, body, request.deadline_seconds)
        self._check_status(answer)
        try:
            return read_answer(answer.body, request, self.identity)
        except GeneratorAnswerError as error:
            raise GeneratorAnswerError(f"{self.identity}: {error}") from None

    def _key(self) -> str:
        name = self._endpoint.key_variable
        if not name:
            return ""
        if not VARIABLE_NAME.fullmatch(name):
            # What stands there may be the key itself: it is not repeated.
            raise GeneratorSettingsError("key_variable: give the NAME of an environment variable, such as MODEL_KEY")
        key = self._environment.get(name, "").strip()
        if not key or not (key.isascii() and key.isprintable()) or " " in key:
            raise GeneratorSettingsError(
                f"the environment variable {name} is empty or holds no key; set it and restart"
            )
        return key

    def _send(self, headers: Mapping[str, str], body: bytes, seconds: float) -> EgressResponse:
        try:
            return self._egress.send("POST", self._url, headers, body, seconds)
        except EgressTimeoutError as error:
            raise GeneratorTimeoutError(f"{self.identity}: {error}") from None
        except EgressUnreachableError as error:
            raise GeneratorUnavailableError(f"{self.identity}: {error}") from None
        except EgressAnswerError as error:
            raise GeneratorAnswerError(f"{self.identity}: {error}") from None
        except EgressRefusedError as error:
            raise GeneratorRefusedError(f"{self.identity}: {error}") from None

    def _check_status(self, answer: EgressResponse) -> None:
        if answer.status == 200:
            return
        if answer.status in {408, 425, 429} or answer.status >= 500:
            raise GeneratorUnavailableError(
                f"{self.identity}: the endpoint answered {answer.status}; try again later", retry_after(answer.headers)
            )
        remedy = {401: "check the key", 403: "check the key", 404: "check base_url and model"}
        raise GeneratorRefusedError(
            f"{self.identity}: the endpoint answered {answer.status}; "
            f"{remedy.get(answer.status, 'check model, json_mode and max_tokens')}"
        )


def payload(request: GenerationRequest, endpoint: OpenAIEndpoint) -> dict[str, Any]:
    """Return the body of a chat completion. Lone surrogates are replaced: an endpoint could not read them."""
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [
            {"role": "system", "content": printable(request.system)},
            {"role": "user", "content": printable(request.user)},
        ],
        endpoint.max_tokens_name: request.max_tokens,
        "seed": request.seed,
        "stream": False,
    }
    if endpoint.has_temperature:
        body["temperature"] = 0
    if request.schema is not None and endpoint.json_mode == "object":
        body["response_format"] = {"type": "json_object"}
    elif request.schema is not None and endpoint.json_mode == "schema":
        named = {"name": "answer", "strict": True, "schema": json.loads(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    return body


def read_answer(body: bytes, request: GenerationRequest, identity: str) -> GenerationResult:
    """Return what a chat completion says; raise `GeneratorAnswerError`, without a word of it, where it says nothing."""
    try:
        answer = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise GeneratorAnswerError("the answer is not JSON; check base_url") from None
    choice = _first(answer)
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str):
        raise GeneratorAnswerError("the answer holds no text where a chat completion has it; check base_url and model")
    if choice.get("finish_reason") == "content_filter":
        raise GeneratorAnswerError("the endpoint withheld its answer (content_filter)")
    if len(text) > CHARACTERS_PER_TOKEN * request.max_tokens:
        raise GeneratorAnswerError("the answer is longer than max_tokens allows; check max_tokens_name")
    if not text.strip():
        raise GeneratorAnswerError("the answer is blank; raise max_tokens, or name another model")
    text = printable(text)
    usage = answer.get("usage")
    counted = usage if isinstance(usage, dict) else {}
    tokens_in, tokens_out = _count(counted.get("prompt_tokens")), _count(counted.get("completion_tokens"))
    return GenerationResult(
        text=text,
        tokens_in=estimate_request(request) if tokens_in is None else tokens_in,
        tokens_out=estimate_tokens(text) if tokens_out is None else tokens_out,
        identity=_answered_by(identity, answer),
        is_cut=choice.get("finish_reason") == "length",
        is_estimated=tokens_in is None or tokens_out is None,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks to be left alone, where it says so in a form that is known.

    A date is compared with the answer's own, so that nobody's clock needs to be right.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        then, now = (email.utils.parsedate_to_datetime(text) for text in (value, headers.get("date", "")))
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _address(base_url: str, egress: Egress) -> tuple[str, str]:
    """Return where completions are asked for, and the place in it that an identity names."""
    try:
        url = egress.check_url(base_url)
    except EgressRefusedError as error:
        raise GeneratorSettingsError(f"base_url: {error}") from None
    if url.query:
        raise GeneratorSettingsError("base_url: it has a query; give scheme, host and path only")
    path = url.path.rstrip("/") or "/v1"
    return str(url.copy_with(path=f"{path}/chat/completions")), url.netloc.decode("ascii")


def _first(answer: object) -> dict[str, Any]:
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise GeneratorAnswerError("the answer holds no choice; check base_url and model")
    return cast(dict[str, Any], choices[0])


def _count(value: object) -> int | None:
    """Return a number of tokens that can be believed."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS_BELIEVED:
        return value
    return None


def _answered_by(identity: str, answer: Mapping[str, Any]) -> str:
    """Name the model that answered where it is another than was asked for: an alias stands for a dated one."""
    named = answer.get("model")
    if not isinstance(named, str) or not MODEL_NAME.fullmatch(named) or identity.endswith(f"/{named}"):
        return identity
    return f"{identity}={named}"
