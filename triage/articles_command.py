"""``firstline articles``: a desk's knowledge in and out, and what is said about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

from models.protocols import Progress, no_progress
from retrieval.article_folder import ArticlesRead, ReadChoices, read_source
from retrieval.article_import import Imported, export_articles, import_articles
from retrieval.article_records import Unstated
from retrieval.documents import Audience, Status
from retrieval.errors import ArticleError

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """What was said on the command line, and the time."""

    now: datetime
    audience: str = "internal"
    status: str = "draft"
    replace: bool = False
    strict: bool = False


def import_into(source: Path, desk: Path, choices: ImportChoices, warn: Warn, progress: Progress = no_progress) -> str:
    """Import articles and return what there is to say; each refusal is a warning.

    Raises `ArticleError` where nothing can be read.
    """
    for option, said, allowed in (
        ("--audience", choices.audience, get_args(Audience)),
        ("--status", choices.status, get_args(Status)),
    ):
        if said not in allowed:
            raise ArticleError(source, 1, f"{option} is {said!r}", f"write {' or '.join(sorted(allowed))}")
    unstated = Unstated(
        "public" if choices.audience == "public" else "internal",
        "published" if choices.status == "published" else "draft",
    )
    read = read_source(source, ReadChoices(choices.now, unstated, choices.strict), progress)
    _warn_of(read.refusals, warn)
    if not read.articles:
        raise ArticleError(source, 1, "there is no article that can be read", "see docs/knowledge.md for the formats")
    done = import_articles(read.articles, desk, choices.replace, progress)
    _warn_of(done.refused, warn)
    return _import_text(read, done, source, desk)


def export_from(desk: Path, out: Path, overwrite: bool, warn: Warn, progress: Progress = no_progress) -> str:
    """Export a desk's articles and return what there is to say; raise `ArticleError`."""
    done = export_articles(desk, out, overwrite, progress)
    _warn_of(done.refused, warn)
    return f"{out}: {_counted(done.written, 'article')} written, {len(done.refused)} refused"


def _import_text(read: ArticlesRead, done: Imported, source: Path, desk: Path) -> str:
    counts = {
        "written": done.written,
        "unchanged": done.unchanged,
        "drafts": done.drafts,
        "internal": done.internal,
        "refused": len(read.refusals) + len(done.refused),
    }
    lines = [f"  {what:<12} {count}" for what, count in counts.items()]
    if read.left_alone:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in read.left_alone.items())
        lines.append(f"Files of other kinds were left alone: {kinds}")
    if done.no_longer:
        shown = ", ".join(done.no_longer[:5]) + (", …" if len(done.no_longer) > 5 else "")
        lines.append(f"From earlier imports, and not in {source}: {shown}")
        lines.append("They are still in the desk; delete them if they should not be used.")
    if done.drafts or done.internal:
        lines.append("Customers see nothing of drafts and internal articles; the front matter of each file says which.")
    return "\n".join([*lines, f"Next: firstline build {desk}"])


def _warn_of(refusals: Sequence[ArticleError], warn: Warn) -> None:
    for refusal in refusals:
        warn(f"skipped {refusal}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
