"""What is wrong with a desk's labels: the findings of `firstline audit`, with the tickets that they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from models.protocols import IntArray, Progress, TextEncoder, no_progress
from triage.assembly import changed_files
from triage.audit_classes import overlapping_labels, weak_labels
from triage.audit_findings import (
    Audit,
    Contradiction,
    FieldAudit,
    OverlappingLabels,
    Place,
    ProposedLabel,
    Queue,
    SuspectLabel,
    TooFew,
)
from triage.audit_labels import Chances, contradictions, suspect_labels, wrong_labels
from triage.audit_topics import propose_labels
from triage.cleaning import read_text
from triage.desk_files import Desk, parse_ticket, read_json_lines
from triage.engine import TriageEngine, text_to_classify
from triage.errors import DeskFileError, GenerationError
from triage.generation_files import FIELDS
from triage.generations import Generation
from triage.held_out import HeldOut, read_held_out
from triage.suggestions import Suggestion
from triage.tickets import Ticket

#: What is kept of a ticket's words, in letters.
MOST_LETTERS = 100
#: Tickets of a proposed label that are shown.
EXAMPLES = 5
OUT_OF_SCOPE = "out_of_scope"


def audit_desk(desk: Desk, generation: Generation, field: str | None = None) -> Audit:
    """Audit the labels of all fields, or of one.

    Raises `DeskFileError` for a desk without history, an unknown field, or history that is not what was built from;
    `GenerationError` where the generation keeps no held-out chances.
    """
    held_out = _held_out(desk, generation)
    known = desk.rules.taxonomy.fields
    if field is not None and field not in known:
        remedy = f"use one of {', '.join(known)}"
        raise DeskFileError(desk.folder / "taxonomy.toml", None, f"there is no field {field!r} to audit", remedy)
    lines = [past.line for past in desk.history]
    texts = [text_to_classify(read_text(past.ticket)) for past in desk.history]
    places = [place_of(past.ticket, line, text) for past, line, text in zip(desk.history, lines, texts, strict=True)]
    fields = [audit_field(desk, name, held_out.get(name), texts, places) for name in ([field] if field else known)]
    return Audit(desk.rules.settings.id, generation.name, len(desk.history), tuple(fields))


def audit_field(
    desk: Desk, field: str, held_out: HeldOut | None, texts: Sequence[str], places: Sequence[Place]
) -> FieldAudit:
    """Audit one field; texts and places: of each row of the history; held_out: None where there is too little of it."""
    names = held_out.labels if held_out else tuple(desk.rules.taxonomy.fields[field])
    targets = held_out.targets if held_out else np.zeros(0, dtype=np.int64)
    chances = held_out.chances().astype(np.float64) if held_out else np.zeros((0, len(names)))
    judged = Judged(names, [places[row] for row in held_out.rows] if held_out else [], targets, chances)
    max_error = desk.rules.policy.max_error(field)
    wrong = wrong_labels(chances, targets)
    return FieldAudit(
        field=field,
        n=len(targets),
        accuracy=float((chances.argmax(axis=1) == targets).mean()) if len(targets) else None,
        max_error=max_error,
        wrong=wrong,
        suspects=judged.suspects(wrong.high),
        overlaps=judged.overlaps(),
        weak=judged.weak(max_error),
        contradictions=_contradictions(desk, field, texts, places),
    )


@dataclass(frozen=True)
class Judged:
    """The held-out rows of a field with the names of its labels, to tell findings in words."""

    names: Sequence[str]
    places: Sequence[Place]
    targets: IntArray
    chances: Chances

    def suspects(self, most: float) -> tuple[SuspectLabel, ...]:
        """Return the labels that are probably wrong, the most suspect first."""
        return tuple(
            SuspectLabel(
                place=self.places[each.row],
                given=self.names[each.given],
                suggested=self.names[each.suggested],
                given_chance=each.given_chance,
                suggested_chance=each.suggested_chance,
            )
            for each in suspect_labels(self.chances, self.targets, most)
        )

    def overlaps(self) -> tuple[OverlappingLabels, ...]:
        """Return the pairs of labels that overlap, the most overlapping first."""
        return tuple(
            OverlappingLabels(
                labels=(self.names[each.first], self.names[each.second]),
                mass=each.mass,
                low=each.low,
                high=each.high,
                mistaken=each.mistaken,
                n=each.n,
                between=tuple(self.places[row] for row in each.between),
            )
            for each in overlapping_labels(self.chances, self.targets)
        )

    def weak(self, max_error: float) -> tuple[TooFew, ...]:
        """Return the labels that are too weak to rely on."""
        return tuple(
            TooFew(self.names[each.label], each.rows, each.predicted, each.needed, each.weakness)
            for each in weak_labels(self.chances, self.targets, max_error)
        )


def is_out_of_scope(suggestion: Suggestion) -> bool:
    """Tell whether a ticket was handed over because the desk knows nothing like it."""
    reasons = suggestion.handoff.reasons if suggestion.handoff else ()
    return any(reason.code == OUT_OF_SCOPE for reason in reasons)


def read_queue(path: Path) -> dict[int, Ticket]:
    """Read tickets without labels, by their line; raise `DeskFileError`."""
    return {line: parse_ticket(path, line, value) for line, value in read_json_lines(path)}


def audit_queue(
    desk: Desk, engine: TriageEngine, tickets: Mapping[int, Ticket], now: datetime, progress: Progress = no_progress
) -> Queue:
    """Ask the engine which tickets are out of scope, and look for topics among those; tickets: by their line."""
    texts = {line: text_to_classify(read_text(ticket)) for line, ticket in tickets.items()}
    engine.encoder.encode([*texts.values()], progress)  # many at once: an encoder that remembers is asked one by one
    outside = []
    for number, (line, ticket) in enumerate(tickets.items(), start=1):
        if is_out_of_scope(engine.suggest(ticket, f"line-{line}", now)):
            outside.append(line)
        progress("read tickets", number, len(tickets))
    return topics_of(desk, engine.encoder, tickets, outside)


def topics_of(desk: Desk, encoder: TextEncoder, tickets: Mapping[int, Ticket], outside: Sequence[int]) -> Queue:
    """Look for topics among out-of-scope tickets; tickets: by their line, outside: the lines of those."""
    texts = [text_to_classify(read_text(tickets[line])) for line in outside]
    known = [text_to_classify(read_text(past.ticket)) for past in desk.history]
    vectors = encoder.encode([*texts, *known])
    places = [place_of(tickets[line], line, text) for line, text in zip(outside, texts, strict=True)]
    proposed = tuple(
        ProposedLabel(
            words=topic.words,
            tickets=len(topic.tickets),
            cohesion=topic.cohesion,
            nearest_known=topic.nearest_known,
            examples=tuple(places[at] for at in topic.tickets[:EXAMPLES]),
        )
        for topic in propose_labels(vectors[: len(texts)], texts, vectors[len(texts) :], known)
    )
    return Queue(len(tickets), len(texts), proposed)


def place_of(ticket: Ticket, line: int, text: str) -> Place:
    """Return where a ticket stands, with its first words."""
    words = " ".join(text.split())
    return Place(ticket.id, line, words if len(words) <= MOST_LETTERS else f"{words[:MOST_LETTERS].rstrip()}…")


def _held_out(desk: Desk, generation: Generation) -> dict[str, HeldOut]:
    remedy = f"run `firstline build {desk.folder}`"
    if not desk.history:
        path = desk.folder / "history.jsonl"
        raise DeskFileError(path, None, "there is no labelled ticket to audit", f"add some, then {remedy}")
    for name in changed_files(desk.folder, generation):
        if name in ("history.jsonl", "corrections.jsonl", "taxonomy.toml"):
            raise DeskFileError(desk.folder / name, None, "the file changed since the build", f"{remedy} first")
    if not (generation.folder / FIELDS / "held_out.json").is_file():
        raise GenerationError(f"{generation.folder} keeps no chances of held-out tickets; {remedy}")
    return read_held_out(generation.folder / FIELDS)


def _contradictions(desk: Desk, field: str, texts: Sequence[str], places: Sequence[Place]) -> tuple[Contradiction, ...]:
    rows = [row for row, past in enumerate(desk.history) if field in past.labels]
    labels = [desk.history[row].labels[field] for row in rows]
    found = contradictions([texts[row] for row in rows], labels)
    return tuple(
        Contradiction(tuple(places[rows[at]] for at in group), tuple(labels[at] for at in group)) for group in found
    )
