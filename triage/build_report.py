"""A build's report as a table for the terminal."""

from rich.console import Console
from rich.table import Table

from triage.build import BuildReport


def print_report(report: BuildReport) -> None:
    """Print what was built and, per field, how it did on held-out folds of the history."""
    console = Console()
    left_out = f" ({report.drafts_left_out} unpublished left out)" if report.drafts_left_out else ""
    console.print(
        f"Generation {report.generation}: {report.articles} articles{left_out}, {report.passages} passages, "
        f"{report.history} past tickets"
    )
    table = Table("field", "n", "labels", "accuracy (95 %)", "ECE", "stated error", "coverage")
    for field in report.fields:
        accuracy, ece = "not measured", "–"
        if field.accuracy is not None and field.ece is not None:
            accuracy = f"{field.accuracy:.3f} ({field.accuracy_low:.3f}–{field.accuracy_high:.3f})"
            ece = f"{field.ece:.3f}"
        coverage = f"{field.risk.coverage:.0%}" if field.risk.threshold is not None else "undecided"
        stated = f"{field.risk.max_error:.0%}"
        table.add_row(field.field, str(field.n), str(field.labels), accuracy, ece, stated, coverage)
    console.print(table)
    for field in report.fields:
        if field.risk.threshold is None:
            console.print(field.risk.sentence(field.field))
        elif field.languages != report.languages:
            closed = ", ".join(code for code in report.languages if code not in (field.languages or ()))
            console.print(f"{field.field}: undecided in {closed}, where too few past tickets show its error")
        for label, risk in field.label_risks.items():
            console.print(risk.sentence(f"{field.field}, {label}"))
    if report.novelty:
        console.print(report.novelty.sentence())
