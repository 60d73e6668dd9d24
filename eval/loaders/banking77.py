"""BANKING77 (Casanueva et al., 2020): what customers of a bank write, by 77 intents."""

from pathlib import Path

from eval.loaders.held_out import HeldOut, hold_out
from eval.loaders.labelled_rows import LabelledRow, RowReader
from eval.loaders.loaded import Loaded, counted, labels_by_field
from eval.loaders.source_files import find, read_csv

NAME = "banking77"


def load(source: Path, held_out: HeldOut = "test") -> Loaded:
    """Read a folder of ``train.csv`` and ``test.csv`` (`text`, `category`); raise `DataError`.

    Training rows are history. Cases are the test rows, or with held_out "train" a fifth of the training rows; then the
    test file is not opened.
    """
    train = RowReader(find(source, "train.csv"))
    readers = [train]
    history = _rows(train, "train")
    if held_out == "train":
        history, cases = hold_out(history)
    else:
        test = RowReader(find(source, "test.csv"))
        cases = _rows(test, "test")
        readers.append(test)
    return Loaded(
        name=NAME,
        languages=("en",),
        fields=labels_by_field(row.labels for row in (*history, *cases)),
        articles=(),
        history=[row.as_history() for row in history],
        cases=[row.as_case() for row in cases],
        sources=[reader.path for reader in readers],
        left_out=counted(*(reader.left_out for reader in readers)),
    )


def _rows(reader: RowReader, split: str) -> list[LabelledRow]:
    return reader.kept(
        reader.row(line, {"id": f"{split}-{line}", "body": record["text"]}, {"category": record["category"]})
        for line, record in read_csv(reader.path, ("text", "category"))
    )
