"""An audit's findings for the terminal, and the words that its page says as well."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from triage.audit_findings import Audit, Contradiction, FieldAudit, OverlappingLabels, Place, Queue
from triage.suggestions import percent

#: A classifier that is right less often cannot tell wrong labels from hard tickets: on simulated labels that are all
#: right, 3 % count as wrong where the best possible classifier reaches 0.90, 11 % at 0.80 and 22 % at 0.70.
SURE_ENOUGH = 0.9
OVERLAPPING = "Labels that overlap: merge them, or describe them better"
WEAKNESSES = {
    "no_history": "no past ticket: give it some, or remove it",
    "never_predicted": "never the best guess: more tickets, or merge it",
    "too_small": "too small to show that its error is kept",
}


def print_audit(audit: Audit, top: int) -> None:
    """Print all findings, at most `top` of a kind and field."""
    console = Console()
    console.print(f"Labels of {audit.desk}, generation {audit.generation}, {audit.history:,} past tickets")
    for field in audit.fields:
        console.print(f"\n[bold]{escape(field.field)}[/bold]: {escape(field_sentence(field))}")
        for title, table, found in _tables(field, top):
            shown = f" (the first {top} of {found:,})" if found > top else ""
            console.print(f"\n{title}{shown}", highlight=False)
            console.print(table)
    if audit.queue:
        console.print(f"\n[bold]Proposed labels[/bold]: {queue_sentence(audit.queue)}")
        if audit.queue.proposed:
            console.print(_proposals(audit.queue, top))


def field_sentence(field: FieldAudit) -> str:
    """Say in a sentence how many labels of a field are wrong, and how far that can be believed."""
    if field.accuracy is None:
        return "too few past tickets to hold any out; add labelled ones and build again"
    wrong = field.wrong
    if wrong.n == 0:
        return f"no label has enough of the {field.n:,} held-out tickets to be judged"
    estimate = (
        f"about {wrong.expected:,.0f} of {wrong.n:,} labels are wrong or cannot be told from the text "
        f"(95 %: {wrong.low:,.0f}–{wrong.high:,.0f}, {wrong.expected / wrong.n:.1%})"
    )
    sure = field.accuracy >= SURE_ENOUGH
    doubt = "" if sure else ", too few to tell wrong labels from hard tickets: take the number as an upper bound"
    return f"{estimate}; the classifier is right on {field.accuracy:.0%} of {field.n:,} held-out tickets{doubt}"


def queue_sentence(queue: Queue) -> str:
    """Say in a sentence what a file of tickets showed."""
    return (
        f"{queue.out_of_scope:,} of {queue.tickets:,} tickets are marked out of scope; "
        f"{len(queue.proposed)} topics stand out among them"
    )


def mistaken(pair: OverlappingLabels) -> str:
    """Say how many tickets of each of two labels were taken for the other."""
    return f"{pair.mistaken[0]} of {pair.n[0]}, {pair.mistaken[1]} of {pair.n[1]}"


def labels_of(found: Contradiction) -> str:
    """Return the labels that one text has, each with its lines."""
    lines: dict[str, list[str]] = {}
    for place, label in zip(found.places, found.labels, strict=True):
        lines.setdefault(label, []).append(str(place.line))
    return "; ".join(f"{label} (line {', '.join(at)})" for label, at in lines.items())


def chance_text(chance: float) -> str:
    """Say a chance as people should read it: none is nothing, none is certain."""
    return "under 1%" if chance < 0.01 else percent(chance)


def name_of(place: Place) -> str:
    """Return how a ticket is called: its id, or its line."""
    return place.ticket or f"line {place.line}"


def topic_name(words: Iterable[str]) -> str:
    """Return a name for a topic."""
    return ", ".join(words) or "(no telling word)"


def _tables(field: FieldAudit, top: int) -> Iterator[tuple[str, Table, int]]:
    """Yield title, table and number of each kind of finding that there is."""
    if field.suspects:
        table = _table("ticket", "line", "given", "suggested", "first words")
        for each in field.suspects[:top]:
            given = f"{each.given} ({chance_text(each.given_chance)})"
            suggested = f"{each.suggested} ({chance_text(each.suggested_chance)})"
            _add(table, name_of(each.place), each.place.line, given, suggested, each.place.words)
        yield "Labels to check, the most suspect first", table, len(field.suspects)
    if field.overlaps:
        table = _table("labels", "overlap (95 %)", "taken for the other", "between them")
        for pair in field.overlaps[:top]:
            overlap = f"{pair.mass:.0%} ({pair.low:.0%}–{pair.high:.0%})"
            between = ", ".join(name_of(place) for place in pair.between)
            _add(table, " / ".join(pair.labels), overlap, mistaken(pair), between)
        yield OVERLAPPING, table, len(field.overlaps)
    if field.weak:
        table = _table("label", "held-out", "best guess for", "needed", "what it is")
        for weak in field.weak[:top]:
            _add(table, weak.label, weak.rows, weak.predicted, weak.needed, WEAKNESSES[weak.weakness])
        yield f"Labels that are weak, at an error of {field.max_error:.0%}", table, len(field.weak)
    if field.contradictions:
        table = _table("same text", "labels")
        for found in field.contradictions[:top]:
            _add(table, found.places[0].words, labels_of(found))
        yield "Contradictions: one text, several labels", table, len(field.contradictions)


def _proposals(queue: Queue, top: int) -> Table:
    table = _table("topic", "tickets", "alike", "to the known", "examples")
    for topic in queue.proposed[:top]:
        examples = "\n".join(f"{name_of(place)}: {place.words}" for place in topic.examples)
        _add(
            table,
            topic_name(topic.words),
            topic.tickets,
            f"{topic.cohesion:.2f}",
            f"{topic.nearest_known:.2f}",
            examples,
        )
    return table


def _table(*columns: str) -> Table:
    """Return a table that breaks long names rather than cut them."""
    return Table(*(Column(column, overflow="fold") for column in columns))


def _add(table: Table, *cells: object) -> None:
    """Add a row; what tickets and labels say is no markup."""
    table.add_row(*(escape(str(cell)) for cell in cells))
