"""A language model in a Hugging Face folder on this disk, run by torch. Needs no network and asks for none."""

import hashlib
import re
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.artifact_files import sha256_of_file
from models.errors import GeneratorAnswerError, GeneratorRefusedError, GeneratorSettingsError, GeneratorTimeoutError
from models.protocols import GenerationRequest, GenerationResult
from models.transformer_encoder import printable

#: Tokens of a request where neither model nor tokenizer says what it can read.
USUAL_WINDOW = 4_096
#: Marks of turns that some templates write in plain characters, unknown to the tokenizer.
USUAL_MARKS = r"<\|[a-z0-9_ ]{1,40}\|>|\[/?INST\]|<</?SYS>>"
#: An added token that is a mark though its card does not call it special. Others are words, or runs of blanks.
IN_BRACKETS = re.compile(r"<[^<>\s]+>|\[[A-Z_/]+\]")


@dataclass(frozen=True)
class _Loaded:
    """A model ready to run. window: tokens it can hold; with an encoder, of the request alone."""

    model: Any
    tokenizer: Any
    has_encoder: bool
    window: int
    ends: tuple[int, ...]


class TransformersGenerator:
    """Writes greedily: the same request gives the same text on one machine. Safe from many threads, one at a time.

    The folder holds ``config.json``, a tokenizer and weights as safetensors; code in it is never run. With a chat
    template the request is put into its form, and the template's own marks are taken out of both texts first: a ticket
    must not be able to end its turn. The deadline is kept between tokens: reading a long request is one step.

    device: ``cpu``, or as torch names another. Raises `GeneratorSettingsError` where the folder cannot be used.
    """

    def __init__(self, folder: Path, device: str = "cpu", clock: Callable[[], float] = time.monotonic) -> None:
        check_folder(folder)
        self._device, self._clock = device, clock
        self._loaded = _load(folder, device)
        self._marks = _marks(self._loaded.tokenizer)
        self._one_at_a_time = threading.Lock()
        precision = str(self._loaded.model.dtype).removeprefix("torch.")
        self.identity = f"transformers-{precision}:{folder.name}-{folder_sha256(folder)[:12]}"

    def __repr__(self) -> str:
        return f"TransformersGenerator({self.identity!r})"

    def generate(self, request: GenerationRequest) -> GenerationResult:
        """Return the answer.

        Raises `GeneratorTimeoutError` at the deadline and `GeneratorRefusedError` where the request is too long.
        """
        end = self._clock() + request.deadline_seconds
        if not self._one_at_a_time.acquire(timeout=request.deadline_seconds):
            raise GeneratorTimeoutError(f"{self.identity}: the deadline passed while another request was running")
        try:
            ids = self._read(request)
            written = self._write(ids, request.max_tokens, end)
            text = printable(self._loaded.tokenizer.decode(written, skip_special_tokens=True)).strip()
        finally:
            self._one_at_a_time.release()
        if not text:
            raise GeneratorAnswerError(f"{self.identity}: the answer is blank; raise max_tokens, or use another model")
        is_cut = len(written) >= request.max_tokens and written[-1] not in self._loaded.ends
        return GenerationResult(text, int(ids.shape[1]), len(written), self.identity, is_cut)

    def _read(self, request: GenerationRequest) -> Any:
        """Return the request's token ids, of shape (1, tokens)."""
        system, user = (self._marks.sub(" ", printable(text)) for text in (request.system, request.user))
        tokenizer = self._loaded.tokenizer
        if tokenizer.chat_template is None:
            ids = tokenizer(f"{system}\n\n{user}\n", return_tensors="pt")["input_ids"]
        else:
            ids = tokenizer(_chat(tokenizer, system, user), add_special_tokens=False, return_tensors="pt")["input_ids"]
        room = self._loaded.window - (0 if self._loaded.has_encoder else request.max_tokens)
        if ids.shape[1] > room:
            raise GeneratorRefusedError(
                f"{self.identity}: the request has {ids.shape[1]} tokens, there is room for {max(room, 0)}; "
                "send less, lower max_tokens or use a model with a larger window"
            )
        return ids.to(self._device)

    def _write(self, ids: Any, max_tokens: int, end: float) -> list[int]:
        """Return the ids of the answer, up to the one that ends it."""
        import torch
        from transformers import StoppingCriteria

        clock = self._clock

        class Deadline(StoppingCriteria):  # type: ignore[misc]
            """Ends the writing once the time is up."""

            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                return torch.full((input_ids.shape[0],), clock() >= end, dtype=torch.bool, device=input_ids.device)

        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = self._loaded.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=max_tokens,
                stopping_criteria=[Deadline()],
            )
        if clock() >= end:
            raise GeneratorTimeoutError(f"{self.identity}: the deadline passed before the answer was whole")
        start = 1 if self._loaded.has_encoder else ids.shape[1]
        return [int(token) for token in out[0, start:]]


