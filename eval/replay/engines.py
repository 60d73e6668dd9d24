"""The two engines of a replay, and what they share so that nothing is worked out twice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from models.protocols import FloatArray, Progress, no_progress
from retrieval.documents import Document, Hit
from retrieval.search import PassageSearch
from triage.assembly import engine_of, generations_of, remembering
from triage.desk_files import read_rules
from triage.engine import TriageEngine
from triage.generations import Generation
from triage.past_replies import PastReplies
from triage.terminal import warn
from triage.what_if import with_rules

#: The rule files that may be tried, by the option that names them.
RULES = {"policy": "policy.toml", "taxonomy": "taxonomy.toml", "routing": "routing.toml"}


@dataclass(frozen=True)
class Change:
    """What is tried on a desk: rule files by option (see `RULES`), or another generation by its number."""

    desk: Path
    var: Path
    rules: Mapping[str, Path] = field(default_factory=dict)
    generation: str | None = None


@dataclass(frozen=True)
class Engines:
    """Before and after. learnt_again: what of the change had to be learnt, "" where nothing had."""

    before: TriageEngine
    after: TriageEngine
    learnt_again: str = ""


@dataclass(frozen=True)
class OnceSearch(PassageSearch):
    """A search that remembers what it found last: two engines ask it the same, one after the other."""

    _last: dict[tuple[str, int, object], list[Hit]] = field(default_factory=dict, init=False, repr=False, compare=False)

    #: Questions that are remembered: those of one ticket.
    KEPT = 24

    def find(
        self,
        query: str,
        vector: FloatArray,
        limit: int = 10,
        allowed: Callable[[Document], bool] = lambda document: True,
    ) -> list[Hit]:
        """Return what `PassageSearch.find` does; of equal queries the vectors are equal."""
        key = (query, limit, allowed)
        if key not in self._last:
            if len(self._last) >= self.KEPT:
                self._last.clear()
            self._last[key] = super().find(query, vector, limit, allowed)
        return self._last[key]


def open_engines(change: Change, progress: Progress = no_progress) -> Engines:
    """Open a desk's current generation, and what the change makes of it.

    Vectors are taken from, and kept in, the store under `var`. Raises `GenerationError`, `DeskFileError`.
    """
    generations = generations_of(read_rules(change.desk).settings, change.var)
    generation = generations.open_current(warn)
    before = _opened(generation, change)
    if change.generation is not None:
        return Engines(before, _opened(generations.open(change.generation), change))
    before = replace(before, search=_once(before.search), past=_past_once(before.past))
    files = {RULES[option]: path for option, path in change.rules.items()}
    changed = with_rules(before, generation, change.desk, files, progress)
    return Engines(before, changed.engine, changed.learnt_again)


def _opened(generation: Generation, change: Change) -> TriageEngine:
    """Return a generation's engine, with stored vectors and without a language model: its words decide nothing."""
    engine = engine_of(generation, change.desk, change.var)
    encoder = remembering(engine.encoder, change.var, datetime.now(UTC).date())
    return replace(engine, encoder=encoder, generator=None)


def _once(search: PassageSearch) -> OnceSearch:
    return OnceSearch(search.documents, search.passages, search.dense, search.lexical, search.fusion)


def _past_once(past: PastReplies) -> PastReplies:
    return replace(past, tickets=_once(past.tickets), macros=_once(past.macros))
