"""The command line. One short function per command; what is heavy is imported inside it."""

import gc
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from eval.commands import app as eval_commands
from serve.command_line import DatabaseUrl, DeskFolder, Var, add_commands, default_database
from triage.terminal import progress_bars, warn

if TYPE_CHECKING:
    from triage.tickets import Ticket

app = typer.Typer(
    help="Firstline reads help-desk tickets: category, priority and team, a grounded draft, or a reasoned handoff.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: drawing frames would double the start-up time
)
articles_app = typer.Typer(help="A desk's knowledge, in and out.", no_args_is_help=True)
generations_app = typer.Typer(help="What a desk has built.", no_args_is_help=True)
app.add_typer(generations_app, name="generations")
app.add_typer(articles_app, name="articles")
app.add_typer(eval_commands, name="eval")
add_commands(app, articles_app)

MAX_TICKET_BYTES = 1_000_000  # as in triage.ticket_files, which would be slow to import here


def print_version(wanted: bool) -> None:
    """Print the version and leave, where that is wanted."""
    if wanted:
        from importlib.metadata import version

        typer.echo(version("firstline"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Hold what every command shares."""


@app.command(
    epilog="Example: firstline init mydesk --history export.csv --text subject,body --label category=Type "
    "--label team=Queue --reply Answer"
)
def init(  # noqa: PLR0913 - an option each
    desk: Annotated[Path, typer.Argument(help="The folder to make.")],
    history: Annotated[Path | None, typer.Option(help="Past tickets: .csv, .tsv or .jsonl, plain or as .gz.")] = None,
    text: Annotated[str | None, typer.Option(help="Columns of the text, in order, with commas.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="FIELD=COLUMN, several times; FIELD= for none.")] = None,
    reply: Annotated[str | None, typer.Option(help="Column of the reply that a ticket got.")] = None,
    ticket_id: Annotated[str | None, typer.Option("--id", help="Column of the ticket's id.")] = None,
    language: Annotated[str | None, typer.Option(help="Column of the language, as codes such as en.")] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of the file. [default: found out]")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Take the guessed columns without asking.")] = False,
) -> None:
    """Make a desk folder, from a help desk's own export where there is one.

    Columns that no option names are guessed from their names and contents; on a terminal you are asked whether the
    guesses are right. An option with "" as its column says that there is none.
    """
    from eval.init_command import InitChoices, init_desk

    choices = InitChoices(text, tuple(label or ()), reply, ticket_id, language, encoding)
    asks = sys.stdin.isatty() and not yes
    init_desk(
        desk, history, choices, typer.echo, (lambda asked, now: str(typer.prompt(asked, default=now))) if asks else None
    )


@app.command(epilog="Example: firstline build desks/demo")
def build(
    desk: DeskFolder,
    var: Var = Path("var"),
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Do nothing where a sound generation exists.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Shuffles the folds that thresholds are found on.")] = 20,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="First adapt the encoder to the desk's own labels (minutes to hours).")
    ] = False,
    database: DatabaseUrl = None,
) -> None:
    """Train, calibrate and index a desk; publish a generation and say how good it is.

    Once a desk has been served, its articles are those of the database.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from serve.articles_command import articles_of_database
    from triage.assembly import encoder_for_build, encoders_in, generations_of, is_built, remembering
    from triage.build import build_generation
    from triage.build_report import print_report
    from triage.desk_files import read_desk, read_rules
    from triage.folds import FoldPlan
    from triage.generation_files import articles_read_before
    from triage.tune import tune_encoder

    if if_missing and is_built(desk, var):
        return
    generations, now = generations_of(read_rules(desk).settings, var), datetime.now(UTC)
    checked = read_desk(desk, articles_read_before(generations.sound_current()))
    for refused in checked.refused:
        warn(f"{refused}; it is left out")
    if stored := articles_of_database(desk, database or default_database(var)):
        checked = replace(checked, articles=stored[0], knowledge_revision=stored[1])
        warn(f"the articles are those of the database, at revision {stored[1]} (see firstline articles --help)")
    with progress_bars() as progress:
        tuned = tune_encoder(checked, encoders_in(var), progress) if fine_tune else None
        progress("load encoder", 0, 1)
        encoder = encoder_for_build(checked, var, warn, tuned.folder if tuned else None)
        progress("load encoder", 1, 1)
        encoder = remembering(encoder, var, now.date(), warn)
        plan = FoldPlan(seed, tuned.judging if tuned else None)
        report = build_generation(checked, encoder, generations, now, progress, plan)
    generations.purge(checked.rules.settings.generations_kept)
    if tuned:
        typer.echo(tuned.text)
    print_report(report)


@app.command(epilog="Example: firstline audit desks/demo --field category --html audit.html")
def audit(  # noqa: PLR0913 - an option each
    desk: DeskFolder,
    field: Annotated[str | None, typer.Option(help="Audit this field alone.")] = None,
    tickets: Annotated[
        Path | None, typer.Option(help="JSON Lines, tickets without labels: finds topics that have no label yet.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the findings as a page, too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all findings as JSON.")] = False,
    top: Annotated[int, typer.Option(min=1, help="How many findings of a kind are shown.")] = 20,
    var: Var = Path("var"),
) -> None:
    """Say what is wrong with a desk's labels: wrong ones, overlapping, weak, contradictory and missing ones."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from eval.report.audit_page import write_audit_page
    from triage.assembly import engine_of, generations_of, remembering
    from triage.audit import audit_desk, audit_queue, read_queue
    from triage.audit_text import print_audit
    from triage.desk_files import read_desk

    checked, now = read_desk(desk), datetime.now(UTC)
    queue = read_queue(tickets) if tickets else None
    generation = generations_of(checked.rules.settings, var).open_current(warn)
    found = audit_desk(checked, generation, field)
    if queue is not None:
        engine = engine_of(generation, desk, var)
        engine = replace(engine, encoder=remembering(engine.encoder, var, now.date(), warn))
        with progress_bars() as progress:
            found = replace(found, queue=audit_queue(checked, engine, queue, now, progress))
    if html:
        write_audit_page(found, html, top)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
    else:
        print_audit(found, top)


@app.command(
    epilog='Example: firstline suggest desks/demo --subject "Cannot log in" --body "New phone, no codes" --json'
)
def suggest(
    desk: DeskFolder,
    subject: Annotated[str | None, typer.Option(help="The ticket's subject.")] = None,
    body: Annotated[str | None, typer.Option(help="The ticket's body.")] = None,
    ticket: Annotated[str | None, typer.Option(help="A JSON file with one ticket, or - for standard input.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the Suggestion as JSON.")] = False,
    var: Var = Path("var"),
) -> None:
    """Print one suggestion: a draft, a handoff with its reasons, or why no reply is needed."""
    import uuid
    from datetime import UTC, datetime

    from triage.assembly import build_engine

    asked = read_ticket(subject, body, ticket)
    engine = build_engine(desk, var, on_refused=warn, on_stale=warn)
    suggestion = engine.suggest(asked, uuid.uuid4().hex, datetime.now(UTC))
    if as_json:
        typer.echo(suggestion.model_dump_json(indent=2))
    else:
        from triage.suggestion_text import suggestion_text

        typer.echo(suggestion_text(asked, suggestion))


@app.command(epilog="Example: firstline bulk desks/demo tickets.jsonl suggestions.jsonl")
def bulk(
    desk: DeskFolder,
    tickets: Annotated[Path, typer.Argument(metavar="IN", help="JSON Lines, one ticket to a line.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="JSON Lines, one suggestion or error to a line.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in OUT.")] = False,
    var: Var = Path("var"),
) -> None:
    """Write a suggestion for every ticket of a file.

    The same command goes on with a run that was interrupted.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from triage.assembly import build_engine, remembering
    from triage.bulk import BulkJob, manifest_sha256, run_bulk, told_every
    from triage.bulk_record import check_paths

    check_paths(tickets, out)  # before what takes a second
    try:
        engine = build_engine(desk, var, on_refused=warn, on_stale=warn)
        now = datetime.now(UTC)
        # The same tickets again, under other rules, are encoded once.
        engine = replace(engine, encoder=remembering(engine.encoder, var, now.date(), warn))
        job = BulkJob(tickets, out, manifest_sha256(engine, var), overwrite)
        with progress_bars() as bars:
            progress = bars if sys.stderr.isatty() else told_every(30, warn)
            summary = run_bulk(engine, job, now, progress)
    except KeyboardInterrupt:
        warn(f"interrupted; the same command (without --overwrite) goes on from where {out} stands")
        raise typer.Exit(130) from None
    warn(f"{out}: {summary.text}")


@app.command(epilog="Example: firstline serve desks/demo --port 8080 --with-key")
def serve(  # noqa: PLR0913 - an option each
    desks: Annotated[list[Path], typer.Argument(help="One or more desk folders.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; each holds all desks.")] = 1,
    database: DatabaseUrl = None,
    with_key: Annotated[bool, typer.Option("--with-key", help="Make a key for 12 hours and print it.")] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A host name to answer to, or *.example.com; several times. [default: any]")
    ] = None,
    drain_seconds: Annotated[
        float, typer.Option(min=0, max=600, help="On SIGTERM, seconds between not ready and closed.")
    ] = 5,
    log_format: Annotated[
        Literal["text", "json"] | None, typer.Option(help="[default: text on a terminal, else json]")
    ] = None,
    var: Var = Path("var"),
) -> None:
    """Serve the API and the console until SIGTERM or Ctrl+C."""
    gc.disable()  # `run_server` turns it on again: nothing that is loaded for it is ever given back
    from serve.run_server import ServeSettings, run_server

    settings = ServeSettings(
        desks,
        var,
        database or default_database(var),
        host,
        port,
        workers=workers,
        drain_seconds=drain_seconds,
        log_format=log_format,
        allowed_hosts=tuple(allowed_host or ()),
    )
    run_server(settings, with_key, announce)


@articles_app.command("import", epilog="Example: firstline articles import export.json mydesk")
def articles_import(
    source: Annotated[
        Path, typer.Argument(help="A file or folder: .md, .html, .json, .jsonl, .csv, or a help centre's export.")
    ],
    desk: DeskFolder,
    audience: Annotated[str, typer.Option(help="Of articles that do not say: internal or public.")] = "internal",
    status: Annotated[str, typer.Option(help="Of articles that do not say: draft or published.")] = "draft",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite files that were edited since.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first thing that is not right.")] = False,
) -> None:
    """Write articles into a desk's folder, a Markdown file each; what cannot be read is listed and skipped."""
    from datetime import UTC, datetime

    from triage.articles_command import ImportChoices, import_into

    choices = ImportChoices(datetime.now(UTC), audience, status, replace, strict)
    with progress_bars() as progress:
        told = import_into(source, desk, choices, warn, progress)
    typer.echo(told)


@articles_app.command("export", epilog="Example: firstline articles export desks/demo articles.jsonl")
def articles_export(
    desk: DeskFolder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="JSON Lines, one article to a line.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in OUT.")] = False,
) -> None:
    """Write all articles of a desk's folder into one file, which `articles import` reads."""
    from triage.articles_command import export_from

    with progress_bars() as progress:
        told = export_from(desk, out, overwrite, warn, progress)
    typer.echo(told)


