"""Which recent tickets an article would answer: its passages beside what customers asked, by the vectors of both."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Row, case, select

from models.protocols import FloatArray
from serve.storage.article_store import Encoded
from serve.storage.database import Database
from serve.storage.suggestion_facts import facts_of_row
from serve.storage.tables import suggestions, tickets

#: Tickets that are looked at: the newest, and none older.
MOST, RECENT = 2_000, timedelta(days=28)
#: A cosine from which on a passage and a question are about the same matter; below it nobody is helped by a list.
ALIKE = 0.45
#: Cosines from which on they are called near, and close.
NEAR, CLOSE = 0.6, 0.75
SHOWN = 10
UNANSWERED = "no_supporting_article"


@dataclass(frozen=True)
class Asked:
    """A ticket that an article may answer. score: cosine of its nearest passage; unanswered: no article did."""

    ticket_id: str
    subject: str
    status: str
    disposition: str | None
    score: float
    unanswered: bool

    @property
    def likeness(self) -> str:
        """Name the cosine: `close`, `near` or `some`."""
        return "close" if self.score >= CLOSE else "near" if self.score >= NEAR else "some"


@dataclass(frozen=True)
class WouldAnswer:
    """The tickets nearest to an article. looked_at: recent ones with a vector; unanswered: those that no article
    answers so far, and how many of them this one is near to.
    """

    nearest: Sequence[Asked]
    looked_at: int
    unanswered: int
    of_those: int


def would_answer(database: Database, desk: str, encoded: Encoded, now: datetime) -> WouldAnswer:
    """Return which recent tickets an article's passages are near to."""
    rows = _recent(database, desk, encoded.encoder, now)
    if not rows or not len(encoded.vectors):
        return WouldAnswer((), len(rows), 0, 0)
    vectors = np.stack([np.frombuffer(row.vector, dtype="<f4") for row in rows])
    scores = _nearest(vectors, encoded.vectors)
    open_ones = {row.id for row in rows if _is_unanswered(row)}
    near = [(row, float(score)) for row, score in zip(rows, scores, strict=True) if score >= ALIKE]
    shown = sorted(near, key=lambda pair: -pair[1])[:SHOWN]
    subjects = _subjects(database, desk, [row.id for row, _ in shown])
    nearest = [
        Asked(row.id, subjects.get(row.id) or row.id, row.status, row.disposition, round(score, 4), row.id in open_ones)
        for row, score in shown
    ]
    return WouldAnswer(nearest, len(rows), len(open_ones), sum(row.id in open_ones for row, _ in near))


def _recent(database: Database, desk: str, encoder: str, now: datetime) -> Sequence[Any]:
    """Return recent tickets with their vectors; a suggestion only where what is counted of it was not kept apart."""
    of_before = case((suggestions.c.facts.is_(None), suggestions.c.suggestion)).label("suggestion")
    columns = (tickets.c.id, tickets.c.status, tickets.c.disposition, tickets.c.vector, suggestions.c.facts, of_before)
    newest = (suggestions.c.desk == tickets.c.desk) & (suggestions.c.id == tickets.c.suggestion_id)
    query = (
        select(*columns)
        .outerjoin(suggestions, newest)
        .where(
            tickets.c.desk == desk,
            tickets.c.encoder == encoder,
            tickets.c.vector.is_not(None),
            tickets.c.wrote_at > now - RECENT,
        )
        .order_by(tickets.c.wrote_at.desc())
        .limit(MOST)
    )
    with database.reading() as connection:
        return connection.execute(query).all()


def _is_unanswered(row: Row[Any]) -> bool:
    if row.disposition != "handoff" or (row.facts is None and row.suggestion is None):
        return False
    return UNANSWERED in facts_of_row(row.facts, row.suggestion or "").reasons


def _subjects(database: Database, desk: str, ids: Sequence[str]) -> Mapping[str, str | None]:
    query = select(tickets.c.id, tickets.c.ticket).where(tickets.c.desk == desk, tickets.c.id.in_(ids))
    with database.reading() as connection:
        return {row.id: json.loads(row.ticket).get("subject") for row in connection.execute(query)}


def _nearest(asked: FloatArray, passages: FloatArray) -> FloatArray:
    """Return the cosine of each ticket's nearest passage; all vectors are of norm 1."""
    return np.asarray((asked @ passages.T).max(axis=1))
