"""A decision made again from its record, and what differs. Ids and timing are left out of the comparison."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from models.errors import ArtifactError, EncoderError, WeightsError
from retrieval.errors import DamagedIndexError
from serve.served_desk import ServedDesk
from serve.storage.suggestion_store import StoredSuggestion
from triage.errors import TriageError
from triage.history import Recorded
from triage.suggestions import HistorySaid, Suggestion

#: What keeps an earlier generation from being opened: purged, damaged, its encoder gone or of another kind.
GONE = (TriageError, ArtifactError, EncoderError, WeightsError, DamagedIndexError)
#: So many differences are told.
MOST = 50
#: A longer value is cut where it is told.
LONGEST = 300
NOT_ASKED_AGAIN = "the draft's words came from a language model, which is not asked again; they were not compared"


@dataclass(frozen=True)
class Difference:
    """A place in the canonical JSON, as ``fields.team.value``, with both values as JSON; None where there is none."""

    at: str
    recorded: Any
    replayed: Any


@dataclass(frozen=True)
class Replay:
    """What came of it. suggestion: the one made again, None where it could not be; notes: what was not compared."""

    same: bool
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    suggestion: Suggestion | None


def replay(desk: ServedDesk, record: StoredSuggestion) -> Replay:
    """Decide again with the record's ticket, vectors, clock and history, by its generation and knowledge."""
    before = record.suggestion
    try:
        engine = desk.engine_at(before.versions.generation, before.versions.knowledge_revision)
        recorded = Recorded(record.vectors, before.history or HistorySaid())
        decide = engine.decide if record.step == "suggest" else engine.decide_triage
        again = decide(record.ticket, before.id, record.created_at, recorded).suggestion
    except GONE as error:
        return Replay(False, (), (_without_folders(str(error), desk),), None)
    notes: tuple[str, ...] = ()
    left, right = canonical(before), canonical(again)
    if before.draft is not None and (before.draft.source == "model" or before.draft.warnings):
        notes = (NOT_ASKED_AGAIN,)
        left, right = left | {"draft": None}, right | {"draft": None}
    found = tuple(islice(differences(left, right), MOST))
    return Replay(not found, found, notes, again)


def canonical(suggestion: Suggestion) -> dict[str, Any]:
    """Return a suggestion as JSON without what no replay can give again: id and timing."""
    return suggestion.model_dump(mode="json", exclude={"id", "timing_ms"})


def differences(recorded: Any, replayed: Any, at: str = "") -> Iterator[Difference]:
    """Yield every place where two JSON values differ, in order."""
    if isinstance(recorded, Mapping) and isinstance(replayed, Mapping):
        for key in dict.fromkeys([*recorded, *replayed]):
            yield from differences(recorded.get(key), replayed.get(key), f"{at}.{key}" if at else str(key))
    elif _is_list(recorded) and _is_list(replayed) and len(recorded) == len(replayed):
        for number, pair in enumerate(zip(recorded, replayed, strict=True)):
            yield from differences(*pair, f"{at}[{number}]")
    elif recorded != replayed:
        yield Difference(at, _cut(recorded), _cut(replayed))


def _without_folders(text: str, desk: ServedDesk) -> str:
    """Return an error's text without where the server keeps its files, which is no caller's business."""
    for folder in (desk.place.var, desk.place.folder):
        text = text.replace(f"{folder}/", "")
    return text


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _cut(value: Any) -> Any:
    text = value if isinstance(value, str) else repr(value)
    return value if len(text) <= LONGEST else f"{text[:LONGEST]} …"
