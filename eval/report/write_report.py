"""A finished run as ``report.html``: one file that needs no script, no other file and no network."""

from pathlib import Path

from eval.report.case_section import worst_section
from eval.report.document import document, write_document
from eval.report.evidence import gather
from eval.report.field_sections import confusion_section, field_section
from eval.report.markup import Html, plain, text
from eval.report.measured import head_section, slice_section
from eval.report.ticket_sections import handoff_section, latency_section, retrieval_section
from eval.run_record import Run

REPORT = "report.html"
#: The sections by their ids.
LINKS = (
    ("figures", "Main figures"),
    ("fields", "Fields"),
    ("confusion", "Confusion"),
    ("retrieval", "Retrieval"),
    ("handoff", "Handoff"),
    ("latency", "Latency"),
    ("slices", "Slices"),
    ("worst", "Worst cases"),
)


def write_report(run: Run) -> Path:
    """Write a run's report into its folder and return its path; the same run gives the same bytes.

    Reads the outcomes once and keeps only numbers of them. Raises `RunError` where they cannot be read, or the report
    cannot be written.
    """
    return write_document(run.folder / REPORT, report_page(run))


def report_page(run: Run) -> str:
    """Return the report as HTML."""
    evidence = gather(run.outcomes(), run.header.fields)
    sections = (
        head_section(run),
        field_section(run, evidence),
        confusion_section(evidence),
        retrieval_section(run, evidence),
        handoff_section(run, evidence),
        latency_section(run, evidence),
        slice_section(run),
        worst_section(evidence.worst),
    )
    return document(
        f"{run.header.desk}: evaluation of {run.header.at:%Y-%m-%d}",
        Html(f"How well {text(run.header.desk)} decides"),
        plain(f"Evaluation of {run.header.at:%Y-%m-%d}"),
        LINKS,
        sections,
    )
