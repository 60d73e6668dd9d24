"""The audit log: who changed what. It is written with the change itself, in one transaction, and never rewritten."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from serve.storage.database import Database
from serve.storage.tables import audit_log

#: Who acts where it was a person at the command line, and not a key.
COMMAND_LINE = "command-line"


@dataclass(frozen=True)
class AuditEntry:
    """One change: ids and numbers only, since a line of this log cannot be erased.

    actor: a key's id, or `COMMAND_LINE`; action: such as ``key.create``; subject: the id of what was changed; id: its
    place in the log, 0 until it is stored.
    """

    desk: str
    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, str | int]
    id: int = 0


class AuditLog:
    """The log of all desks; reading names the desk. The database itself refuses to change or remove a line."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    def add(connection: Connection, entry: AuditEntry) -> None:
        """Append an entry within the open write transaction of the change that it tells of."""
        row = {
            "desk": entry.desk,
            "at": entry.at,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "details": json.dumps(dict(entry.details), ensure_ascii=False, sort_keys=True),
        }
        connection.execute(insert(audit_log), row)

    def list(self, desk: str, limit: int, before: int | None = None) -> tuple[AuditEntry, ...]:
        """Return a desk's newest entries, newest first; before: only those older than the entry with this id."""
        query = select(audit_log).where(audit_log.c.desk == desk).order_by(audit_log.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit_log.c.id < before)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(
            AuditEntry(row.desk, row.at, row.actor, row.action, row.subject, json.loads(row.details), row.id)
            for row in rows
        )
