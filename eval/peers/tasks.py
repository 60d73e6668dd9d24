"""The task that a peer gets, as a folder. Needs the standard library only: other environments read it too.

A folder holds ``task.json`` ({"kind": "classify" | "search"}) and either ``train.jsonl`` ({"text", "label"}) and
``test.jsonl`` ({"text"}), or ``documents.jsonl`` ({"id", "title", "text"}) and ``queries.jsonl`` ({"text"}). The labels
of the test texts are not in it: a peer cannot look.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.errors import DataError


@dataclass(frozen=True)
class Example:
    """A text with its label."""

    text: str
    label: str


@dataclass(frozen=True)
class TaskDocument:
    """A document to be found. Its id is unique in the task."""

    id: str
    title: str
    text: str

    @property
    def whole(self) -> str:
        """Title and text: what every searcher indexes."""
        return f"{self.title}\n{self.text}"


@dataclass(frozen=True)
class ClassifyTask:
    """Learn from the examples, then give each query a label."""

    examples: tuple[Example, ...]
    queries: tuple[str, ...]


@dataclass(frozen=True)
class SearchTask:
    """Index the documents, then rank them for each query."""

    documents: tuple[TaskDocument, ...]
    queries: tuple[str, ...]


Task = ClassifyTask | SearchTask


def write_task(task: Task, folder: Path) -> None:
    """Write a task into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(task, ClassifyTask):
        _write_rows(folder / "train.jsonl", (asdict(example) for example in task.examples))
        _write_rows(folder / "test.jsonl", ({"text": query} for query in task.queries))
    else:
        _write_rows(folder / "documents.jsonl", (asdict(document) for document in task.documents))
        _write_rows(folder / "queries.jsonl", ({"text": query} for query in task.queries))
    kind = "classify" if isinstance(task, ClassifyTask) else "search"
    (folder / "task.json").write_text(json.dumps({"kind": kind}) + "\n", encoding="utf-8")


def read_task(folder: Path) -> Task:
    """Read a task folder; raise `DataError` naming file, line and remedy for anything that is not right."""
    path = folder / "task.json"
    kind = _object(path, None, _text_of(path)).get("kind")
    if kind == "classify":
        rows = _read_rows(folder / "train.jsonl", ("text", "label"))
        examples = tuple(Example(row["text"], row["label"]) for row in rows)
        return ClassifyTask(examples, _read_queries(folder / "test.jsonl"))
    if kind == "search":
        rows = _read_rows(folder / "documents.jsonl", ("id", "title", "text"))
        documents = tuple(TaskDocument(row["id"], row["title"], row["text"]) for row in rows)
        return SearchTask(documents, _read_queries(folder / "queries.jsonl"))
    raise DataError(path, None, f"kind is {kind!r}", 'write {"kind": "classify"} or {"kind": "search"}')


def _write_rows(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    # ASCII escapes carry whatever a ticket holds, lone surrogates too.
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")


def _read_queries(path: Path) -> tuple[str, ...]:
    return tuple(row["text"] for row in _read_rows(path, ("text",)))


def _read_rows(path: Path, keys: tuple[str, ...]) -> list[dict[str, str]]:
    rows = []
    for number, line in enumerate(_text_of(path).split("\n"), start=1):
        if line.strip():
            value = _object(path, number, line)
            row = {key: text for key, text in value.items() if isinstance(text, str)}
            if set(row) != set(keys) or set(value) != set(keys):
                raise DataError(path, number, "the row has other keys or types", f"write the texts {', '.join(keys)}")
            rows.append(row)
    if not rows:
        raise DataError(path, None, "there is no row", "write one JSON object per line")
    return rows


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(path, None, f"the file cannot be read ({error})", "write the task again") from error


def _object(path: Path, line: int | None, text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(path, line, f"not JSON ({error})", "write the task again") from error
    if not isinstance(value, dict):
        raise DataError(path, line, "not a JSON object", "write the task again")
    return value
