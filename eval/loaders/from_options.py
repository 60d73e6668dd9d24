"""The options of ``firstline eval load`` into those of a loader."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eval.errors import DataError
from eval.loaders import LoadOptions, load
from eval.loaders.columns import NAME as COLUMNS
from eval.loaders.columns import Columns
from eval.loaders.loaded import Loaded


@dataclass(frozen=True)
class LoadChoices:
    """What was said on the command line; None or () where nothing was."""

    cases: str = "test"
    text: str | None = None
    labels: tuple[str, ...] = ()
    reply: str | None = None
    test: Path | None = None
    distractors: Path | None = None


def load_from_options(format_name: str, source: Path, choices: LoadChoices) -> Loaded:
    """Read a source. Raises `DataError` for a choice that is not understood, and what `load` raises."""
    options: LoadOptions = {}
    if choices.cases == "train":
        options["held_out"] = "train"
    elif choices.cases != "test":
        raise DataError(source, None, f"cases cannot come from {choices.cases!r}", "write test or train")
    if choices.test is not None:
        options["test"] = choices.test
    if choices.distractors is not None:
        options["distractors"] = choices.distractors
    if choices.text is not None or format_name == COLUMNS:
        options["columns"] = _columns(source, choices)
    return load(format_name, source, **options)


def _columns(source: Path, choices: LoadChoices) -> Columns:
    text = named_texts(choices.text or "")
    if not text:
        raise DataError(source, None, "no column of text is named", "name it with --text subject,body")
    labels = named_labels(source, choices.labels)
    if blank := [field for field, column in labels.items() if not column]:
        raise DataError(source, None, f"--label {blank[0]}= is not understood", "write for instance category=Type")
    return Columns(text=text, labels=labels, reply=choices.reply or "")


def named_texts(text: str) -> list[str]:
    """Return the columns of ``--text subject,body``."""
    return [name.strip() for name in text.split(",") if name.strip()]


def named_labels(source: Path, labels: Iterable[str]) -> dict[str, str]:
    """Return columns by field of ``--label category=Type``; "" for the column of ``category=``. Raises `DataError`."""
    columns = {}
    for given in labels:
        field, equals, column = given.partition("=")
        if not (field.strip() and equals):
            raise DataError(source, None, f"--label {given} is not understood", "write for instance category=Type")
        columns[field.strip()] = column.strip()
    return columns
