"""Any CSV, TSV or JSON Lines file of labelled tickets, by the names of its columns: a help desk's own export."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eval.errors import DataError
from eval.loaders.duplicates import contradictions, without_duplicates
from eval.loaders.held_out import HeldOut, divide, hold_out
from eval.loaders.labelled_rows import LabelledRow, RowReader
from eval.loaders.loaded import Loaded, counted, labels_by_field
from eval.loaders.source_files import read_records
from triage.taxonomy import TAKEN_NAMES
from triage.tickets import MAX_TEXT

NAME = "columns"
#: Names that mean something else in a case or in a taxonomy.
RESERVED = TAKEN_NAMES | {"more"}


@dataclass(frozen=True)
class Columns:
    r"""Which column holds what; "" where there is none.

    text: one column is the body; of several the first is the subject, and the others are the body, a blank line
    between them. labels: column by field. literal_newlines: a backslash and an n in a text stand for a line's end.
    """

    text: Sequence[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    reply: str = ""
    id: str = ""
    language: str = ""
    literal_newlines: bool = False

    @property
    def names(self) -> list[str]:
        """All columns that are read, each once."""
        named = (*self.text, *self.labels.values(), self.reply, self.id, self.language)
        return list(dict.fromkeys(name for name in named if name))

    def row(self, reader: RowReader, line: int, record: Mapping[str, str], split: str) -> LabelledRow | None:
        """Return a record as a row, or None where the reader leaves it out. Without ids the line is the id."""
        texts = [self._said(record[column]) for column in self.text]
        subject, body = (texts[0], texts[1:]) if len(texts) > 1 else ("", texts)
        ticket = {
            "id": record[self.id].strip() if self.id else f"{split}-{line}",
            "subject": subject,
            "body": "\n\n".join(text for text in body if text.strip()),
            "language": record[self.language].strip() if self.language else "",
        }
        if not ticket["id"]:
            raise DataError(reader.path, line, f"{self.id} is blank", "give every row an id, or name no column for ids")
        labels = {field: record[column] for field, column in self.labels.items()}
        return reader.row(line, ticket, labels, self._said(record[self.reply]) if self.reply else "")

    def _said(self, text: str) -> str:
        return text.replace("\\n", "\n") if self.literal_newlines else text


def load(
    source: Path,
    columns: Columns,
    test: Path | None = None,
    held_out: HeldOut = "test",
    languages: Sequence[str] = ("en",),
    name: str = NAME,
) -> Loaded:
    """Read `source` as history and `test` as cases; without `test`, a fifth of `source` by content is the test.

    With held_out "train" a fifth of the training rows are the cases; the test file is not opened, or the test fifth
    put aside unused. languages: those of the desk, where no column names them. Raises `DataError`.
    """
    _check_columns(source, columns)
    train = RowReader(source)
    readers = [train]
    history = _rows(train, columns, "row" if test is None else "train")
    if test is None:
        history, cases = divide(history)
    elif held_out == "test":
        readers.append(RowReader(test))
        cases = _rows(readers[1], columns, "test")
    put_aside = {}
    if held_out == "train":
        put_aside = {"test_rows": len(cases)} if test is None else {}
        history, cases = hold_out(history)
    used = [*history, *cases]
    found = {row.ticket["language"] for row in used if "language" in row.ticket}
    return Loaded(
        name=name,
        languages=sorted(found) or tuple(languages),
        fields=labels_by_field(row.labels for row in used),
        articles=(),
        history=[row.as_history() for row in history],
        cases=[row.as_case() for row in cases],
        sources=[reader.path for reader in readers],
        left_out=counted(put_aside, *(reader.left_out for reader in readers)),
    )


def from_records(
    source: Path,
    records: Iterable[tuple[int, Mapping[str, str]]],
    columns: Columns,
    languages: Sequence[str],
    name: str = NAME,
) -> Loaded:
    """Make what `load` makes of the records of an export, more kindly; a fifth by content are the cases.

    Too long a text is left out like a blank one, and so is an exact duplicate. Texts that stand there with different
    labels of a field are kept and noticed. Raises `DataError`.
    """
    _check_columns(source, columns)
    reader = RowReader(source)
    found = reader.kept(_row_if_short(reader, columns, line, record) for line, record in records)
    rows = without_duplicates(found)
    reader.left_out["exact_duplicates"] += len(found) - len(rows)
    history, cases = divide(rows)
    # A desk speaks "de", whatever its tickets say of countries and capitals.
    said = {row.ticket["language"].partition("-")[0].lower() for row in rows if "language" in row.ticket}
    return Loaded(
        name=name,
        languages=sorted(said) or tuple(languages),
        fields=labels_by_field(row.labels for row in rows),
        articles=(),
        history=[row.as_history() for row in history],
        cases=[row.as_case() for row in cases],
        sources=[source],
        left_out=counted(reader.left_out),
        noticed=counted(contradictions(rows)),
    )


def _row_if_short(reader: RowReader, columns: Columns, line: int, record: Mapping[str, str]) -> LabelledRow | None:
    if any(len(record[column]) > MAX_TEXT for column in columns.text):
        reader.left_out["too_long_texts"] += 1
        return None
    return columns.row(reader, line, record, "row")


def _check_columns(source: Path, columns: Columns) -> None:
    if not columns.text or not all(columns.text):
        raise DataError(source, None, "no column is named for the text", "name at least one, such as subject,body")
    if not columns.labels:
        raise DataError(source, None, "no column is named for a label", "name at least one, such as category=Type")
    for wanted in columns.labels:
        if wanted in RESERVED or not wanted.strip():
            remedy = f"choose a name that is none of {', '.join(sorted(RESERVED))}"
            raise DataError(source, None, f"a field cannot be called {wanted!r}", remedy)


def _rows(reader: RowReader, columns: Columns, split: str) -> list[LabelledRow]:
    records = read_records(reader.path, columns.names)
    return reader.kept(columns.row(reader, line, record, split) for line, record in records)
