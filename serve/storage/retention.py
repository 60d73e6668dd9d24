"""Removes what a desk need not keep any longer."""

from datetime import datetime, timedelta

from sqlalchemy import and_, exists

from serve.storage.audit_log import COMMAND_LINE, AuditEntry, AuditLog
from serve.storage.database import Database
from serve.storage.removal import (
    Counts,
    in_groups,
    nothing_yet,
    remove_rows,
    remove_suggestions,
    remove_suggestions_of,
    remove_tickets,
    some_of,
)
from serve.storage.tables import idempotency_keys, suggestions, tickets

#: How long an answer is kept by its Idempotency-Key.
ANSWERS_KEPT = timedelta(hours=24)
#: Statuses of tickets that wait for nothing any more.
DONE = ("solved", "closed")


def remove_old(database: Database, desk: str, days: float, now: datetime, actor: str = COMMAND_LINE) -> Counts:
    """Remove what nobody has touched for some days: tickets that are solved or closed, with all that hangs on them,
    and suggestions of no known ticket. Answers by Idempotency-Key go after `ANSWERS_KEPT`. Returns rows by table.
    """
    end = now - timedelta(days=days)
    counts = nothing_yet()
    old = and_(tickets.c.desk == desk, tickets.c.status.in_(DONE), tickets.c.updated_at < end)
    while batch := some_of(database, tickets.c.id, old):
        remove_suggestions_of(database, desk, batch, counts)
        for group in in_groups(database, desk, batch):
            with database.writing() as connection:
                remove_tickets(connection, desk, group, counts, old)
    known = exists().where(tickets.c.desk == suggestions.c.desk, tickets.c.id == suggestions.c.ticket_id)
    alone = and_(suggestions.c.desk == desk, suggestions.c.created_at < end, ~known)
    while batch := some_of(database, suggestions.c.id, alone):
        remove_suggestions(database, desk, batch, counts)
    past = and_(idempotency_keys.c.desk == desk, idempotency_keys.c.created_at < now - ANSWERS_KEPT)
    counts["answers"] = remove_rows(database, idempotency_keys, past)
    if any(counts.values()):
        with database.writing() as connection:
            AuditLog.add(connection, AuditEntry(desk, now, actor, "retention", desk, {**counts, "days": round(days)}))
    return counts
