"""A build's report as a table for the terminal."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from triage.build import BuildReport
from triage.fit import FieldReport

#: From so many labels on people are shown several guesses, and it is said how often one is right.
MANY_LABELS = 10

NEEDED = (
    "no reply is drafted while it is undecided; state an error that it can keep ([fields] in policy.toml; "
    "`firstline eval tune` shows what each would decide), or take it out of [draft] needs"
)


def print_report(report: BuildReport) -> None:
    """Print what was built and, per field, how it did on held-out folds of the history."""
    console = Console()
    counts = {"unpublished left out": report.drafts_left_out, "broken left out": report.refused}
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    left_out = f" ({told})" if told else ""
    console.print(
        f"Generation {report.generation}: {report.articles} articles{left_out}, {report.passages} passages, "
        f"{report.history} past tickets"
    )
    console.print(f"Vectors of passages: {report.index}", style="dim")
    console.print(_table(report.fields))
    for field in report.fields:
        for line in _notes(field, report.languages):
            console.print(line)
        if field.field in report.needed and field.risk.threshold is None:
            console.print(f"{field.field}: {NEEDED}", style="bold")
        if field.accuracy is not None:
            console.print(f"{field.field}: {field.penalty.sentence()}", style="dim")
    if report.novelty:
        console.print(report.novelty.sentence())
    if report.wording:
        console.print(report.wording.sentence())
    if report.search:
        console.print(report.search.sentence())


def _table(fields: Iterable[FieldReport]) -> Table:
    table = Table("field", "n", "labels", "accuracy (95 %)", "macro-F1", "ECE", "stated error", "coverage")
    for field in fields:
        accuracy = "not measured"
        if field.accuracy is not None:
            accuracy = f"{field.accuracy:.3f} ({field.accuracy_low:.3f}–{field.accuracy_high:.3f})"
        shares = ("–" if share is None else f"{share:.3f}" for share in (field.macro_f1, field.ece))
        coverage = f"{field.risk.coverage:.0%}" if field.risk.threshold is not None else "undecided"
        stated = f"{field.risk.max_error:.0%}"
        table.add_row(field.field, str(field.n), str(field.labels), accuracy, *shares, stated, coverage)
    return table


def _notes(field: FieldReport, languages: Sequence[str]) -> Iterator[str]:
    """Yield what the table cannot show of a field."""
    if field.top3 is not None and field.labels >= MANY_LABELS:
        yield f"{field.field}: right among the best 3 in {field.top3:.1%}, among the best 5 in {field.top5:.1%}"
    if field.risk.threshold is None:
        yield field.risk.sentence(field.field)
    elif field.languages != languages:
        closed = ", ".join(code for code in languages if code not in (field.languages or ()))
        yield f"{field.field}: undecided in {closed}, where too few past tickets show its error"
    for label, risk in field.label_risks.items():
        yield risk.sentence(f"{field.field}, {label}")
