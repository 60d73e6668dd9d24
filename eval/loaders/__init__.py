"""Readers of public formats, and of exports by column names. `load` reads, `write_desk.write_desk` makes a desk."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TypedDict, Unpack

from eval.errors import DataError
from eval.loaders import article_set, banking77, beir, clinc150, columns, stackfaq, ticket_csv, wixqa
from eval.loaders.held_out import HeldOut
from eval.loaders.loaded import Loaded

LOADERS: Mapping[str, Callable[..., Loaded]] = {
    module.NAME: module.load
    for module in (banking77, clinc150, ticket_csv, wixqa, stackfaq, article_set, beir, columns)
}


class LoadOptions(TypedDict, total=False):
    """All options there are; which format has which stands in its own `load`."""

    held_out: HeldOut
    distractors: Path | None
    max_distractors: int | None
    split: str
    columns: columns.Columns
    test: Path | None
    languages: Sequence[str]


def load(format_name: str, source: Path, **options: Unpack[LoadOptions]) -> Loaded:
    """Read a source in a format; give only the options that were asked for.

    Raises `DataError` for an unknown format, for an option that the format does not have, and for faults in the data.
    """
    if format_name not in LOADERS:
        raise DataError(source, None, f"there is no format {format_name!r}", f"use one of {', '.join(LOADERS)}")
    loader = LOADERS[format_name]
    known = signature(loader).parameters
    for option in options:
        if option not in known:
            raise DataError(source, None, f"the format {format_name} has no option {option!r}", "leave it out")
    if "columns" in known and "columns" not in options:
        raise DataError(
            source, None, f"the format {format_name} needs names of columns", "name those of text and labels"
        )
    return loader(source, **options)
