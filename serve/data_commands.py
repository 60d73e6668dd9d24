"""What the commands about a desk's data do, and the words in which they tell of it."""

from datetime import datetime
from pathlib import Path

from serve.erase_requester import DeskHome, Erased, ErasureOrder, erase_requester
from serve.errors import DataCommandError
from serve.storage.database import Database
from serve.storage.removal import Counts
from serve.storage.retention import remove_old
from triage.desk_files import read_rules
from triage.tickets import Requester

#: How counted rows are called, one and many.
CALLED = {
    "tickets": ("ticket", "tickets"),
    "messages": ("message", "messages"),
    "suggestions": ("suggestion", "suggestions"),
    "feedback": ("piece of feedback", "pieces of feedback"),
    "answers": ("kept answer", "kept answers"),
}


def erase(home: tuple[Path, Path], database_url: str, requester: Requester, files: bool, now: datetime) -> str:
    """Erase a requester of a desk and return what there is to say; home: the desk's folder, and `var`.

    Raises `DataCommandError` where nobody is named, and what `erase_requester` raises.
    """
    folder, var = home
    desk = read_rules(folder).settings.id
    database = Database.open(database_url)
    try:
        done = erase_requester(database, DeskHome(desk, folder, var), requester, ErasureOrder(now, files=files))
    finally:
        database.close()
    return erased_text(done)


def erased_text(done: Erased) -> str:
    """Say what was erased, and what somebody still has to do."""
    lines = [f"Removed from the database: {counted(done.counts)}."]
    if done.found.tickets:
        lines.append(f"Tickets: {', '.join(done.found.tickets)}")
    if done.quoted:
        lines.append(f"Replies to them were taken out of {done.quoted} decisions about others.")
    if done.rows and done.files_done:
        lines.append(f"Rows removed from files: {', '.join(f'{name} {count}' for name, count in done.rows.items())}.")
    lines.append("Vectors that were kept of their words were removed.")
    return "\n".join([*lines, *done.to_do])


def retention(folder: Path, database_url: str, days: float, now: datetime) -> str:
    """Remove what a desk need not keep and return what there is to say; see `serve.storage.retention`."""
    if days < 1:
        raise DataCommandError("--days must be 1 or more")
    desk = read_rules(folder).settings.id
    database = Database.open(database_url)
    try:
        return f"Removed: {counted(remove_old(database, desk, days, now))}."
    finally:
        database.close()


def counted(counts: Counts) -> str:
    """Say counts in words."""
    told = [f"{count:,} {CALLED[name][count != 1]}" for name, count in counts.items()]
    return f"{', '.join(told[:-1])} and {told[-1]}"
