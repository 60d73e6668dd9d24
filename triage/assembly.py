"""The one place that picks implementations: a desk folder and a place for made things, into an engine."""

import importlib.metadata
import logging
import random
from collections.abc import Callable
from datetime import date
from itertools import zip_longest
from pathlib import Path

from models.artifact_files import read_json
from models.encoder_folders import EncoderFolder, find_encoder_folder
from models.errors import EncoderError
from models.hashing_encoder import HashingEncoder
from models.openvino_encoder import OpenVinoEncoder, find_export
from models.protocols import TextEncoder, TextGenerator
from retrieval.answerability import Answerability
from triage.desk_files import Desk, DeskRules, DeskSettings, ModelSettings, hashes_of, read_rules
from triage.engine import MAX_ENCODED, TriageEngine
from triage.errors import GenerationError
from triage.generation_files import FIELDS, read_heads, read_past_replies, read_search
from triage.generations import Generation, Generations
from triage.language import Detector, detect
from triage.suggestions import Versions
from triage.taxonomy import version_of

log = logging.getLogger("firstline")

#: The encoder name of a desk that must build without weights.
HASHING = "hashing"
#: How the identity of an exported encoder begins.
EXPORTED = "openvino-"
#: Returns the encoder of an identity: one that is known, or what the other argument opens.
Share = Callable[[str, Callable[[], TextEncoder]], TextEncoder]


def generations_of(settings: DeskSettings, var: Path) -> Generations:
    """Return where a desk's generations lie."""
    return Generations(var / "generations" / settings.id)


def encoder_for_build(
    desk: Desk, var: Path, notify: Callable[[str], None] = log.warning, folder: EncoderFolder | None = None
) -> TextEncoder:
    """Return the encoder that a desk names, exporting it on first use (slow: needs torch).

    notify: is told where the encoder does not export and torch has to run it, which is slower; folder: an encoder to
    take instead, such as one that was tuned; that has to export, or `EncoderError` is raised.
    """
    settings = desk.rules.settings
    if settings.encoder == HASHING:
        return HashingEncoder()
    from models.encoder_export import ExportPlan, exported_folder
    from models.sentence_encoder import SentenceEncoder

    found = folder or find_encoder_folder(settings.encoder, desk.folder)
    plan = ExportPlan(found, settings.precision, settings.id, calibration_texts(desk))
    try:
        return OpenVinoEncoder(exported_folder(plan, encoders_in(var)))
    except EncoderError as error:
        if folder:  # a later start would look for the desk's own, and refuse what was built with this one
            raise
        notify(f"{error}; torch runs it instead, which starts later and takes longer")
        return SentenceEncoder(found)


def remembering(
    encoder: TextEncoder, var: Path, today: date, notify: Callable[[str], None] = log.warning
) -> TextEncoder:
    """Return the encoder with its vectors kept under `var`: a text that was encoded once is not encoded again."""
    from models.embedding_cache import EmbeddingCache
    from models.embedding_store import EmbeddingStore

    if isinstance(encoder, HashingEncoder):  # faster than any disk
        return encoder
    return EmbeddingCache(encoder, EmbeddingStore(var / "embeddings", encoder, today, notify))


def calibration_texts(desk: Desk) -> list[str]:
    """Return a desk's own texts, past tickets and articles in turns."""
    tickets = (f"{row.ticket.subject or ''}\n{row.ticket.body or ''}"[:MAX_ENCODED] for row in desk.history)
    articles = (document.text[:MAX_ENCODED] for document in desk.articles)
    return [text for pair in zip_longest(tickets, articles) for text in pair if text]


def encoders_in(var: Path) -> Path:
    """Return where exported encoders lie."""
    return var / "encoders"


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


def engine_of(
    generation: Generation,
    folder: Path,
    var: Path,
    detector: Detector = detect,
    share: Share = lambda _, opened: opened(),
) -> TriageEngine:
    """Return the engine of one generation; share: may know its encoder already, which takes half a second to open."""
    rules: DeskRules = read_rules(generation.folder)
    built_with = generation.manifest["encoder"]
    identity = built_with["identity"]
    encoder = share(identity, lambda: open_encoder(identity, rules.settings, folder, var))
    if encoder.dimension != built_with["dimension"]:
        raise GenerationError(
            f"{generation.folder} holds vectors of {built_with['dimension']} numbers, the encoder {encoder.identity} "
            f"gives {encoder.dimension}; build the desk again"
        )
    return TriageEngine(
        encoder=encoder,
        classifier=read_heads(generation.folder / FIELDS, encoder.dimension),
        search=read_search(generation.folder, encoder.dimension),
        answerable=Answerability.from_card(read_json(generation.folder / "answerability.json")),
        past=read_past_replies(generation.folder, encoder.dimension),
        rules=rules,
        detect_language=detector,
        generator=generator_of(rules.settings.drafting.model, folder),
        versions=Versions(
            engine=importlib.metadata.version("firstline"),
            encoder=encoder.identity,
            generation=generation.name,
            knowledge_revision=generation.manifest["knowledge_revision"],
            policy=version_of(generation.folder / "policy.toml"),
            taxonomy=version_of(generation.folder / "taxonomy.toml"),
        ),
    )


def generator_of(settings: ModelSettings | None, folder: Path) -> TextGenerator | None:
    """Return the language model that a desk names, with retries, breaker, budget and line around it, or None.

    Raises `GeneratorSettingsError` where it cannot be used.
    """
    if settings is None:
        return None
    from models.generator_guards import GuardSettings, guarded

    generator: TextGenerator
    if settings.kind == "openai":
        from models.egress import Egress, EgressLimits
        from models.openai_generator import OpenAIEndpoint, OpenAIGenerator

        endpoint = OpenAIEndpoint(settings.base_url, settings.model, settings.key_variable, settings.json_mode)
        generator = OpenAIGenerator(endpoint, Egress(EgressLimits(allow_loopback=settings.loopback)))
    else:
        from models.transformers_generator import TransformersGenerator

        generator = TransformersGenerator(folder / settings.folder)
    # Pauses between tries need no secret.
    return guarded(generator, GuardSettings(tokens_per_period=settings.tokens_per_day), random.random)


def is_built(folder: Path, var: Path) -> bool:
    """Tell whether a desk has a generation that is sound, has its encoder, and was built from its present files."""
    try:
        generation = generations_of(read_rules(folder).settings, var).open_current(log.error)
        if (identity := generation.manifest["encoder"]["identity"]).startswith(EXPORTED):
            find_export(encoders_in(var), identity)
    except (GenerationError, EncoderError):
        return False
    return not changed_files(folder, generation)


def changed_files(folder: Path, generation: Generation) -> list[str]:
    """Return the files of a desk folder that are not as they were when a generation was built."""
    built, now = generation.manifest.get("sources", {}), hashes_of(folder)
    return sorted(name for name in {*built, *now} if built.get(name) != now.get(name))


def open_encoder(identity: str, settings: DeskSettings, folder: Path, var: Path) -> TextEncoder:
    """Return the encoder that a generation was built with. Raises `GenerationError` where it is not to be had."""
    if identity.startswith(EXPORTED):
        return OpenVinoEncoder(find_export(encoders_in(var), identity))
    encoder: TextEncoder
    if settings.encoder == HASHING:
        encoder = HashingEncoder()
    else:
        from models.sentence_encoder import SentenceEncoder

        encoder = SentenceEncoder(find_encoder_folder(settings.encoder, folder))
    if encoder.identity != identity:
        raise GenerationError(
            f"the desk {settings.id!r} was built with the encoder {identity}, not {encoder.identity}; build it again"
        )
    return encoder
