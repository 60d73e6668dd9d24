"""A page of findings as one HTML file that needs no script, no other file and no network."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from eval.errors import RunError
from eval.report.markup import Html, join, text
from models.artifact_files import write_bytes_atomically


def document(title: str, heading: Html, about: Html, links: Iterable[tuple[str, str]], body: Iterable[Html]) -> str:
    """Return the page. links: (id of a section, what it is called); body: the sections."""
    here = files("eval.report")
    return Template((here / "document.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        heading=heading,
        about=about,
        style=(here / "style.css").read_text(encoding="utf-8"),
        links=join(Html(f'<a href="#{name}">{text(said)}</a>') for name, said in links),
        body=join(body),
    )


def write_document(path: Path, page: str) -> Path:
    """Write a page and return its path; raise `RunError` where it cannot be written."""
    try:
        # What no encoding can hold must not stop it.
        write_bytes_atomically(path, page.encode("utf-8", errors="replace"))
    except OSError as error:
        problem = f"the page cannot be written ({error.strerror})"
        raise RunError(path, None, problem, "free the disk, or name a file in a folder that is there") from error
    return path
