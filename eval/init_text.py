"""What ``firstline init`` says: how it read an export, what it left out, and what there is to do next."""

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping

from eval.loaders.export_file import DELIMITERS, ExportFile
from eval.loaders.guess_columns import Guesses
from eval.loaders.loaded import Loaded
from eval.loaders.rule_files import ONLY_LABEL
from eval.loaders.write_desk import DeskData

Tell = Callable[[str], None]
LEFT_OUT = {
    "blank_texts": ("row", "without text"),
    "too_long_texts": ("row", "with a text of more than 200,000 characters"),
    "rows_without_label": ("row", "without any label"),
    "blank_labels": ("blank label", "in rows that are used for their other labels"),
    "exact_duplicates": ("row", "whose text and labels stand in another row already"),
}
SHOWN_LABELS = 8
WIDTH = 110
#: With fewer tickets than this a label is hardly learnt.
FEW = 5


def say_file(export: ExportFile, tell: Tell) -> None:
    """Say how a file was read; where its encoding is a guess, how to see whether it is right."""
    kind = f"values between {DELIMITERS[export.delimiter]}" if export.delimiter else "JSON Lines"
    tell(f"{export.path}: {_number(len(export.rows), 'row')}, {export.encoding}, {kind}.")
    if export.doubtful:
        words = ", ".join(export.doubtful)
        tell(f"  It is not UTF-8, so {export.encoding} is a guess. Do these words look right? {words}")
        tell("  If not, name the right one, such as --encoding windows-1250.")


def say_columns(guesses: Guesses, tell: Tell) -> None:
    """Say what each column is taken for, and why."""
    width = max(len(guess.column) for guess in guesses.columns)
    for guess in guesses.columns:
        tell(f"  {guess.column:<{width}}  {guess.role or '(not used)':<10}  {guess.reason}")
    if guesses.literal_newlines:
        texts = _number(guesses.literal_newlines, "text")
        tell(f"  In {texts} a line's end is written as a backslash and an n: read as line ends.")


def say_left_out(loaded: Loaded, tell: Tell) -> None:
    """Say how many rows were not used, and which deserve a look."""
    for name, count in loaded.left_out.items():
        thing, why = LEFT_OUT[name]
        tell(f"Left out: {_number(count, thing)} {why}.")
    for name, count in loaded.noticed.items():
        field = name.removeprefix("contradictory_")
        tell(f"Kept, but look at them: {_number(count, 'text')} with more than one {field} in different rows.")


def say_written(loaded: Loaded, data: DeskData, tell: Tell) -> None:
    """Say what the desk holds and what to do next."""
    found = _label_counts(loaded)
    tell(f"Desk {data.desk_id} written to {data.folder}, language {', '.join(loaded.languages)}:")
    if loaded.history or loaded.cases:
        kept = f"{_number(len(loaded.cases), 'ticket')} kept aside, to measure with"
        tell(f"  history.jsonl  {_number(len(loaded.history), 'past ticket')} to learn from")
        tell(f"  cases.jsonl    {kept if loaded.cases else 'not written: too few tickets to keep some aside'}")
    tell("  taxonomy.toml  the labels:")
    said = {
        field: _labels_text(found[field]) if field in found else ", ".join(of) for field, of in loaded.fields.items()
    }
    said |= {field: f'no column: every ticket is "{only}"' for field, only in ONLY_LABEL.items() if field not in said}
    width = max(map(len, said))
    for field, labels in said.items():
        tell(textwrap.fill(f"    {field:<{width}}  {labels}", WIDTH, subsequent_indent=" " * (width + 6)))
    if loaded.descriptions:
        fields = ", ".join(f"{field} {len(proposed)}" for field, proposed in loaded.descriptions.items())
        tell(f"    Descriptions that are only proposed, so please correct them in the file: {fields}.")
    tell("  articles/      empty: put in what an answer may be taken from, as Markdown (docs/new-desk.md)")
    tell(f"Next: firstline build {data.folder}")
    if loaded.cases:
        tell(f"Then: firstline eval run {data.folder} --out var/runs/{data.desk_id}")


def _label_counts(loaded: Loaded) -> Mapping[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    labelled = [row["labels"] for row in loaded.history]
    for case in loaded.cases:
        labelled.append({field: label for field, label in case["expect"].items() if field in loaded.fields})
    for labels in labelled:
        for field, label in labels.items():
            counts.setdefault(field, Counter())[label] += 1
    return counts


def _labels_text(counts: Counter[str]) -> str:
    """Return labels with their numbers of tickets, the most frequent first, and what is odd about some."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = ", ".join(f"{label} ({count:,})" for label, count in ranked[:SHOWN_LABELS])
    if len(ranked) > SHOWN_LABELS:
        shown += f" and {len(ranked) - SHOWN_LABELS:,} more, the rarest with {ranked[-1][1]:,}"
    spellings = Counter(label.casefold() for label in counts)
    if double := [label for label in counts if spellings[label.casefold()] > 1]:
        shown += f"; the same in other letters: {', '.join(sorted(double)[:SHOWN_LABELS])}"
    if rare := sum(count < FEW for count in counts.values()):
        shown += f"; {_number(rare, 'label')} with fewer than {FEW} tickets"
    return shown


def _number(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
