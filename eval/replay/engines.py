"""The two engines of a replay, and what they share so that nothing is worked out twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from eval.replay.decided import Said, said_of
from models.protocols import Progress, no_progress
from triage.assembly import engine_of, generations_of, remembering
from triage.desk_files import read_rules
from triage.drafting.policy import Policy
from triage.engine import TriageEngine
from triage.generations import Generation
from triage.history import TicketHistory
from triage.outcome import Outcome, Reading, disposition
from triage.suggestion_parts import route_of
from triage.terminal import warn
from triage.tickets import Ticket
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
    """Before and after.

    learnt_again: what of the change had to be learnt, "" where nothing had; same_finds: whether both read tickets
    alike, but for what heads decide, and find the same for them; same_drafts: whether they write the same as well.
    """

    before: TriageEngine
    after: TriageEngine
    learnt_again: str = ""
    same_finds: bool = False
    same_drafts: bool = False

    def knowing(self, before: TicketHistory, after: TicketHistory) -> "Engines":
        """Return the same with what each is to know of other tickets."""
        first, second = replace(self.before, history=before), replace(self.after, history=after)
        return replace(self, before=first, after=second)

    def decide(self, ticket: Ticket, id: str, now: datetime) -> tuple[Said, Said]:
        """Return both decisions on a ticket; what both engines would work out alike is worked out once."""
        first, second = self.before, self.after
        if not self.same_finds:
            return said_of(first.suggest(ticket, id, now)), said_of(second.suggest(ticket, id, now))
        reading = first.read(ticket, now)
        again = reading if first.classifier is second.classifier else second.classified_again(reading)
        if reading.wants_no_reply:
            return _said(first, reading, Outcome(), now), _said(second, again, Outcome(), now)
        outcome = first.conclude(reading, first.find(reading))
        found = replace(outcome, draft=None, reasons=(), written=outcome.written if self.same_drafts else None)
        return _said(first, reading, outcome, now), _said(second, again, second.conclude(again, found), now)


def _said(engine: TriageEngine, reading: Reading, outcome: Outcome, now: datetime) -> Said:
    """Return what a suggestion would say of a decision, without the rest of it."""
    route = route_of(reading, outcome, engine.rules, engine.calendar, now)
    fields = reading.fields.items()
    return Said(
        disposition(reading, outcome),
        route.team if route else None,
        {name: found.value for name, found in fields},
        {name: found.best for name, found in fields},
        outcome.reasons,
    )


def open_engines(change: Change, progress: Progress = no_progress) -> Engines:
    """Open a desk's current generation, and what the change makes of it.

    Vectors are taken from, and kept in, the store under `var`. Raises `GenerationError`, `DeskFileError`.
    """
    generations = generations_of(read_rules(change.desk).settings, change.var)
    generation = generations.open_current(warn)
    before = _opened(generation, change)
    if change.generation is not None:
        return Engines(before, _opened(generations.open(change.generation), change))
    files = {RULES[option]: path for option, path in change.rules.items()}
    changed = with_rules(before, generation, change.desk, files, progress)
    after = changed.engine
    shared = _same(before, after)
    return Engines(before, after, changed.learnt_again, shared, shared and _same_drafts(before, after))


def _opened(generation: Generation, change: Change) -> TriageEngine:
    """Return a generation's engine, with stored vectors and without a language model: its words decide nothing."""
    engine = engine_of(generation, change.desk, change.var)
    encoder = remembering(engine.encoder, change.var, datetime.now(UTC).date())
    return replace(engine, encoder=encoder, generator=None)


def _same(before: TriageEngine, after: TriageEngine) -> bool:
    """Tell whether two engines read and find the same; they may still decide otherwise."""
    one, other = before.rules, after.rules
    return (one.settings, one.taxonomy, one.routing, _looks_back(one.policy)) == (
        other.settings, other.taxonomy, other.routing, _looks_back(other.policy),
    )  # fmt: skip


def _looks_back(policy: Policy) -> tuple[object, ...]:
    """Return the parts of a policy by which other tickets are looked for."""
    return policy.duplicates, policy.rules.repeat_contact


def _same_drafts(before: TriageEngine, after: TriageEngine) -> bool:
    """Tell whether such engines write the same drafts; their rules may still refuse them."""
    rules = [engine.rules.policy.rules for engine in (before, after)]
    said = [(one.conflicting_articles.similarity, one.several_questions_unanswered.min_chance) for one in rules]
    return said[0] == said[1]
