"""``firstline eval …``: one short function per command; what is heavy is imported inside it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.terminal import progress_bars, warn

if TYPE_CHECKING:
    from eval.run_record import Run

app = typer.Typer(help="Measure how well a desk decides, and compare two versions of it.", no_args_is_help=True)

FORMATS = "banking77, clinc150, ticket_csv, wixqa, stackfaq, article_set, beir or columns."
RunFolder = Annotated[Path, typer.Argument(help="A folder that `firstline eval run` wrote.")]


@app.command("run", epilog="Example: firstline eval run desks/demo --out var/runs/today")
def run(
    desk: Annotated[Path, typer.Argument(help="The desk folder, such as desks/demo.")],
    out: Annotated[Path, typer.Option(help="Folder for run.json and outcomes.jsonl.")],
    cases: Annotated[Path | None, typer.Option(help="JSON Lines of cases. [default: DESK/cases.jsonl]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resamples behind the intervals.")] = 20,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is in the folder.")] = False,
    var: Annotated[Path, typer.Option(envvar="FIRSTLINE_VAR", help="Where generations are kept.")] = Path("var"),
) -> None:
    """Run cases through the production engine and measure what comes out.

    The same command goes on with a run that was interrupted.
    """
    from eval.cases import load_cases
    from eval.run_record import clear
    from eval.run_suite import evaluate, known_articles
    from eval.run_text import measurements_table
    from triage.assembly import build_engine

    engine = build_engine(desk, var, on_refused=warn, on_stale=warn)
    if overwrite:
        # Only once it is sure that there is something to put in its place.
        load_cases(cases or desk / "cases.jsonl", engine.rules.taxonomy, known_articles(desk, engine))
        clear(out)
    with progress_bars() as progress:
        try:
            found = evaluate(desk, out, cases, engine, seed, progress)
        except KeyboardInterrupt:
            warn(f"interrupted; the same command goes on from where {out} stands")
            raise typer.Exit(130) from None
    typer.echo(measurements_table(found.overall))
    typer.echo(f"Written to {out / 'run.json'}; slices are in it. Plots: firstline eval report {out}")


@app.command("compare", epilog="Example: firstline eval compare var/runs/before var/runs/after --gates gates.toml")
def compare(
    before: RunFolder,
    after: RunFolder,
    gates: Annotated[Path | None, typer.Option(help="TOML file of gates. [default: the gates that come along]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two runs over the same cases; exit code 1 where a gate fails."""
    from eval.compare_runs import compare_runs
    from eval.comparison_text import comparison_json, comparison_text
    from eval.errors import GateError
    from eval.gates import DEFAULT_GATES, read_gates
    from eval.run_record import Run

    stated = read_gates(gates or DEFAULT_GATES)
    found = compare_runs(Run.open(before), Run.open(after), stated)
    if gates and found.unscored:
        problem = f"no case of these runs is scored on {', '.join(found.unscored)}"
        raise GateError(gates, None, problem, "add cases that carry what it needs, or take the gate out")
    typer.echo(comparison_json(found) if as_json else comparison_text(found))
    if found.fails:
        raise typer.Exit(1)


@app.command("gate", epilog="Example: firstline eval gate desks/demo")
def gate(
    desk: Annotated[Path, typer.Argument(help="The desk folder, such as desks/demo.")],
    var: Annotated[Path, typer.Option(envvar="FIRSTLINE_VAR", help="Where generations are kept.")] = Path("var"),
) -> None:
    """Run a desk's cases and hold them against the desk's baseline; exit code 1 where a gate fails."""
    from eval.baseline import baseline_of
    from eval.compare_runs import compare_runs
    from eval.comparison_text import comparison_text

    before = baseline_of(desk)
    found = compare_runs(before, _fresh_run(desk, var))
    typer.echo(comparison_text(found))
    if found.fails:
        warn(
            f"where the loss is meant, `firstline eval baseline {desk}` makes it the baseline and says what it forgives"
        )
        raise typer.Exit(1)


@app.command("baseline", epilog="Example: firstline eval baseline desks/demo")
def baseline(
    desk: Annotated[Path, typer.Argument(help="The desk folder, such as desks/demo.")],
    var: Annotated[Path, typer.Option(envvar="FIRSTLINE_VAR", help="Where generations are kept.")] = Path("var"),
) -> None:
    """Run a desk's cases, make the run its baseline, and say what that forgives."""
    from eval.baseline import refresh

    typer.echo(refresh(_fresh_run(desk, var), desk))


@app.command(
    "replay", epilog="Example: firstline eval replay desks/demo --history tickets.jsonl --policy new-policy.toml"
)
def replay(  # noqa: PLR0913 - an option each
    desk: Annotated[Path, typer.Argument(help="The desk folder, such as desks/demo.")],
    history: Annotated[
        Path, typer.Option(help="JSON Lines: past tickets, with labels where they are known, or cases.")
    ],
    policy: Annotated[Path | None, typer.Option(help="A policy.toml to try.")] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="A taxonomy.toml to try.")] = None,
    routing: Annotated[Path | None, typer.Option(help="A routing.toml to try.")] = None,
    generation: Annotated[str | None, typer.Option(help="Another generation to try, such as 000003.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for replay.html and replay.json. [default: VAR/replay]")
    ] = None,
    var: Annotated[Path, typer.Option(envvar="FIRSTLINE_VAR", help="Where generations are kept.")] = Path("var"),
) -> None:
    """Say what a change would have made of past tickets: the desk's current generation, then the same with the change.

    Nothing is published. Tickets that were read once are not encoded again, so a second try takes seconds.
    """
    from eval.replay.engines import Change
    from eval.replay.replay_command import Ask, replay_and_write

    named = {"policy": policy, "taxonomy": taxonomy, "routing": routing}
    rules = {option: path for option, path in named.items() if path is not None}
    if bool(rules) == (generation is not None):
        raise typer.BadParameter("name what to try: rule files (--policy, --taxonomy, --routing), or a --generation")
    with progress_bars() as progress:
        said = replay_and_write(Ask(Change(desk, var, rules, generation), history, out or var / "replay"), progress)
    typer.echo(said)


