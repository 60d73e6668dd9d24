"""Fields on public data: the present engine and its peers, over the same test rows.

Reads Banking77, CLINC150 and the ticket set under ``$DATA``. Every run is a look at their test splits, and is written
into the ledger. With ``--train`` it is rehearsed: a fifth of the training rows is asked, test files are not opened,
and the result stands in a file of its own. Sets that are not named keep what the file holds of them, each row with the
day on which it was measured.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from eval.benches.frame import Bar, Row, at_least, data_folder, figure, write_bench
from eval.benches.ledger import LEDGER
from eval.benches.page import read_bench
from eval.benches.systems import FirstlineOnDesk, note_checksum, run_on
from eval.benches.triage_few import descriptions_set, few_shot_set
from eval.benches.triage_file import Kept, merged, rows_of_run
from eval.benches.triage_languages import (
    language_bars,
    language_figures,
    language_leads,
    language_rows,
    ranked_labels,
    top_rows,
)
from eval.benches.triage_rows import (
    WORD_MODEL,
    Contest,
    FieldCases,
    Places,
    SetResult,
    abstention_row,
    accuracies,
    ahead_bar,
    ask_peers,
    ceiling_bar,
    floor_bar,
    our_row,
    peer_row,
    slug,
)
from eval.benches.triage_scope import has_both, mixed_bar, mixed_row, mixed_stream, told_apart
from eval.errors import BenchError
from eval.loaders import load
from eval.loaders.held_out import HeldOut
from eval.loaders.loaded import Loaded
from eval.loaders.rule_files import MAX_ERROR
from eval.outcomes import Outcome
from triage.assembly import build_engine

LINEAR = ("majority", WORD_MODEL)
CONTESTS: Mapping[str, tuple[Contest, ...]] = {
    "banking77": (Contest("category", (*LINEAR, "knn", "embedding_lr")),),
    "clinc150": (Contest("category", (*LINEAR, "knn", "embedding_lr")), Contest("team", LINEAR)),
    "tobi_tickets": (Contest("category", LINEAR), Contest("team", (*LINEAR, "knn")), Contest("priority", LINEAR)),
}
#: Accuracy of the category that is aimed at, the encoder left as it is unless the set is named otherwise; the most that
#: its confidence may be off; how well tickets out of scope should be told.
ACCURACY = {"banking77": 0.94, "clinc150": 0.965, "banking77, fine-tuned": 0.949}
CALIBRATION = {"banking77": 0.02}
SCOPE_AUROC = 0.97


def full_set(name: str, loaded: Loaded, places: Places) -> SetResult:
    """Measure a set with all of its history."""
    ours = run_on(loaded, slug(name), places.work, places.var)
    outcomes = list(ours.run.outcomes())
    outside = told_apart(outcomes) if has_both(outcomes) else None
    rows: list[Row] = []
    abstention: list[Row] = []
    spoken: list[Row] = []
    for contest in CONTESTS[name]:
        table, cases = f"{name}: {contest.field}", FieldCases.of(ours.run, contest.field, outcomes)
        peers = ask_peers(table, contest.peers, cases.task(ours.data.folder), places)
        rows += [our_row(table, ours, cases), *(peer_row(table, found, cases) for found in peers.values())]
        abstention.append(
            abstention_row(name, contest.field, ours.run, outside if contest.field == "category" else None)
        )
        if len(set(cases.languages)) > 1:
            spoken += language_rows(name, cases, peers)
    bars = [*category_bars(name, ours, rows), *language_bars(name, language_leads(spoken))]
    if outside:
        more, held = scope_of(name, outcomes, outside)
        abstention.append(more)
        bars += held
    first = first_guesses(name, ours, outcomes, places.var) if spoken else []
    figures = {**accuracies(rows), **language_figures(spoken), **{bar.name: bar.value for bar in bars}}
    return SetResult([*rows, *abstention, *spoken, *first], bars, figures, ours.data.checksum)


def fine_tuned_set(name: str, loaded: Loaded, places: Places) -> SetResult:
    """Measure a set with all of its history, the encoder adapted to its labels first."""
    ours = run_on(loaded, slug(name), places.work, places.var, ["--fine-tune"])
    row = our_row(f"{name}: category", ours, FieldCases.of(ours.run, "category", list(ours.run.outcomes())))
    shown = {column: cell for column, cell in row.items() if column != "Firstline ahead by"}
    return SetResult([shown], category_bars(name, ours, []), accuracies([shown]), ours.data.checksum)


def category_bars(name: str, ours: FirstlineOnDesk, rows: Sequence[Row]) -> list[Bar]:
    """Return the bars of a set's category: accuracy, lead over the word model, calibration."""
    if name not in ACCURACY:
        return []
    bars = [at_least(f"{name}: accuracy", ours.run["category.accuracy"], ACCURACY[name])]
    for row in rows:
        lead = row.get("Firstline ahead by")
        if row["table"] == f"{name}: category" and row["system"] == WORD_MODEL and isinstance(lead, Mapping):
            bars.append(ahead_bar(f"{name}: accuracy ahead of {WORD_MODEL}", numbers(lead)))
    off = figure(ours.run["category.ece"])
    if name in CALIBRATION and isinstance(off, Mapping):
        bars.append(ceiling_bar(f"{name}: ECE", numbers(off), CALIBRATION[name]))
    return bars


