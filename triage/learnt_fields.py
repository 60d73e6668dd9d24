"""What a build learns of a desk's fields, in a generation's folder; taken over from the one before where it can be.

Editing an article changes nothing that fields are learnt from, and learning them again is most of a build.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models.artifact_files import read_json
from models.errors import ArtifactError
from models.linear_head import calm_fits
from models.protocols import Progress
from triage.build_fields import FieldTrainer
from triage.code_hash import code_hash
from triage.fit import FieldReport
from triage.fit_novelty import NoveltyReport
from triage.fit_wording import WordingReport
from triage.folds import FoldPlan
from triage.generation_files import FIELDS, write_heads, write_novelty, write_wording
from triage.generations import Generation
from triage.held_out import write_held_out

REPORT = "report.json"
#: Files of a desk that fields are learnt from, beside the code below.
LEARNT_FROM = ("history.jsonl", "corrections.jsonl", "taxonomy.toml", "policy.toml", "desk.toml", "routing.toml")


@dataclass(frozen=True)
class LearntFields:
    """Reports of the fields, in the taxonomy's order, of what tells new tickets, and of wording that hands over; write:
    puts the rest somewhere."""

    reports: tuple[FieldReport, ...]
    novelty: NoveltyReport | None
    wording: WordingReport | None
    write: Callable[[Path], None]

    def write_into(self, generation: Path) -> None:
        """Write heads, held-out chances, novelty and the reports."""
        folder = generation / FIELDS
        folder.mkdir()
        self.write(folder)
        told: dict[str, Any] = {"fields": [asdict(report) for report in self.reports]}
        told |= {"novelty": self.novelty and asdict(self.novelty), "wording": self.wording and asdict(self.wording)}
        (folder / REPORT).write_text(json.dumps(told, allow_nan=False), encoding="utf-8")


def learn_fields(trainer: FieldTrainer, progress: Progress) -> LearntFields:
    """Fit every field of a desk."""
    with calm_fits():
        fitted, novelty = trainer.fit_all(progress)
        wording = trainer.wording(lambda _, done, total: progress("encode examples of wording", done, total))

    def write(folder: Path) -> None:
        write_heads(folder, {field: one.head for field, one in fitted.items()})
        write_held_out(folder, {field: one.held_out for field, one in fitted.items()})
        write_novelty(folder, novelty[0] if novelty else None)
        write_wording(folder, wording[0] if wording else None)

    reports = tuple(one.report for one in fitted.values())
    return LearntFields(reports, novelty[1] if novelty else None, wording[1] if wording else None, write)


def taken_over(before: Generation | None, key: str) -> LearntFields | None:
    """Return what a sound earlier generation learnt from the very same; None where it did not, or does not tell."""
    if before is None or before.manifest.get("fields_key") != key:
        return None
    kept = before.folder / FIELDS
    try:
        told = read_json(kept / REPORT)
        reports = TypeAdapter(tuple[FieldReport, ...]).validate_python(told["fields"])
        novelty = TypeAdapter(NoveltyReport | None).validate_python(told["novelty"])
        wording = TypeAdapter(WordingReport | None).validate_python(told["wording"])
    except (ArtifactError, ValidationError, KeyError, TypeError):
        return None

    def write(folder: Path) -> None:
        shutil.copytree(kept, folder, dirs_exist_ok=True)

    return LearntFields(reports, novelty, wording, write)


def key_of(sources: Mapping[str, str], encoder: str, plan: FoldPlan) -> str:
    """Return a hash of all that fields are learnt from; sources: SHA-256 by file; encoder: its identity."""
    judging = None if plan.judging is None else sorted(plan.judging)
    files = {name: sources.get(name) for name in LEARNT_FROM}
    known: dict[str, Any] = {"files": files, "encoder": encoder, "seed": plan.seed, "judging": judging}
    return hashlib.sha256(json.dumps([known, code_hash()], sort_keys=True).encode()).hexdigest()
