"""A replay as one HTML file: counts, load by team and hour, and the differences that matter most."""

from collections.abc import Iterable, Mapping, Sequence

from eval.replay.decided import Flip, Said
from eval.replay.replay_text import reasons_of, share_text
from eval.replay.summary import Share, Summary
from eval.report.document import document
from eval.report.markup import Html, card, facts, folded, join, listing, note, plain, section, table, text

#: Differences that are shown; all of them are in replay.json.
MOST_FLIPS = 200
SECTIONS = (
    ("dispositions", "What becomes of tickets"),
    ("fields", "Fields"),
    ("reasons", "Handoff reasons"),
    ("load", "Load"),
    ("flips", "Differences"),
)


def replay_page(found: Summary, desk: str, about: str) -> str:
    """Return the page; about: what was tried on what, in a sentence. The same replay gives the same text."""
    body = (_dispositions(found), _fields(found), _reasons(found), _load(found), _flips(found.flips))
    return document(f"{desk}: what if", Html(f"What if, on {text(desk)}"), plain(about), SECTIONS, body)


def _dispositions(found: Summary) -> Html:
    ordered = sorted(found.dispositions.items(), key=lambda entry: -entry[1])
    rows = [[plain(before), plain(after), plain(f"{count:,}")] for (before, after), count in ordered]
    known = [
        [plain(name), *_shares(tuple(side[part] for side in found.handoff))]
        for part, name in enumerate(("precision of handoffs", "recall of handoffs"))
        if any(side[part].n for side in found.handoff)
    ]
    said = f"{len(found.flips):,} of {found.tickets:,} tickets are decided otherwise."
    parts = [table("Tickets by what became of them", ("before", "after", "tickets"), rows, words=2)]
    if known:
        parts.append(table("Where it is known whether a person had to take them", ("", "before", "after"), known))
    if found.failed:
        parts.append(folded(plain(f"{len(found.failed)} could not be decided"), listing(map(text, found.failed))))
    return section(*SECTIONS[0], said, *parts)


def _fields(found: Summary) -> Html:
    rows = []
    for name, one in found.fields.items():
        rows.append([text(name), plain("coverage"), *_shares(one.coverage)])
        if any(error.n for error in one.error):
            rows.append([text(name), plain("error"), *_shares(one.error)])
        counts = (one.changed, one.broken, one.mended)
        rows.append([text(name), plain("changed / newly wrong / wrong no longer"), plain(""), plain(_slashed(counts))])
    said = "Coverage: the share that is decided. Error: the share wrong of the decided ones whose truth is known."
    return section(*SECTIONS[1], said, table("Fields", ("field", "", "before", "after"), rows, words=2))


def _reasons(found: Summary) -> Html:
    said = "Tickets for which a rule asks for a person; a ticket can have several reasons."
    return section(*SECTIONS[2], said, _counted("Reasons", "reason", found.reasons))


def _load(found: Summary) -> Html:
    teams = sorted({team for _, team in found.hours})
    rows = [
        [plain(f"{hour:02d}:00"), *(_cell(found.hours.get((hour, team), (0, 0))) for team in teams)]
        for hour in sorted({hour for hour, _ in found.hours})
    ]
    by_hour = (
        table("Tickets by hour at the desk, before → after", ("hour", *teams), rows)
        if rows
        else note("No ticket says when it came in.")
    )
    said = "Who gets the tickets, and at which hour of the day they came in."
    return section(*SECTIONS[3], said, _counted("Teams", "team", found.load), by_hour)


def _flips(flips: Sequence[Flip]) -> Html:
    if not flips:
        return section(*SECTIONS[4], "No decision changes.")
    said = f"The {min(len(flips), MOST_FLIPS):,} that matter most of {len(flips):,}, the gravest first."
    return section(*SECTIONS[4], said, *map(_flip, flips[:MOST_FLIPS]))


def _flip(flip: Flip) -> Html:
    pair = flip.pair
    reasons = [text(f"{side}: {reason}") for side, reason in reasons_of(flip)]
    truth = [(f"right {field}", text(label)) for field, label in pair.truth.items()]
    decisions = facts([("before", _said(pair.before)), ("after", _said(pair.after)), *truth])
    head = join([text(pair.id), text(pair.about), plain("; ".join(flip.what))], " · ")
    return card(folded(head, decisions, listing(reasons) if reasons else Html("")), wide=True)


def _said(said: Said) -> Html:
    fields = (f"{name} {value or 'open'}" for name, value in said.fields.items())
    return text(f"{said.disposition}; {', '.join(fields)}; goes to {said.team or 'nobody'}")


def _counted(caption: str, what: str, counts: Mapping[str, tuple[int, int]]) -> Html:
    rows = [
        [text(name), plain(f"{before:,}"), plain(f"{after:,}"), plain(f"{after - before:+,}")]
        for name, (before, after) in sorted(counts.items(), key=lambda entry: -abs(entry[1][1] - entry[1][0]))
    ]
    return table(caption, (what, "before", "after", "difference"), rows) if rows else note("There are none.")


def _shares(both: Sequence[Share]) -> list[Html]:
    return [plain(share_text(one)) for one in both]


def _cell(both: tuple[int, int]) -> Html:
    return plain(f"{both[0]:,}" if both[0] == both[1] else f"{both[0]:,} → {both[1]:,}")


def _slashed(counts: Iterable[int]) -> str:
    return " / ".join(f"{count:,}" for count in counts)
