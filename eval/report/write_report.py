"""A finished run as ``report.html``: one file that needs no script, no other file and no network."""

from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from eval.errors import RunError
from eval.report.case_section import worst_section
from eval.report.evidence import gather
from eval.report.field_sections import confusion_section, field_section
from eval.report.markup import Html, join, text
from eval.report.measured import head_section, slice_section
from eval.report.ticket_sections import handoff_section, latency_section, retrieval_section
from eval.run_record import Run
from models.artifact_files import write_bytes_atomically

REPORT = "report.html"


def write_report(run: Run) -> Path:
    """Write a run's report into its folder and return its path; the same run gives the same bytes.

    Reads the outcomes once and keeps only numbers of them. Raises `RunError` where they cannot be read, or the report
    cannot be written.
    """
    path = run.folder / REPORT
    # What no encoding can hold must not stop the report.
    page = report_page(run).encode("utf-8", errors="replace")
    try:
        write_bytes_atomically(path, page)
    except OSError as error:
        raise RunError(
            path, None, f"the report cannot be written ({error.strerror})", "free the disk or folder"
        ) from error
    return path


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
    return _fill(run, join(sections))


def _fill(run: Run, body: Html) -> str:
    here = files("eval.report")
    page = Template((here / "page.html").read_text(encoding="utf-8"))
    style = (here / "style.css").read_text(encoding="utf-8")
    desk, date = run.header.desk, f"{run.header.at:%Y-%m-%d}"
    title = escape(f"{desk}: evaluation of {date}")
    return page.substitute(title=title, desk=text(desk), date=date, style=style, body=body)
