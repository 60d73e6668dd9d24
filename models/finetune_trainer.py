"""Trains an encoder with the losses and the trainer of sentence-transformers. Needs torch, accelerate and datasets.

A seed gives the same weights again on one machine's CPU with the same number of threads, also over a kill and a
resume. On a GPU it does not: sums in the backward pass run in no fixed order. Nothing is reported to any service, no
model card is written, and the folder is read without the network.
"""

import contextlib
import logging
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.encoder_folders import EncoderFolder
from models.errors import FineTuneError
from models.finetune_checkpoints import WorkFolder
from models.finetune_data import FineTuneSettings, LabelledRows, Split
from models.finetune_measure import METRIC, diverged, make_evaluator
from models.finetune_objectives import make_objective
from models.protocols import Progress

#: The head that measures an encoder is fitted on at most this many rows; more change the accuracy little.
MAX_HEAD_ROWS = 4_000
LOG_EVERY = 10


@dataclass(frozen=True)
class Job:
    """One run: what is tuned, on which rows, where it works."""

    base: EncoderFolder
    rows: LabelledRows
    split: Split
    settings: FineTuneSettings
    work: WorkFolder
    progress: Progress


@dataclass(frozen=True)
class Trained:
    """What a run came to: the best checkpoint, held-out accuracy before and after, and how it was reached."""

    best: Path
    before: float
    after: float
    epochs: float
    device: str
    precision: str
    resumed: bool


def train(job: Job) -> Trained:
    """Tune until the held-out accuracy stops rising; goes on from the last whole checkpoint. Raises `FineTuneError`."""
    device, precision = choose_device(job.settings.device)
    with _quiet(), _own_randomness(job.settings.seed):
        model = load_encoder(job.base.path, device, job.base.name)
        job.work.refuse_small_disk((job.base.path / "model.safetensors").stat().st_size)
        model.max_seq_length = min(model.max_seq_length or job.settings.max_tokens, job.settings.max_tokens)
        evaluator = _evaluator(job)
        before = float(evaluator(model)[METRIC])
        last = job.work.last_whole()
        if last is None or not _has_ended(job, last):
            trainer = _make_trainer(job, model, evaluator, precision)
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        newest = job.work.last_whole()
        if newest is None:
            raise FineTuneError(f"{job.work.checkpoints}: no checkpoint was kept; is the disk writable?")
        best = job.work.best_of(newest)
        # Measured again as it will be used: during training a GPU encodes in its short format.
        after = float(evaluator(load_encoder(best, device, job.base.name))[METRIC])
    epochs = float(job.work.state_of(newest)["epoch"])
    return Trained(best, before, after, epochs, device, precision, last is not None)


def choose_device(wanted: str) -> tuple[str, str]:
    """Return the device and the number format: a GPU trains in bf16, older ones in fp16, a CPU in fp32."""
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise FineTuneError('fine-tuning: device = "cuda", but torch sees no GPU here; set device = "cpu" or "auto"')
    if wanted == "cpu" or not torch.cuda.is_available():
        return "cpu", "fp32"
    return "cuda", "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def load_encoder(folder: Path, device: str, name: str) -> Any:
    """Load a sentence-transformers folder for training. Raises `FineTuneError` where it cannot be trained."""
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(str(folder), device=device, local_files_only=True, trust_remote_code=False)
        trainable = sum(part.numel() for part in model.parameters() if part.requires_grad)
    except Exception as error:  # loading raises many kinds; the cause is kept
        raise FineTuneError(
            f"encoder {name!r} cannot be loaded for training from {folder} ({error.__class__.__name__}); "
            "name a sentence-transformers folder with safetensors weights"
        ) from error
    if not trainable:
        raise FineTuneError(f"encoder {name!r} in {folder} has no weights that can be trained; name another encoder")
    return model.float()


def save_tuned(base: EncoderFolder, checkpoint: Path, made: Path) -> None:
    """Write the base encoder with the checkpoint's weights as a sentence-transformers folder."""
    with _quiet():
        model = load_encoder(base.path, "cpu", base.name)
        model.load_state_dict(load_encoder(checkpoint, "cpu", base.name).state_dict())
        model.save(str(made), create_model_card=False)


def _evaluator(job: Job) -> Any:
    known = job.split.train
    if len(known) > MAX_HEAD_ROWS:
        known = tuple(sorted(random.Random(job.settings.seed).sample(known, MAX_HEAD_ROWS)))  # noqa: S311 - no secret
    return make_evaluator(job.rows.pick(known), job.rows.pick(job.split.held_out), job.progress)


def _has_ended(job: Job, checkpoint: Path) -> bool:
    """Say whether a run that was killed after its last checkpoint had nothing left to train."""
    state = job.work.state_of(checkpoint)
    stopping = state["stateful_callbacks"]["EarlyStoppingCallback"]["attributes"]
    return bool(
        state["global_step"] >= state["max_steps"]
        or stopping["early_stopping_patience_counter"] >= job.settings.patience
    )


def _make_trainer(job: Job, model: Any, evaluator: Any, precision: str) -> Any:
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import EarlyStoppingCallback, PrinterCallback

    dataset, loss, sampler = make_objective(job.rows.pick(job.split.train), job.settings, model)

    class QuietTrainer(SentenceTransformerTrainer):  # type: ignore[misc]
        """Writes checkpoints without a model card: that would quote training texts and ask the hub for the base."""

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            pass

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            self.model.save(output_dir or self.args.output_dir, create_model_card=False)

    trainer = QuietTrainer(
        model=model,
        args=_arguments(job, sampler, precision),
        train_dataset=dataset,
        loss=loss,
        evaluator=evaluator,
        callbacks=[EarlyStoppingCallback(job.settings.patience), _make_watcher(job)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(job: Job, sampler: Any, precision: str) -> Any:
    from sentence_transformers import SentenceTransformerTrainingArguments

    settings = job.settings
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(job.work.checkpoints),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_share,
        seed=settings.seed,
        batch_sampler=sampler,
        use_cpu=precision == "fp32",
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        dataloader_pin_memory=precision != "fp32",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=METRIC,
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        logging_steps=LOG_EVERY,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )
    if arguments.n_gpu > 1:  # a small encoder gains nothing from several, and the batch would grow with them
        arguments._n_gpu = 1
    return arguments


def _make_watcher(job: Job) -> Any:
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        """Tells the progress, stops at a loss that is no number, and seals checkpoints."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            job.progress("fine-tune", state.global_step, state.max_steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
            if not math.isfinite(logs.get("loss", 0.0)):
                raise diverged()

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            job.work.seal(job.work.checkpoints / f"checkpoint-{state.global_step}")

    return Watcher()


@contextlib.contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Seed the process's generators for the run, and give their states back after it."""
    import torch
    from transformers import set_seed

    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else []):
        set_seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The libraries log what they load and train."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
