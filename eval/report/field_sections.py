"""Sections about fields: whether confidence means what it says, what abstention buys, and what is mistaken for what."""

from collections.abc import Iterator

from eval.report.curves import reliability_bins, risk_curve, spread
from eval.report.evidence import Evidence, FieldEvidence
from eval.report.markup import Html, card, figure, grid, note, part, plain, section, table, text
from eval.report.measured import figure_text, measured_card
from eval.report.plots import confusion_plot, reliability_plot, risk_plot
from eval.run_record import Run

#: Confused pairs shown of each field.
MOST_PAIRS = 12
#: Rows of the table of a curve.
MOST_ROWS = 20


def field_section(run: Run, evidence: Evidence) -> Html:
    """Return reliability diagram, risk-coverage curve and figures of each field."""
    parts = (
        part(name, _field_body(run, number, name, gathered))
        for number, (name, gathered) in enumerate(evidence.fields.items())
    )
    return section(
        "fields",
        "Fields",
        "How far a confidence can be believed, and what leaving the doubtful cases undecided buys.",
        *parts,
    )


def confusion_section(evidence: Evidence) -> Html:
    """Return the most confused pairs of each field."""
    cells = [_confusions(number, name, gathered) for number, (name, gathered) in enumerate(evidence.fields.items())]
    return section(
        "confusion",
        "Confusion",
        f"Which label was taken for which, decided or not: truth → best guess, at most {MOST_PAIRS} pairs of a field.",
        grid(*cells),
    )


def _field_body(run: Run, number: int, name: str, gathered: FieldEvidence) -> Html:
    if not gathered.truths:
        return note(f"No case carries the field {name}.")
    measured = [entry for entry in run.overall if entry.name.startswith(f"{name}.")]
    cells = [_reliability(number, name, gathered), _risk(number, name, gathered)]
    return grid(*cells, measured_card(f"Figures of {name}", measured))


def _reliability(number: int, name: str, gathered: FieldEvidence) -> Html:
    bins = reliability_bins(gathered.answered_rows())
    if not bins:
        return card(note(f"No case carries the field {name} and a suggestion: every one raised an exception."))
    rows = [
        [plain(at), *(plain(figure_text(value)) for value in (each.confidence, each.right)),
         plain(f"{figure_text(each.low)} – {figure_text(each.high)}"), plain(each.n)]
        for at, each in enumerate(bins, start=1)
    ]  # fmt: skip
    columns = ("bin", "mean confidence", "share right", "95 % interval", "n")
    return figure(
        "Reliability.",
        "On the dashed line, confidence is the share right; below it, guesses are too sure. Bins hold equally many "
        "cases.",
        reliability_plot(f"reliability{number}", f"Reliability diagram of {name}: share right by confidence", bins),
        table(f"Reliability of {name}", columns, rows),
    )


def _risk(number: int, name: str, gathered: FieldEvidence) -> Html:
    curve, now = risk_curve(gathered.all_rows()), gathered.decides()
    rows = [
        [plain(figure_text(coverage)), plain(figure_text(risk)), plain("")]
        for coverage, risk in ((curve[0][at], curve[1][at]) for at in spread(len(curve[0]), MOST_ROWS))
    ]
    if now:
        rows.append([plain(figure_text(now[0])), plain(figure_text(now[1])), plain("now")])
    return figure(
        "Risk and coverage.",
        "The error among the cases decided when the least confident are left out. The mark is where rules and "
        "thresholds decide now; it may lie off the curve.",
        risk_plot(f"risk{number}", f"Risk-coverage curve of {name}: share wrong by share decided", curve, now),
        table(f"Risk by coverage of {name}", ("share decided", "share wrong of those", ""), rows, words=0),
    )


def _confusions(number: int, name: str, gathered: FieldEvidence) -> Html:
    if not gathered.truths:
        return card(note(f"No case carries the field {name}."))
    pairs = list(_pairs(gathered))
    answered = len(gathered.failed) - sum(gathered.failed)
    if not pairs:
        return card(note(f"No guess of {name} was wrong (n = {answered})."))
    rows = [
        [text(truth), text(guess), plain(count), plain(figure_text(count / gathered.truths[truth]))]
        for truth, guess, count in pairs
    ]
    wrong = sum(gathered.confused.values())
    return figure(
        f"{name}.",
        f"{wrong} of {answered} best guesses wrong.",
        confusion_plot(f"confusion{number}", f"The most confused pairs of {name}, by number of cases", pairs),
        table(f"Confused pairs of {name}", ("truth", "guess", "cases", "share of the truth's"), rows, words=2),
    )


def _pairs(gathered: FieldEvidence) -> Iterator[tuple[str, str, int]]:
    """Yield truth, guess and count of the most confused pairs; equals in the order of their names."""
    ordered = sorted(gathered.confused.items(), key=lambda entry: (-entry[1], entry[0]))
    return ((truth, guess, count) for (truth, guess), count in ordered[:MOST_PAIRS])
