"""An audit of a desk's labels as one HTML file that needs no script, no other file and no network."""

from collections.abc import Iterator
from pathlib import Path

from eval.report.document import document, write_document
from eval.report.markup import Html, folded, listing, note, part, plain, section, table, text
from triage.audit_findings import Audit, Contradiction, FieldAudit, OverlappingLabels, Place, Queue
from triage.audit_text import (
    OVERLAPPING,
    WEAKNESSES,
    chance_text,
    field_sentence,
    labels_of,
    mistaken,
    name_of,
    queue_sentence,
    topic_name,
)


def write_audit_page(audit: Audit, path: Path, top: int) -> None:
    """Write the page, at most `top` findings of a kind and field; raise `RunError` where it cannot be written."""
    write_document(path, audit_page(audit, top))


def audit_page(audit: Audit, top: int) -> str:
    """Return the page; the same audit gives the same text."""
    sections = [_field_section(number, field, top) for number, field in enumerate(audit.fields)]
    links = [(f"field-{at}", field.field) for at, field in enumerate(audit.fields)]
    if audit.queue:
        sections.append(_queue_section(audit.queue, top))
        links.append(("proposed", "Proposed labels"))
    return document(
        f"{audit.desk}: audit of labels",
        Html(f"The labels of {text(audit.desk)}"),
        plain(f"Generation {audit.generation}, {audit.history:,} past tickets"),
        links,
        sections,
    )


def _field_section(number: int, field: FieldAudit, top: int) -> Html:
    found = list(_findings(field, top)) or [note("Nothing was found.")]
    sentence = field_sentence(field)
    return section(f"field-{number}", field.field, f"{sentence[0].upper()}{sentence[1:]}.", *found)


def _findings(field: FieldAudit, top: int) -> Iterator[Html]:
    if field.suspects:
        yield part("Labels to check", _count(len(field.suspects), top), _suspects(field, top))
    if field.overlaps:
        shown = [_overlap(pair) for pair in field.overlaps[:top]]
        yield part(OVERLAPPING, _count(len(field.overlaps), top), *shown)
    if field.weak:
        yield part("Weak labels", _count(len(field.weak), top), _weak(field, top))
    if field.contradictions:
        shown = [_contradiction(found) for found in field.contradictions[:top]]
        yield part("Contradictions", _count(len(field.contradictions), top), *shown)


def _count(found: int, top: int) -> Html:
    return note(f"The first {top} of {found:,}." if found > top else f"{found:,} found.")


def _suspects(field: FieldAudit, top: int) -> Html:
    rows = [
        [_named(each.place), _likely(each.given, each.given_chance), _likely(each.suggested, each.suggested_chance)]
        for each in field.suspects[:top]
    ]
    columns = ("ticket", "given label", "suggested")
    return table(f"Labels of {field.field} to check, the most suspect first", columns, rows, words=len(columns))


def _overlap(pair: OverlappingLabels) -> Html:
    overlap = f"{pair.mass:.0%} (95 %: {pair.low:.0%}–{pair.high:.0%})"
    summary = Html(f'{text(" / ".join(pair.labels))} <span class="soft">{plain(overlap)}</span>')
    return folded(
        summary, note(f"Taken for the other: {mistaken(pair)}."), note("Between them:"), _places(pair.between)
    )


def _weak(field: FieldAudit, top: int) -> Html:
    rows = [
        [
            text(weak.label),
            plain(WEAKNESSES[weak.weakness]),
            plain(weak.rows),
            plain(weak.predicted),
            plain(weak.needed),
        ]
        for weak in field.weak[:top]
    ]
    columns = ("label", "what it is", "held-out tickets", "best guess for", "needed")
    return table(f"Labels too weak for an error of {field.max_error:.0%}", columns, rows, words=2)


def _contradiction(found: Contradiction) -> Html:
    summary = Html(f'{text(found.places[0].words)} <span class="soft">{text(labels_of(found))}</span>')
    return folded(summary, _places(found.places))


def _queue_section(queue: Queue, top: int) -> Html:
    shown = [
        folded(
            Html(f'{text(topic_name(topic.words))} <span class="soft">{plain(f"{topic.tickets:,} tickets")}</span>'),
            note(f"Alike by {topic.cohesion:.2f}, to known tickets by {topic.nearest_known:.2f} (mean cosine)."),
            _places(topic.examples),
        )
        for topic in queue.proposed[:top]
    ]
    return section("proposed", "Proposed labels", f"{queue_sentence(queue)}.", *shown)


def _places(places: tuple[Place, ...]) -> Html:
    return listing(Html(f"{text(name_of(place))}, line {place.line}: {text(place.words)}") for place in places)


def _named(place: Place) -> Html:
    """Return a ticket's words, with its id and line under them."""
    return Html(
        f'<span class="named">{text(place.words)} <small>{text(name_of(place))}, line {place.line}</small></span>'
    )


def _likely(label: str, chance: float) -> Html:
    return Html(f"{text(label)} <small>{plain(chance_text(chance))}</small>")