def scope_of(name: str, outcomes: Sequence[Outcome], outside: Mapping[str, float]) -> tuple[Row, list[Bar]]:
    """Return the row of tickets in and out of scope in one stream, and its bars."""
    stream = mixed_stream(outcomes)
    told = floor_bar(f"{name}: in scope against out, AUROC", outside, SCOPE_AUROC)
    return mixed_row(name, stream), [told, mixed_bar(name, stream, MAX_ERROR)]


def first_guesses(name: str, ours: FirstlineOnDesk, outcomes: Sequence[Outcome], var: Path) -> list[Row]:
    """Return how often the right team is among the first few."""
    cases = FieldCases.of(ours.run, "team", outcomes)
    return top_rows(name, cases, ranked_labels(build_engine(ours.data.folder, var), "team", cases.texts))


def numbers(cell: Mapping[str, float | None]) -> dict[str, float]:
    """Return a cell that has an interval."""
    return {key: float("nan") if value is None else value for key, value in cell.items()}


Measure = Callable[[str, Loaded, Places], SetResult]
#: The data of each set, and how it is measured.
SETS: Mapping[str, tuple[str, Measure]] = {
    "banking77": ("banking77", full_set),
    "banking77, fine-tuned": ("banking77", fine_tuned_set),
    "banking77, 10 per label": ("banking77", few_shot_set),
    "banking77, descriptions only": ("banking77", descriptions_set),
    "clinc150": ("clinc150", full_set),
    "clinc150, 10 per label": ("clinc150", few_shot_set),
    "clinc150, descriptions only": ("clinc150", descriptions_set),
    "tobi_tickets": ("tobi_tickets", full_set),
}
FORMATS = {"tobi_tickets": "ticket_csv"}


def main(wanted: Sequence[str], var: Path, ledger: Path = LEDGER, split: HeldOut = "test") -> None:
    """Run the bench over all sets, or those that are named; the others keep their rows and bars.

    What was measured is written even where a later set fails: a look at test rows is not to be had again.
    """
    if strange := [name for name in wanted if name not in SETS]:
        raise BenchError(f"there is no set {strange[0]!r}; name some of: {'; '.join(SETS)}")
    bench = "triage" if split == "test" else "triage_rehearsal"
    places = Places(var / "bench" / bench, var, split)
    done: dict[str, SetResult] = {}
    rows: list[Row] = []
    try:
        for name in wanted or SETS:
            started, today = time.monotonic(), datetime.now(UTC).date()
            data, measure = SETS[name]
            done[name] = measure(name, load_set(data, split), places)
            rows += rows_of_run(name, done[name], today, time.monotonic() - started)
            if split == "test":
                note_checksum(ledger, today, (name, split), done[name].checksum, done[name].figures)
    finally:
        if done:
            bars = [bar for result in done.values() for bar in result.bars]
            write_merged(bench, Kept(rows, bars), list(done), var / "bench")


def write_merged(bench: str, new: Kept, ran: Sequence[str], out: Path) -> None:
    """Write the bench's file, with what it held of sets that did not run."""
    path = out / f"{bench}.json"
    whole = merged(read_bench(path) if path.is_file() else {}, new, ran, list(SETS))
    # The file's seconds are those of all sets in it, whenever they ran.
    write_bench(bench, time.monotonic() - whole.seconds, whole.rows, whole.bars, out)


def load_set(data: str, split: HeldOut) -> Loaded:
    """Load a set from ``$DATA``."""
    return load(FORMATS.get(data, data), data_folder(data), held_out=split)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m eval.benches.triage")
    parser.add_argument("sets", nargs="*", metavar="SET", help="; ".join(SETS))
    parser.add_argument("--train", action="store_true", help="rehearse on training rows; the ledger is left alone")
    arguments = parser.parse_args()
    main(arguments.sets, Path("var"), split="train" if arguments.train else "test")
