"""Removes rows in transactions of bounded size: tickets with their messages, suggestions with what was said of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, func, select, tuple_

from serve.storage.database import Database
from serve.storage.tables import feedback, messages, suggestions, tickets

#: Rows that one transaction takes away of a table, and that are looked at at a time.
BATCH = 500

#: How many rows were removed, by what they are.
Counts = dict[str, int]


def nothing_yet() -> Counts:
    """Return the counts of a removal that begins."""
    return dict.fromkeys(("tickets", "messages", "suggestions", "feedback", "answers"), 0)


def remove_suggestions_of(database: Database, desk: str, ids: Sequence[str], counts: Counts) -> None:
    """Remove the suggestions of tickets, and what was said of them."""
    for part in batches(ids):
        of_tickets = and_(suggestions.c.desk == desk, suggestions.c.ticket_id.in_(part))
        while batch := some_of(database, suggestions.c.id, of_tickets):
            remove_suggestions(database, desk, batch, counts)
        said = and_(feedback.c.desk == desk, feedback.c.ticket_id.in_(part))
        counts["feedback"] += remove_rows(database, feedback, said)


def remove_suggestions(database: Database, desk: str, ids: Sequence[str], counts: Counts) -> None:
    """Remove suggestions by id; what was said of them first, so that none is left over where this is cut short."""
    for batch in batches(ids):
        said = and_(feedback.c.desk == desk, feedback.c.suggestion_id.in_(batch))
        counts["feedback"] += remove_rows(database, feedback, said)
        these = and_(suggestions.c.desk == desk, suggestions.c.id.in_(batch))
        counts["suggestions"] += remove_rows(database, suggestions, these)


def in_groups(database: Database, desk: str, ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield tickets in groups that have `BATCH` messages together, or one ticket."""
    for batch in batches(ids):
        query = select(messages.c.ticket_id, func.count()).where(
            messages.c.desk == desk, messages.c.ticket_id.in_(batch)
        )
        with database.reading() as connection:
            found = connection.execute(query.group_by(messages.c.ticket_id)).all()
        sizes: dict[str, int] = {row[0]: row[1] for row in found}
        group, size = list[str](), 0
        for id in batch:
            if group and size + sizes.get(id, 0) > BATCH:
                yield group
                group, size = [], 0
            group.append(id)
            size += sizes.get(id, 0)
        yield group


def remove_tickets(
    connection: Connection,
    desk: str,
    ids: Sequence[str],
    counts: Counts,
    still: ColumnElement[bool] | None = None,
) -> None:
    """Remove tickets and their messages, and what came in since their suggestions were removed.

    still: what must hold of a ticket now; one that changed meanwhile stays.
    """
    query = ids_of(desk, ids)
    query = (query if still is None else query.where(still)).with_for_update()
    gone = list(connection.execute(query).scalars())
    for name, table in (("feedback", feedback), ("suggestions", suggestions), ("messages", messages)):
        hanging = and_(table.c.desk == desk, table.c.ticket_id.in_(gone if still is not None else ids))
        counts[name] += connection.execute(delete(table).where(hanging)).rowcount
    counts["tickets"] += connection.execute(delete(tickets).where(these_tickets(desk, gone))).rowcount


def remove_rows(database: Database, table: Table, where: ColumnElement[bool]) -> int:
    """Remove rows, `BATCH` to a transaction; return how many there were."""
    key, removed = tuple_(*table.primary_key.columns), 0
    while True:
        with database.writing() as connection:
            rows = connection.execute(select(*table.primary_key.columns).where(where).limit(BATCH)).all()
            if rows:
                connection.execute(delete(table).where(key.in_([tuple(row) for row in rows])))
        removed += len(rows)
        if len(rows) < BATCH:
            return removed


def some_of(database: Database, column: Any, where: ColumnElement[bool]) -> list[str]:
    """Return a column of `BATCH` rows at most."""
    with database.reading() as connection:
        return list(connection.execute(select(column).where(where).limit(BATCH)).scalars())


def ids_of(desk: str, ids: Iterable[str]) -> Select[str]:
    """Return the query for those of these tickets that a desk has."""
    return select(tickets.c.id).where(these_tickets(desk, ids))


def these_tickets(desk: str, ids: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition under which a row is one of these tickets of a desk."""
    return and_(tickets.c.desk == desk, tickets.c.id.in_(list(ids)))


def batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Return ids in parts of `BATCH`."""
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
