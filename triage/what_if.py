"""The engine as it would be after a change of a desk's rules: what it costs to know is only what the change touches.

A rule, a team's hours or a routing rule is taken as it is. Errors that fields may make find their thresholds again, on
what the heads said of past tickets that they had not seen. Labels and the two learnt flags are learnt again. Either
way the outcome is that of a build, which is not made.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.protocols import Progress, no_progress
from triage.assembly import changed_files
from triage.build_fields import FieldTrainer
from triage.classify import FieldHead, TicketClassifier
from triage.cleaning import read_text
from triage.desk_files import CORRECTIONS, HISTORY, RULE_FILES, Desk, DeskRules, read_past_tickets, read_rules
from triage.engine import TriageEngine, text_to_classify
from triage.errors import GenerationError
from triage.fit import FieldReport, FittedField
from triage.folds import FoldPlan
from triage.generation_files import FIELDS, copy_rules, read_heads
from triage.generations import Generation
from triage.held_out import HeldOut, read_held_out
from triage.label_errors import with_label_errors
from triage.language import detect
from triage.language_gate import languages_of, with_languages
from triage.learnt_fields import key_of, learn_fields
from triage.penalties import WITHOUT_HISTORY
from triage.risk import find_threshold
from triage.taxonomy import version_of


@dataclass(frozen=True)
class Changed:
    """An engine after a change. learnt_again: what had to be, in words; "" where nothing had."""

    engine: TriageEngine
    learnt_again: str = ""


def with_rules(
    engine: TriageEngine,
    generation: Generation,
    desk: Path,
    files: Mapping[str, Path],
    progress: Progress = no_progress,
) -> Changed:
    """Return the engine of a generation with some of its rule files (by their names in a desk folder) replaced.

    Raises `DeskFileError` where a file is not right, or not beside the others; `GenerationError` where the change has
    to be learnt and the desk's past tickets are no longer those that the generation learnt from.
    """
    with TemporaryDirectory(prefix="firstline-rules-") as name:
        folder = Path(name)
        copy_rules(generation.folder, folder, RULE_FILES)
        for rule_file, path in files.items():
            shutil.copyfile(path, folder / rule_file)
        rules = read_rules(folder)
        hashes = {"policy": version_of(folder / "policy.toml"), "taxonomy": version_of(folder / "taxonomy.toml")}
    after = replace(engine, rules=rules, versions=engine.versions.model_copy(update=hashes))
    lessons = _to_learn(engine.rules, rules)
    if lessons:
        classifier = _learn(after, generation, desk, progress)
    elif engine.rules.policy.fields != rules.policy.fields:
        classifier = _judged_again(engine.classifier, generation, desk, rules)
    else:
        classifier = engine.classifier
    return Changed(replace(after, classifier=classifier), lessons)


def judged_again(
    head: FieldHead, field: str, held_out: HeldOut, rules: DeskRules, languages: tuple[str, ...] | None
) -> FieldHead:
    """Return a field's head with its thresholds and languages found again, by the errors that the policy states.

    languages: of the past tickets, see `languages_of`.
    """
    max_error, chances = rules.policy.max_error(field), held_out.chances()
    right = chances.argmax(axis=1) == held_out.targets
    risk = find_threshold(chances.max(axis=1), right, max_error)
    plain = replace(head, threshold=risk.threshold, languages=None, label_thresholds={})
    report = FieldReport(field, len(right), len(held_out.labels), WITHOUT_HISTORY, risk)
    fitted = with_label_errors(FittedField(plain, report, held_out), rules.policy.label_errors(field), max_error)
    return with_languages(fitted, languages, rules.settings.languages, max_error).head


def _judged_again(
    classifier: TicketClassifier, generation: Generation, desk: Path, rules: DeskRules
) -> TicketClassifier:
    languages = None
    if len(rules.settings.languages) > 1:
        _check_history(generation, desk)
        history = list(read_past_tickets(desk, rules.taxonomy))
        texts = [text_to_classify(read_text(row.ticket)) for row in history]
        languages = languages_of(history, texts, rules.settings.languages, detect)
    known = read_held_out(generation.folder / FIELDS)
    heads = {
        field: judged_again(head, field, known[field], rules, languages) for field, head in classifier.heads.items()
    }
    return replace(classifier, heads=heads)


def _learn(after: TriageEngine, generation: Generation, desk: Path, progress: Progress) -> TicketClassifier:
    """Return what a build would learn of the fields by the changed rules."""
    _check_history(generation, desk)
    plan = FoldPlan(generation.manifest["seed"])
    sources = generation.manifest["sources"]
    if generation.manifest["fields_key"] != key_of(sources, after.encoder.identity, plan):
        raise GenerationError(
            f"{generation.folder} learnt its fields by other code, or with a tuned encoder, and this change has to be "
            f"learnt; change a copy of the desk folder, build it, and compare with --generation"
        )
    history = tuple(read_past_tickets(desk, after.rules.taxonomy))
    texts = [text_to_classify(read_text(row.ticket)) for row in history]
    vectors = after.encoder.encode(texts, progress)
    trainer = FieldTrainer(Desk(desk, after.rules, (), (), history), after.encoder, texts, vectors, plan)
    learnt = learn_fields(trainer, progress)
    with TemporaryDirectory(prefix="firstline-fields-") as name:
        learnt.write(Path(name))
        return read_heads(Path(name), after.encoder.dimension)


def _check_history(generation: Generation, desk: Path) -> None:
    changed = [name for name in changed_files(desk, generation) if name in (HISTORY, CORRECTIONS)]
    if changed:
        raise GenerationError(
            f"{desk / changed[0]} changed since {generation.name} was built, and this change of rules is judged by it; "
            f"run `firstline build {desk}` first"
        )


def _to_learn(before: DeskRules, after: DeskRules) -> str:
    """Say what of a change has to be learnt from the desk's past tickets; "" for nothing."""
    parts: dict[str, Callable[[DeskRules], Any]] = {
        "labels": _labels,
        "the priority matrix": lambda rules: (rules.taxonomy.priority, rules.settings.sla),
        "out of scope": _scope,
        "wording": lambda rules: (rules.policy.wording, _handed_to(rules)),
    }
    return ", ".join(name for name, part in parts.items() if part(before) != part(after))


def _labels(rules: DeskRules) -> Any:
    fields = rules.taxonomy.fields
    return {
        field: [(name, label.description, label.examples) for name, label in labels.items()]
        for field, labels in fields.items()
    }


def _scope(rules: DeskRules) -> Any:
    rule = rules.policy.rules.out_of_scope
    return rule.on, rule.flag_at_most


def _handed_to(rules: DeskRules) -> Any:
    """Return the teams whose past tickets are not ordinary ones."""
    known = rules.policy.rules
    return {known.sensitive_topic.team, known.human_requested.team} if rules.policy.wording.on else None
