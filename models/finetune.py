"""Adapts an encoder to a desk's labels, and says whether that helped on rows it was not trained on.

The rows that an encoder was tuned on no longer say how sure it may be: their vectors know the label. Thresholds and
temperatures want the rows of `FineTuneReport.held_out`, or other rows.
"""

import errno
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.artifact_files import READABLE, read_json, sha256_of_file, sync_folder, write_json
from models.encoder_folders import TUNING_CARD as CARD
from models.encoder_folders import EncoderFolder
from models.errors import ArtifactError, FineTuneError, ModelsError
from models.finetune_checkpoints import WorkFolder
from models.finetune_data import FineTuneSettings, LabelledRows, fingerprint, split_rows
from models.finetune_trainer import Job, save_tuned, train
from models.protocols import Progress, no_progress

FORMAT = "firstline-finetune/1"
LIBRARIES = ("accelerate", "sentence-transformers", "torch", "transformers")
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: How torch and safetensors put it.
DISK_WORDS = ("No space left", "File too large", "failed writing", "unexpected pos", "quota exceeded")


@dataclass(frozen=True)
class FineTuneReport:
    """What came of a run.

    improved: the tuned encoder got more held-out rows right than the untuned one; only then is there a folder.
    held_out: numbers of the rows that were kept out; they chose the best epoch, so `after` flatters a little.
    seconds: of the call that finished; resumed: it went on from a killed run's checkpoint.
    """

    improved: bool
    before: float
    after: float
    folder: Path | None
    weights_sha256: str
    rows: int
    labels: int
    held_out: tuple[int, ...]
    epochs: float
    seconds: float
    device: str
    resumed: bool
    notes: tuple[str, ...]


def finetune(
    base: EncoderFolder,
    rows: LabelledRows,
    out: Path,
    settings: FineTuneSettings,
    progress: Progress = no_progress,
    clock: Callable[[], float] = time.perf_counter,
) -> FineTuneReport:
    """Tune `base` on labelled texts and put the result at `out`, whole or not at all.

    A killed call goes on from its last epoch when it is made again with equal weights, rows and settings; one that
    had finished returns its report at once. Work lies beside `out`, in a folder of that name with a dot before it.
    An encoder that did not improve is not published. Raises `FineTuneError`.
    """
    out = out.resolve()
    key = fingerprint(base.weights_sha256, rows, settings)
    work = WorkFolder(out.parent / f".{out.name}.work")
    card = _card(out)
    if out.exists() and not card:
        raise FineTuneError(f"{out} exists and is no encoder that was tuned here; name another folder, or remove it")
    if card.get("fingerprint") == key and card.get("weights_sha256") == _weights_sha256(out):
        shutil.rmtree(work.folder, ignore_errors=True)  # a kill may have left it
        return _report(card, out)
    split = split_rows(rows, settings.held_out_share, settings.seed)
    job = Job(base, rows, split, settings, work, progress)
    with _plain_errors(out.parent, settings), job.work.of_run(key):
        card = _card(job.work.folder)
        if not card:
            card = {"fingerprint": key, **_train(job, clock)}
            write_json(job.work.folder / CARD, card)
        if card["improved"]:
            card = _publish(job, out, card)
            shutil.rmtree(job.work.folder)
        else:
            shutil.rmtree(job.work.checkpoints, ignore_errors=True)
    return _report(card, out)


def _weights_sha256(folder: Path) -> str:
    weights = folder / "model.safetensors"
    return sha256_of_file(weights) if weights.is_file() else ""


def _card(folder: Path) -> dict[str, Any]:
    """Return the card of a finished run, empty where there is none that can be read."""
    try:
        card = dict(read_json(folder / CARD))
    except (ArtifactError, TypeError, ValueError):
        return {}
    return card if card.get("format") == FORMAT else {}


def _train(job: Job, clock: Callable[[], float]) -> dict[str, Any]:
    """Train, and return what the card says of it."""
    began = clock()
    trained = train(job)
    return {
        "format": FORMAT,
        "base": {"name": job.base.name, "weights_sha256": job.base.weights_sha256},
        "settings": asdict(job.settings),
        "rows": len(job.split.train),
        "labels": sorted({job.rows.labels[row] for row in job.split.train}),
        "held_out": list(job.split.held_out),
        "before": trained.before,
        "after": trained.after,
        "improved": trained.after > trained.before,
        "checkpoint": trained.best.name,
        "weights_sha256": "",
        "epochs": trained.epochs,
        "seconds": round(clock() - began, 3),
        "device": trained.device,
        "precision": trained.precision,
        "resumed": trained.resumed,
        "notes": list(job.split.notes),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _publish(job: Job, out: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Write the best checkpoint's weights with the base's own settings, and rename it into place."""
    made = Path(tempfile.mkdtemp(dir=job.work.folder, prefix="publish-"))
    save_tuned(job.base, job.work.checkpoints / card["checkpoint"], made)
    card = {**card, "weights_sha256": _weights_sha256(made)}
    write_json(made / CARD, card)
    for folder in (made, *(path for path in made.rglob("*") if path.is_dir())):
        sync_folder(folder)
    for path in made.rglob("*"):
        path.chmod(0o755 if path.is_dir() else READABLE)
    made.chmod(0o755)
    if out.exists():
        out.rename(job.work.folder / "replaced")
    made.rename(out)
    sync_folder(out.parent)
    return card


def _report(card: dict[str, Any], out: Path) -> FineTuneReport:
    """Return the card's own words as a report."""
    try:
        return FineTuneReport(
            improved=bool(card["improved"]),
            before=float(card["before"]),
            after=float(card["after"]),
            folder=out if card["improved"] else None,
            weights_sha256=str(card["weights_sha256"]),
            rows=int(card["rows"]),
            labels=len(card["labels"]),
            held_out=tuple(map(int, card["held_out"])),
            epochs=float(card["epochs"]),
            seconds=float(card["seconds"]),
            device=f"{card['device']}-{card['precision']}",
            resumed=bool(card["resumed"]),
            notes=tuple(map(str, card["notes"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FineTuneError(f"{out}: its {CARD} is damaged; remove the folder and build again") from error


@contextmanager
def _plain_errors(folder: Path, settings: FineTuneSettings) -> Iterator[None]:
    """Turn what training raises into one sentence with a remedy; the cause is kept."""
    try:
        yield
    except ModelsError:
        raise
    except ImportError as error:
        raise FineTuneError(f"fine-tuning needs the package {error.name}; run `make setup`") from error
    except Exception as error:  # torch, safetensors and transformers raise many kinds
        text = str(error)
        if "out of memory" in text:
            remedy = f"the memory is too small for batches of {settings.batch_size}; halve batch_size or max_tokens"
        elif getattr(error, "errno", None) in NO_SPACE or any(words in text for words in DISK_WORDS):
            remedy = f"{folder} cannot be written to its end; is the disk full?"
        else:
            remedy = f"{error.__class__.__name__} while training; the cause is above"
        raise FineTuneError(f"fine-tuning stopped: {remedy}. A run with equal settings goes on from here") from error
