"""``firstline init``: from a help desk's own export, or from nothing, to a folder that can be built."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.errors import DataError
from eval.init_text import Tell, say_columns, say_file, say_left_out, say_written
from eval.loaders.columns import RESERVED, from_records
from eval.loaders.export_file import ExportFile, read_export
from eval.loaders.from_options import named_labels, named_texts
from eval.loaders.guess_columns import ROLES, UNUSED, Guesses, guess_columns, literal_newlines
from eval.loaders.loaded import Loaded
from eval.loaders.proposed_names import proposed_descriptions
from eval.loaders.starting_desk import starting_desk
from eval.loaders.write_desk import check_replaceable, write_desk

FORMAT = "init"
#: Called with a question and the answer that Enter gives.
Ask = Callable[[str, str], str]
SKIP = "skip"
#: The languages of a desk are those of so many texts, where at least one in five of them is in it.
SAMPLED_TEXTS, MIN_SHARE = 100, 0.2


@dataclass(frozen=True)
class InitChoices:
    """What was said on the command line; None or () where nothing was, and "" where a guess should not be taken."""

    text: str | None = None
    labels: tuple[str, ...] = ()
    reply: str | None = None
    id: str | None = None
    language: str | None = None
    encoding: str = ""


def init_desk(desk: Path, history: Path | None, choices: InitChoices, tell: Tell, ask: Ask | None = None) -> None:
    """Write a desk folder and say what is in it. ask: None where the guesses are taken as they are.

    Raises `DataError` for an export that cannot be used and for a folder that this did not write.
    """
    # Before anything is asked.
    check_replaceable(desk, FORMAT)
    title = desk.resolve().name or "desk"
    if history is None:
        if choices != InitChoices():
            raise DataError(desk, None, "columns are named, but no export", "name it with --history export.csv")
        loaded = starting_desk(FORMAT, title)
    else:
        loaded = replace(from_export(history, choices, tell, ask), title=title)
        loaded = replace(loaded, descriptions=proposed_descriptions(loaded.history))
        say_left_out(loaded, tell)
    say_written(loaded, write_desk(loaded, desk), tell)


def from_export(path: Path, choices: InitChoices, tell: Tell, ask: Ask | None) -> Loaded:
    """Read an export by its guessed columns, as corrected by options and answers; raise `DataError`."""
    export = read_export(path, choices.encoding)
    say_file(export, tell)
    guesses = with_choices(guess_columns(export.header, export.rows), export, choices)
    guesses = replace(guesses, literal_newlines=literal_newlines(guesses.columns, export.rows))
    say_columns(guesses, tell)
    if ask is not None:
        guesses = asked(guesses, ask, tell)
        guesses = replace(guesses, literal_newlines=literal_newlines(guesses.columns, export.rows))
    if missing := what_is_missing(guesses):
        problem = f"{missing[0]} (the columns are {', '.join(export.header)})"
        raise DataError(path, 1, problem, missing[1])
    if ask is None:
        tell("Taken like this; to correct it, name columns with --text, --label, --reply, --id or --language.")
    columns = guesses.as_columns()
    texts = [" ".join(row[column] for column in columns.text) for row in export.rows]
    return from_records(path, export.records, columns, languages_of(texts) if not columns.language else (), FORMAT)


def with_choices(guesses: Guesses, export: ExportFile, choices: InitChoices) -> Guesses:
    """Return the guesses with what the options say in their place; raise `DataError` for an unknown column."""
    said = columns_said(export.path, choices)
    for role in said:
        for column in guesses.having(role):
            guesses = guesses.with_role(column, UNUSED, f"as said: it is not the {role}")
    for role, columns in said.items():
        for column in columns:
            if column not in export.header:
                remedy = f"the columns are {', '.join(export.header)}"
                raise DataError(export.path, 1, f"there is no column {column!r}", remedy)
            guesses = guesses.with_role(column, role, "as said")
    return guesses


def columns_said(path: Path, choices: InitChoices) -> dict[str, list[str]]:
    """Return the columns that options name, by role; [] for a role that no column shall have. Raises `DataError`."""
    labels = named_labels(path, choices.labels)
    for field in labels:
        if field in RESERVED or field in ROLES:
            raise DataError(path, None, f"a field cannot be called {field!r}", "choose another name in --label")
    said = {field: [column] for field, column in labels.items()}
    if choices.text is not None:
        texts = named_texts(choices.text)
        said |= {"subject": texts[:-1][:1], "body": texts[1:] or texts}
    single = {"reply": choices.reply, "id": choices.id, "language": choices.language}
    said |= {role: [column] for role, column in single.items() if column is not None}
    return {role: [column for column in columns if column] for role, columns in said.items()}


def asked(guesses: Guesses, ask: Ask, tell: Tell) -> Guesses:
    """Return the guesses as somebody wants them: taken at once, or gone through column by column."""
    question = "Is this right? Enter for yes, or no to go through the columns"
    while (missing := what_is_missing(guesses)) or not ask(question, "yes").casefold().startswith("y"):
        if missing:
            tell(f"But {missing[0]}. Please say what the columns are.")
        tell(f"Enter keeps what stands in brackets. Else type {', '.join(ROLES)}, {SKIP}, or the name of a field:")
        tell("category, team, priority, or one of your own such as product.")
        for column in [guess.column for guess in guesses.columns]:
            now = next(guess.role for guess in guesses.columns if guess.column == column) or SKIP
            role = asked_role(column, now, ask, tell)
            if role != now:
                guesses = guesses.with_role(column, UNUSED if role == SKIP else role, "as said")
        say_columns(guesses, tell)
    return guesses


def asked_role(column: str, now: str, ask: Ask, tell: Tell) -> str:
    """Ask for the role of a column until the answer can be one."""
    while True:
        answer = ask(f"  {column}", now).strip() or now
        if answer in ROLES or answer not in RESERVED:
            return answer
        tell(f"  {answer} stands for something else; choose another name")


def what_is_missing(guesses: Guesses) -> tuple[str, str] | None:
    """Return (problem, remedy) where no column is the text, or none holds labels."""
    columns = guesses.as_columns()
    if not columns.text:
        return "no column looks like the text of a ticket", "write --text COLUMN"
    if not columns.labels:
        remedy = "write --label category=COLUMN, or leave --history out for a desk without past tickets"
        return "no column looks like labels", remedy
    return None


def languages_of(texts: Sequence[str]) -> list[str]:
    """Return the languages that texts are in, by a hundred of them from all over; English where none is sure."""
    from triage.language import detect

    said = [text for text in texts if text.strip()]
    sample = said[:: max(1, len(said) // SAMPLED_TEXTS)][:SAMPLED_TEXTS]
    found = [detect(text).code for text in sample]
    known = [code for code in found if code != "und"]
    return sorted({code for code in known if known.count(code) >= MIN_SHARE * len(known)}) or ["en"]