def check_folder(folder: Path) -> None:
    """Raise `GeneratorSettingsError` where a folder lacks what a model needs; reads none of it."""
    for pattern, what in (("config.json", "config.json"), ("*.safetensors", "weights"), ("tokenizer*", "a tokenizer")):
        if not any(path.is_file() for path in folder.glob(pattern)):
            raise GeneratorSettingsError(
                f"{folder}: {what} not found ({pattern}); name a Hugging Face folder on this disk, with weights as "
                "safetensors"
            )


def folder_sha256(folder: Path) -> str:
    """Return one hash over the names and contents of all files that change what a model writes."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".safetensors", ".json", ".jinja", ".model"})
    lines = [f"{path.name} {sha256_of_file(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _load(folder: Path, device: str) -> _Loaded:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
            kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
            model = kind.from_pretrained(
                str(folder), config=config, local_files_only=True, trust_remote_code=False, use_safetensors=True
            )
            model = model.to(device).eval()
    except Exception as error:  # damaged folders raise many kinds
        raise GeneratorSettingsError(
            f"{folder}: the model cannot be loaded ({error.__class__.__name__}); name a folder that transformers loads "
            "without code of its own"
        ) from error
    limits = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
    limits.append(tokenizer.model_max_length)
    known = [limit for limit in limits if isinstance(limit, int) and 0 < limit < 10_000_000]
    ends = _ends(model.generation_config.eos_token_id, tokenizer.eos_token_id)
    model.generation_config = _greedy(model, tokenizer, ends)
    return _Loaded(model, tokenizer, bool(config.is_encoder_decoder), min(known, default=USUAL_WINDOW), ends)


def _ends(of_model: int | list[int] | None, of_tokenizer: int | None) -> tuple[int, ...]:
    """Return the ids that end an answer, the model's own where it names some."""
    ends = of_tokenizer if of_model is None else of_model
    return tuple(ends) if isinstance(ends, list) else () if ends is None else (ends,)


def _greedy(model: Any, tokenizer: Any, ends: tuple[int, ...]) -> Any:
    """Return settings with the folder's ids and nothing else of its own: they may draw lots, or search far and slowly.

    What is set on the model counts wherever a call leaves something open, so they replace what it came with.
    """
    from transformers import GenerationConfig

    own, pad = model.generation_config, tokenizer.pad_token_id
    start = own.decoder_start_token_id
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        eos_token_id=list(ends) or None,
        pad_token_id=pad if pad is not None else next(iter(ends), 0),
        bos_token_id=own.bos_token_id,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None) if start is None else start,
        forced_bos_token_id=own.forced_bos_token_id,
        forced_eos_token_id=own.forced_eos_token_id,
    )


def _marks(tokenizer: Any) -> re.Pattern[str]:
    """Match what the tokenizer reads as one of its own marks wherever it stands in a text, and marks of usual forms."""
    added = tokenizer.added_tokens_decoder.values()
    marks = {str(token) for token in added if token.special or IN_BRACKETS.fullmatch(str(token))}
    longest_first = sorted({*marks, *tokenizer.all_special_tokens} - {""}, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, longest_first), USUAL_MARKS]), re.IGNORECASE)


def _chat(tokenizer: Any, system: str, user: str) -> str:
    """Return the request in the form of the chat template; some know no system, which then leads the user's turn."""
    turns = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except Exception:  # a template refuses a role with an error of its own
        turns = [{"role": "user", "content": f"{system}\n\n{user}"}]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