@generations_app.command("list", epilog="Example: firstline generations list desks/demo")
def generations_list(desk: DeskFolder, var: Var = Path("var")) -> None:
    """List a desk's generations, oldest first, and whether each is sound."""
    from triage.generations_command import list_generations

    typer.echo(list_generations(desk, var))


@generations_app.command("rollback", epilog="Example: firstline generations rollback desks/demo")
def generations_rollback(
    desk: DeskFolder,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="[default: the sound one before]")] = None,
    var: Var = Path("var"),
) -> None:
    """Serve an older generation from the next start on."""
    from triage.generations_command import roll_back

    typer.echo(roll_back(desk, var, name))


@generations_app.command("purge", epilog="Example: firstline generations purge desks/demo --keep 1")
def generations_purge(
    desk: DeskFolder,
    keep: Annotated[int, typer.Option(min=1, help="The newest so many stay, and the one that is served.")] = 5,
    var: Var = Path("var"),
) -> None:
    """Remove old generations. A build does so by itself, down to `generations_kept` of desk.toml (5)."""
    from triage.generations_command import purge

    typer.echo(purge(desk, var, keep))


def read_ticket(subject: str | None, body: str | None, source: str | None) -> "Ticket":
    """Return the ticket of the options; raise `TicketFileError` where they give none."""
    from triage.errors import TicketFileError
    from triage.ticket_files import parse_ticket_text

    if source is None:
        if subject is None and body is None:
            raise TicketFileError("no ticket was given; use --subject and --body, or --ticket FILE, or --ticket -")
        given = {"subject": subject, "body": body}
        return parse_ticket_text(
            json.dumps({key: text for key, text in given.items() if text is not None}), "the options"
        )
    if subject is not None or body is not None:
        raise TicketFileError("a ticket was given twice; use either --ticket or --subject and --body")
    if source == "-":
        return parse_ticket_text(sys.stdin.buffer.read(MAX_TICKET_BYTES + 1), "standard input")
    try:
        with Path(source).open("rb") as file:
            return parse_ticket_text(file.read(MAX_TICKET_BYTES + 1), source)
    except OSError as error:
        raise TicketFileError(f"{source}: the file cannot be read ({error.strerror}); check its name") from error


def announce(address: str, key: str | None) -> None:
    """Print where the service is and how to try it."""
    typer.echo(f"Firstline is at {address}  (console: {address}/console, stop with Ctrl+C)")
    if key:
        body = '{"subject":"New phone, codes gone","body":"No codes in the app on my new phone. How do I move them?"}'
        typer.echo(f"Key for 12 hours, also the password of the console: {key}\nTry it:\n")
        typer.echo(f"  curl -s {address}/v1/suggestions -H 'Authorization: Bearer {key}' \\")
        typer.echo(f"    -H 'Content-Type: application/json' -d '{body}'\n")


def main() -> None:
    """Run the command line; an expected error is one sentence on standard error and exit code 2."""
    try:
        app()
    except Exception as error:
        roots = {"TriageError", "ModelsError", "RetrievalError", "ServeError", "EvalError"}
        if not roots & {kind.__name__ for kind in type(error).__mro__}:
            raise
        warn(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