@app.command("report", epilog="Example: firstline eval report var/runs/today")
def report(folder: RunFolder) -> None:
    """Write report.html into a run's folder: plots, slices and the worst cases, in one file."""
    from eval.report.write_report import write_report
    from eval.run_record import Run

    typer.echo(f"Written to {write_report(Run.open(folder))}")


@app.command(
    "load", epilog="Example: firstline eval load columns export.csv mydesk --text subject,body --label category=Type"
)
def load(  # noqa: PLR0913 - an option each
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=FORMATS)],
    source: Annotated[Path, typer.Argument(help="The file or folder to read, plain or as .gz.")],
    desk: Annotated[Path, typer.Argument(help="The desk folder to write; one written earlier is replaced.")],
    cases: Annotated[str, typer.Option(help="test, or train: a held-out fifth of the training rows.")] = "test",
    text: Annotated[str | None, typer.Option(help="columns: those of the text, in order, with commas.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="columns: FIELD=COLUMN; may be given several times.")] = None,
    reply: Annotated[str | None, typer.Option(help="columns: the one of the reply.")] = None,
    test: Annotated[Path | None, typer.Option(help="columns: a file of its own for the cases.")] = None,
    distractors: Annotated[Path | None, typer.Option(help="wixqa: an article set that is mixed in.")] = None,
) -> None:
    """Make a desk folder with cases from public data, an article set, or any CSV or JSONL."""
    from eval.loaders.from_options import LoadChoices, load_from_options
    from eval.loaders.write_desk import write_desk

    choices = LoadChoices(cases, text, tuple(label or ()), reply, test, distractors)
    written = write_desk(load_from_options(format_name, source, choices), desk)
    for what, count in written.counts.items():
        typer.echo(f"  {what:<24} {count}")
    typer.echo(f"Desk {written.desk_id} written to {desk}. Next: firstline build {desk}")


@app.command("tune", epilog="Example: firstline eval tune desks/demo --error category=0.05 --recall 0.95")
def tune(  # noqa: PLR0913 - an option each
    desk: Annotated[Path, typer.Argument(help="The desk folder, such as desks/demo.")],
    cases: Annotated[Path | None, typer.Option(help="JSON Lines of cases. [default: DESK/cases.jsonl]")] = None,
    error: Annotated[list[str] | None, typer.Option(help="FIELD=SHARE that may be wrong, such as team=0.1.")] = None,
    coverage: Annotated[list[str] | None, typer.Option(help="FIELD=SHARE to be decided, such as team=0.8.")] = None,
    recall: Annotated[float | None, typer.Option(min=0, max=1, help="Needed handoffs that must be made.")] = None,
    precision: Annotated[float | None, typer.Option(min=0, max=1, help="Handoffs that must be needed.")] = None,
    out: Annotated[Path | None, typer.Option(help="For policy, plots and JSON. [default: VAR/tune]")] = None,
    var: Annotated[Path, typer.Option(envvar="FIRSTLINE_VAR", help="Where generations are kept.")] = Path("var"),
) -> None:
    """Show what every threshold could be, and write a policy for stated targets, to be reviewed. Nothing is changed."""
    from eval.tune.choose import Targets
    from eval.tune.tune_command import tune_and_write

    if recall is not None and precision is not None:
        raise typer.BadParameter("name --recall or --precision: the other is what it comes to")
    targets = Targets(_shares(error or []), _shares(coverage or []), recall, precision)
    if both := sorted(set(targets.errors) & set(targets.coverages)):
        raise typer.BadParameter(f"{both[0]} has an error and a coverage; name one of them")
    with progress_bars() as progress:
        said = tune_and_write(desk, var, cases or desk / "cases.jsonl", out or var / "tune", targets, progress)
    typer.echo(said)


def _shares(named: list[str]) -> dict[str, float]:
    """Return shares by field from FIELD=SHARE."""
    shares = {}
    for one in named:
        field, _, value = one.partition("=")
        try:
            shares[field] = float(value)
        except ValueError:
            raise typer.BadParameter(f"{one!r} is not FIELD=SHARE, such as category=0.05") from None
        if not 0 < shares[field] < 1:
            raise typer.BadParameter(f"{one!r}: a share lies between 0 and 1")
    return shares


def _fresh_run(desk: Path, var: Path) -> "Run":
    """Run a desk's cases from the beginning, in a folder of the desk's own."""
    from eval.run_record import clear
    from eval.run_suite import evaluate
    from triage.assembly import build_engine

    engine = build_engine(desk, var, on_refused=warn, on_stale=warn)
    out = var / "runs" / f"gate-{engine.rules.settings.id}"
    clear(out)
    with progress_bars() as progress:
        return evaluate(desk, out, None, engine, progress=progress)
