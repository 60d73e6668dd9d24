"""``firstline eval tune``: curves, a setting for each stated target, and a policy to review. Nothing is applied."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from eval.cases import load_cases
from eval.errors import RunError, TuneError
from eval.report.document import write_document
from eval.run_suite import known_articles
from eval.tune.choose import Targets, Tuned, choose
from eval.tune.fields import field_curve
from eval.tune.handoffs import handoff_curves
from eval.tune.proposal import difference, proposed
from eval.tune.tune_text import page, text
from models.protocols import Progress, no_progress
from triage.assembly import engine_of, generations_of, remembering
from triage.desk_files import read_rules
from triage.generation_files import FIELDS
from triage.held_out import read_held_out
from triage.terminal import warn

PAGE, DATA, POLICY = "tune.html", "tune.json", "policy.proposed.toml"


def tune_and_write(
    desk: Path, var: Path, cases: Path, out: Path, targets: Targets, progress: Progress = no_progress
) -> str:
    """Find the curves, write page, JSON and proposed policy, and return what the terminal shows.

    Raises `CaseError`, `RunError`, `TuneError`, and what opening the generation raises.
    """
    generation = generations_of(read_rules(desk).settings, var).open_current(warn)
    engine = engine_of(generation, desk, var)
    now = datetime.now(UTC)
    engine = replace(engine, encoder=remembering(engine.encoder, var, now.date()), generator=None)
    if unknown := {*targets.errors, *targets.coverages} - set(engine.rules.taxonomy.fields):
        raise TuneError(f"the desk has no field {min(unknown)!r}; use {', '.join(engine.rules.taxonomy.fields)}")
    loaded = load_cases(cases, engine.rules.taxonomy, known_articles(desk, engine))
    policy = engine.rules.policy
    fields = tuple(
        field_curve(name, held_out, policy.max_error(name))
        for name, held_out in read_held_out(generation.folder / FIELDS).items()
    )
    found = choose(engine, loaded, now, fields, tuple(handoff_curves(engine, loaded, now, progress)), targets)
    before = (generation.folder / "policy.toml").read_text(encoding="utf-8")
    after = proposed(before, found.settings)
    _write(out, found, after, engine.rules.settings.name)
    return text(found, difference(before, after), out / POLICY, out / PAGE)


def _write(out: Path, found: Tuned, policy: str, desk: str) -> None:
    settings = {".".join(path): value for path, value in found.settings.items()}
    values = {**asdict(replace(found, settings={})), "settings": settings}
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / DATA).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        (out / POLICY).write_text(policy, encoding="utf-8")
    except OSError as error:
        raise RunError(out, None, f"nothing can be written there ({error.strerror})", "name a folder") from error
    write_document(out / PAGE, page(found, desk))
