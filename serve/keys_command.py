"""``firstline keys``: makes, lists and revokes a desk's keys, in the database and without serving the desk."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from serve.errors import KeyCommandError
from serve.security.keys import DEFAULT_SCOPES, SCOPES, KeyInfo, KeyOptions, KeyStore, id_of, is_well_formed, new_key
from serve.storage.database import Database
from triage.desk_files import read_rules

MAX_NAME = 128
HEADINGS = ("id", "name", "scopes", "a minute", "made", "runs out", "state")


@dataclass(frozen=True)
class KeyChoices:
    """What a key is to be: what it may do (nothing named: `DEFAULT_SCOPES`), for how many days, requests a minute."""

    scopes: Sequence[str] = ()
    days: int = 365
    name: str = ""
    per_minute: int | None = None


def create_key(desk: Path, database_url: str, choices: KeyChoices, now: datetime) -> str:
    """Make a key for a desk folder's desk and return it: nobody can see it again. Raises `KeyCommandError`."""
    unknown = sorted(set(choices.scopes) - set(SCOPES))
    if unknown:
        raise KeyCommandError(f"unknown scope {unknown[0]!r}; use {', '.join(SCOPES)}")
    name = choices.name.strip()
    if len(name) > MAX_NAME or not name.isprintable():
        raise KeyCommandError(f"--name must be one line of {MAX_NAME} characters at most; shorten it")
    options, key = KeyOptions(name, choices.per_minute), new_key()
    with _keys(desk, database_url) as (keys, desk_id):
        keys.add(key, desk_id, choices.scopes or DEFAULT_SCOPES, now, now + timedelta(days=choices.days), options)
    return key


def list_keys(desk: Path, database_url: str, now: datetime) -> str:
    """Return a table of a desk's keys, oldest first; of a key itself only its id is known."""
    with _keys(desk, database_url) as (keys, desk_id):
        rows = [_row(info, now) for info in keys.list(desk_id)]
    return _table([HEADINGS, *rows]) if rows else f"{desk} has no keys; make one with `firstline keys create {desk}`"


def revoke_key(desk: Path, database_url: str, key: str, now: datetime) -> str:
    """Revoke a key of a desk and say so; key: its id, or the key itself. Raises `KeyCommandError`."""
    key_id = id_of(key) if is_well_formed(key) else key
    with _keys(desk, database_url) as (keys, desk_id):
        if not keys.revoke(desk_id, key_id, now):
            raise KeyCommandError(f"{desk} has no such key; `firstline keys list {desk}` shows their ids")
    return f"key {key_id} is revoked; every server refuses it within a second"


@contextmanager
def _keys(desk: Path, database_url: str) -> Iterator[tuple[KeyStore, str]]:
    desk_id = read_rules(desk).settings.id
    database = Database.open(database_url)
    try:
        yield KeyStore(database), desk_id
    finally:
        database.close()


def _row(info: KeyInfo, now: datetime) -> tuple[str, ...]:
    scopes, made, ends = " ".join(info.scopes), f"{info.created_at:%Y-%m-%d}", f"{info.expires_at:%Y-%m-%d}"
    budget = "usual" if info.per_minute is None else f"{info.per_minute:,}"
    return info.id, info.name or "-", scopes, budget, made, ends, info.state(now)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
