"""The commands about a served desk and its database. What is heavy is imported inside each."""

from pathlib import Path
from typing import Annotated

import typer

keys_app = typer.Typer(help="API keys of a served desk.", no_args_is_help=True)
feedback_app = typer.Typer(help="What agents did with suggestions.", no_args_is_help=True)
tickets_app = typer.Typer(help="The tickets of a served desk.", no_args_is_help=True)
database_app = typer.Typer(help="The service's database.", no_args_is_help=True)

DeskFolder = Annotated[Path, typer.Argument(help="The desk folder, such as desks/demo.")]
Var = Annotated[Path, typer.Option(envvar="FIRSTLINE_VAR", help="Where generations and databases are kept.")]
DatabaseUrl = Annotated[
    str | None, typer.Option(envvar="FIRSTLINE_DATABASE", help="SQLAlchemy URL. [default: VAR/firstline.db]")
]


def default_database(var: Path) -> str:
    """Return the URL of the SQLite file that is used where no other is named."""
    return f"sqlite:///{var / 'firstline.db'}"


@keys_app.command("create", epilog="Example: firstline keys create desks/demo --scope triage --name helpdesk --days 30")
def keys_create(  # noqa: PLR0913 - an option each
    desk: DeskFolder,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Several times. [default: triage, suggest, feedback, knowledge:read, internal]"),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until the key runs out.")] = 365,
    name: Annotated[str, typer.Option(help="Whose key it is, for people.")] = "",
    per_minute: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Requests a minute. [default: 6,000]")
    ] = None,
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Make a key for a desk and print it, once."""
    from datetime import UTC, datetime

    from serve.keys_command import KeyChoices, create_key

    choices = KeyChoices(tuple(scope or ()), days, name, per_minute)
    typer.echo(create_key(desk, database or default_database(var), choices, datetime.now(UTC)))


@keys_app.command("list", epilog="Example: firstline keys list desks/demo")
def keys_list(desk: DeskFolder, database: DatabaseUrl = None, var: Var = Path("var")) -> None:
    """List a desk's keys, oldest first: ids, scopes and state, never the keys."""
    from datetime import UTC, datetime

    from serve.keys_command import list_keys

    typer.echo(list_keys(desk, database or default_database(var), datetime.now(UTC)))


@keys_app.command("revoke", epilog="Example: firstline keys revoke desks/demo 2bfkgssx")
def keys_revoke(
    desk: DeskFolder,
    key: Annotated[str, typer.Argument(help="The key's id, or the key itself.")],
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Revoke a key; every server refuses it within a second."""
    from datetime import UTC, datetime

    from serve.keys_command import revoke_key

    typer.echo(revoke_key(desk, database or default_database(var), key, datetime.now(UTC)))


@feedback_app.command("export", epilog="Example: firstline feedback export desks/demo --out desks/demo")
def feedback_export(
    desk: DeskFolder,
    out: Annotated[Path | None, typer.Option(help="Folder for both files. [default: the desk folder]")] = None,
    per_agent: Annotated[int, typer.Option(min=1, help="The newest so many of each agent.")] = 50,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite files that were changed by hand.")] = False,
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Write what a lead approved as corrections.jsonl, which builds learn from, and as evaluation cases."""
    from serve.feedback_export import ExportChoices, export_feedback

    choices = ExportChoices(out, per_agent, replace)
    typer.echo(export_feedback(desk, database or default_database(var), choices))


@tickets_app.command("export", epilog="Example: firstline tickets export desks/demo --out var/tickets.jsonl --days 30")
def tickets_export(  # noqa: PLR0913 - an option each
    desk: DeskFolder,
    out: Annotated[Path, typer.Option(help="The file to write, JSON Lines.")],
    days: Annotated[
        float | None, typer.Option(min=0, max=36_500, help="Only tickets that changed in the last so many days.")
    ] = None,
    labelled: Annotated[bool, typer.Option("--labelled", help="Only tickets on which a person set a field.")] = False,
    mask: Annotated[bool, typer.Option("--mask", help="Replace personal data by placeholders.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the file.")] = False,
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Write stored tickets as they came in, with what people set and replied: for `eval replay`, or as past tickets."""
    from datetime import UTC, datetime, timedelta

    from serve.tickets_export import TicketChoices, export_tickets

    since = None if days is None else datetime.now(UTC) - timedelta(days=days)
    choices = TicketChoices(out, since, labelled, mask, replace)
    typer.echo(export_tickets(desk, database or default_database(var), choices))


@database_app.command("backup", epilog="Example: firstline database backup backup-2026-11-22.db")
def database_backup(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Write the whole database into a file, while it is served or not, and check the file."""
    from serve.storage.backup import back_up

    typer.echo(back_up(database or default_database(var), out))


@database_app.command("restore", epilog="Example: firstline database restore backup-2026-11-22.db --replace")
def database_restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `database backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a database that holds rows.")] = False,
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Put a backup in the place of the database; nobody may serve it meanwhile."""
    from serve.storage.backup import restore

    typer.echo(restore(database or default_database(var), file, replace))


def articles_publish(
    desk: DeskFolder,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what was edited in the service, too.")] = False,
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Serve the folder's edited articles: store them in the database that serves the desk."""
    from datetime import UTC, datetime

    from serve.articles_command import publish

    typer.echo(publish(desk, database or default_database(var), replace, datetime.now(UTC)))


def articles_fetch(
    desk: DeskFolder,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite files that were edited, too.")] = False,
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Write the articles that were edited in the service into the folder."""
    from serve.articles_command import fetch

    typer.echo(fetch(desk, database or default_database(var), replace))


def erase(
    desk: DeskFolder,
    requester: Annotated[str | None, typer.Option(help="The requester's id.")] = None,
    email: Annotated[str | None, typer.Option(help="The requester's e-mail address.")] = None,
    files: Annotated[bool, typer.Option("--files", help="Also remove their rows from the desk's files.")] = False,
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Erase a requester: tickets, messages, suggestions, feedback and vectors, and say what is left to do."""
    from datetime import UTC, datetime

    from serve.data_commands import erase
    from triage.tickets import Requester

    who = Requester(id=requester, email=email)
    typer.echo(erase((desk, var), database or default_database(var), who, files, datetime.now(UTC)))


def retention(
    desk: DeskFolder,
    days: Annotated[float, typer.Option(min=1, help="Closed tickets that are older go.")],
    database: DatabaseUrl = None,
    var: Var = Path("var"),
) -> None:
    """Remove closed tickets, and suggestions without a ticket, that are older than so many days."""
    from datetime import UTC, datetime

    from serve.data_commands import retention

    typer.echo(retention(desk, database or default_database(var), days, datetime.now(UTC)))


def add_commands(app: typer.Typer, articles: typer.Typer) -> None:
    """Add the commands of this module to the command line; articles: the group that has import and export already."""
    app.add_typer(keys_app, name="keys")
    app.add_typer(feedback_app, name="feedback")
    app.add_typer(tickets_app, name="tickets")
    app.add_typer(database_app, name="database")
    articles.command("publish", epilog="Example: firstline articles publish desks/demo")(articles_publish)
    articles.command("fetch", epilog="Example: firstline articles fetch desks/demo")(articles_fetch)
    app.command(epilog="Example: firstline erase desks/demo --email jo@bun.example --files")(erase)
    app.command(epilog="Example: firstline retention desks/demo --days 365")(retention)
