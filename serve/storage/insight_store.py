"""Reads what insights are counted from: suggestions, what people made of them, and how tickets went."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Row, Select, literal, or_, select, tuple_

from models.protocols import FloatArray
from serve.storage.database import Database
from serve.storage.suggestion_facts import facts_of_row
from serve.storage.tables import feedback, suggestions, tickets

#: Rows that are read at a time; between two pages no transaction is open.
PAGE = 2_000


@dataclass(frozen=True)
class Decision:
    """A suggestion. facts: `SuggestionFacts` as plain values."""

    id: str
    ticket_id: str | None
    at: datetime
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Opinion:
    """What a person made of a suggestion. kinds: of the edit; kept: share of the draft's words; seconds: it took."""

    suggestion_id: str
    ticket_id: str | None
    at: datetime
    verdict: str
    fields: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    kept: float | None = None
    kinds: tuple[str, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True)
class TicketLife:
    """How a ticket went. requester: what they are known by, "" for nobody; by_hand: fields that a person set."""

    id: str
    wrote_at: datetime
    category: str | None = None
    requester: str = ""
    first_reply_at: datetime | None = None
    resolved_at: datetime | None = None
    respond_by: datetime | None = None
    resolve_by: datetime | None = None
    by_hand: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """All of a desk that is counted, oldest first; tickets: those that were opened since, or wait, or were solved."""

    decisions: Sequence[Decision] = ()
    opinions: Sequence[Opinion] = ()
    tickets: Sequence[TicketLife] = ()


@dataclass(frozen=True, eq=False)
class Gap:
    """A question that no article answered, by its vector."""

    ticket_id: str
    subject: str
    vector: FloatArray


class InsightStore:
    """What is counted of all desks; every method names the desk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, desk: str, since: datetime) -> Observed:
        """Return what happened since a moment."""
        table, said, life = suggestions.c, feedback.c, tickets.c
        decisions = select(table.id, table.ticket_id, table.created_at, table.facts).where(
            table.desk == desk, table.created_at >= since
        )
        opinions = select(feedback).where(said.desk == desk, said.created_at >= since, said.undone_at.is_(None))
        still = or_(life.wrote_at >= since, life.resolved_at >= since, life.resolved_at.is_(None))
        lives = select(
            life.id, life.wrote_at, life.category, life.requester_id, life.requester_email, life.first_reply_at,
            life.resolved_at, life.respond_by, life.resolve_by, life.set_fields,
        ).where(life.desk == desk, still)  # fmt: skip
        return Observed(
            [self._decision(row) for row in self._rows(decisions, table.created_at, table.id)],
            [_opinion(row) for row in self._rows(opinions, said.created_at, said.id)],
            [_life(row) for row in self._rows(lives, life.wrote_at, life.id)],
        )

    def gaps(self, desk: str, ids: Sequence[str]) -> list[Gap]:
        """Return the questions of suggestions by id, each ticket once, in this order; without a vector none is one."""
        row = suggestions.c
        columns = (row.id, row.ticket_id, row.ticket, row.vectors, row.vector_rows)
        query = select(*columns).where(row.desk == desk, row.id.in_(list(ids)))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        place = {id: at for at, id in enumerate(ids)}
        found = {
            row.ticket_id or row.id: Gap(
                row.ticket_id or row.id,
                json.loads(row.ticket).get("subject") or row.ticket_id or row.id,
                np.frombuffer(row.vectors, dtype="<f4").reshape(row.vector_rows, -1)[0],
            )
            for row in sorted(rows, key=lambda row: place[row.id])
            if row.vectors is not None
        }
        return list(found.values())

    def _rows(self, query: Select[Any], at: Any, id: Any) -> Iterator[Row[Any]]:
        """Yield rows by time, page by page."""
        page = query.order_by(at, id).limit(PAGE)
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(page).all()
            yield from rows
            if len(rows) < PAGE:
                return
            last = rows[-1]
            page = query.where(tuple_(at, id) > tuple_(*_place(at, last))).order_by(at, id).limit(PAGE)

    def _decision(self, row: Row[Any]) -> Decision:
        facts = json.loads(row.facts) if row.facts is not None else self._facts_of_before(row.id)
        return Decision(row.id, row.ticket_id, row.created_at, facts)

    def _facts_of_before(self, id: str) -> Mapping[str, Any]:
        """Return what is counted of a row that was stored before that was kept apart."""
        with self._database.reading() as connection:
            said = connection.execute(select(suggestions.c.suggestion).where(suggestions.c.id == id)).scalar_one()
        return facts_of_row(None, said).model_dump()


def _place(at: Any, row: Row[Any]) -> tuple[Any, Any]:
    return literal(row._mapping[at.name], at.type), literal(row.id)


def _opinion(row: Row[Any]) -> Opinion:
    edit = json.loads(row.edit) if row.edit else {}
    return Opinion(
        row.suggestion_id,
        row.ticket_id,
        row.created_at,
        row.verdict,
        json.loads(row.fields),
        row.reason,
        row.kept_ratio,
        tuple(edit.get("kinds", ())),
        row.seconds,
    )


def _life(row: Row[Any]) -> TicketLife:
    return TicketLife(
        row.id,
        row.wrote_at,
        row.category,
        row.requester_id or row.requester_email or "",
        row.first_reply_at,
        row.resolved_at,
        row.respond_by,
        row.resolve_by,
        json.loads(row.set_fields),
    )
