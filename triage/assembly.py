"""The one place that picks implementations: a desk folder and a place for made things, into an engine."""

import importlib.metadata
import logging
from collections.abc import Callable
from pathlib import Path

from models.encoder_folders import find_encoder_folder
from models.hashing_encoder import HashingEncoder
from models.protocols import TextEncoder
from triage.desk_files import Desk, DeskRules, DeskSettings, hashes_of, read_rules
from triage.engine import TriageEngine
from triage.errors import GenerationError
from triage.generation_files import read_heads, read_past_replies, read_search
from triage.generations import Generation, Generations
from triage.language import Detector, detect
from triage.suggestions import Versions
from triage.taxonomy import version_of

log = logging.getLogger("firstline")

#: The encoder name of a desk that must build without weights.
HASHING = "hashing"


def generations_of(settings: DeskSettings, var: Path) -> Generations:
    """Return where a desk's generations lie."""
    return Generations(var / "generations" / settings.id)


def encoder_for_build(desk: Desk, var: Path) -> TextEncoder:
    """Return the encoder that a desk names, exporting it on first use (slow: needs torch)."""
    return _encoder(desk.rules.settings.encoder, desk.folder, var, export=True)


def build_engine(
    folder: Path,
    var: Path,
    detector: Detector = detect,
    on_refused: Callable[[str], None] = log.error,
    on_stale: Callable[[str], None] = log.warning,
) -> TriageEngine:
    """Return the engine of a desk's current generation.

    The engine follows the rule files as they were when the generation was built. Raises `DeskFileError` for a folder
    that is no desk, `GenerationError` where nothing can be served, `ModelsError` for damaged weights.
    """
    rules = read_rules(folder)
    generation = generations_of(rules.settings, var).open_current(on_refused)
    if changed := changed_files(folder, generation):
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        on_stale(f"{folder / changed[0]}{more} changed since the build; run `firstline build {folder}` to use it")
    return engine_of(generation, folder, var, detector)


def engine_of(generation: Generation, folder: Path, var: Path, detector: Detector = detect) -> TriageEngine:
    """Return the engine of one generation."""
    rules: DeskRules = read_rules(generation.folder)
    encoder = _encoder(rules.settings.encoder, folder, var, export=False)
    expected = generation.manifest["encoder"]
    if (encoder.identity, encoder.dimension) != (expected["identity"], expected["dimension"]):
        raise GenerationError(
            f"{generation.folder} was built with the encoder {expected['identity']}, not {encoder.identity}; "
            "build the desk again"
        )
    return TriageEngine(
        encoder=encoder,
        classifier=read_heads(generation.folder),
        search=read_search(generation.folder, encoder.dimension),
        past=read_past_replies(generation.folder, encoder.dimension),
        rules=rules,
        detect_language=detector,
        versions=Versions(
            engine=importlib.metadata.version("firstline"),
            encoder=encoder.identity,
            generation=generation.name,
            knowledge_revision=generation.manifest["knowledge_revision"],
            policy=version_of(generation.folder / "policy.toml"),
            taxonomy=version_of(generation.folder / "taxonomy.toml"),
        ),
    )


def is_built(folder: Path, var: Path) -> bool:
    """Tell whether a desk has a generation that is sound and was built from its present files."""
    try:
        generation = generations_of(read_rules(folder).settings, var).open_current(log.error)
    except GenerationError:
        return False
    return not changed_files(folder, generation)


def changed_files(folder: Path, generation: Generation) -> list[str]:
    """Return the files of a desk folder that are not as they were when a generation was built."""
    built, now = generation.manifest.get("sources", {}), hashes_of(folder)
    return sorted(name for name in {*built, *now} if built.get(name) != now.get(name))


def _encoder(name: str, base: Path, var: Path, export: bool) -> TextEncoder:
    if name == HASHING:
        return HashingEncoder()
    from models.onnx_encoder import OnnxEncoder

    folder = find_encoder_folder(name, base)
    cache = var / "encoders"
    if not export:
        return OnnxEncoder(cache / f"onnx-fp32-{folder.weights_sha256[:12]}")
    from models.onnx_export import exported_folder

    return OnnxEncoder(exported_folder(folder, cache))
