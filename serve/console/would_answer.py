"""Which recent tickets an article would answer: its passages beside what customers asked, by the vectors of both."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select

from models.protocols import FloatArray
from serve.storage.article_store import Encoded
from serve.storage.database import Database
from serve.storage.suggestion_facts import facts_of_row
from serve.storage.tables import suggestions, tickets

#: Tickets that are looked at: the newest, and none older.
MOST, RECENT = 2_000, timedelta(days=28)
#: A cosine from which on a passage and a question are about the same matter; below it nobody is helped by a list.
ALIKE = 0.45
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
    query = (
        select(tickets.c.id, tickets.c.ticket, tickets.c.status, tickets.c.disposition, tickets.c.vector,
               suggestions.c.facts, suggestions.c.suggestion)
        .outerjoin(suggestions, (suggestions.c.desk == tickets.c.desk) & (suggestions.c.id == tickets.c.suggestion_id))
        .where(
            tickets.c.desk == desk,
            tickets.c.encoder == encoded.encoder,
            tickets.c.vector.is_not(None),
            tickets.c.wrote_at > now - RECENT,
        )
        .order_by(tickets.c.wrote_at.desc())
        .limit(MOST)
    )  # fmt: skip
    with database.reading() as connection:
        rows = connection.execute(query).all()
    if not rows or not len(encoded.vectors):
        return WouldAnswer((), len(rows), 0, 0)
    vectors = np.stack([np.frombuffer(row.vector, dtype="<f4") for row in rows])
    scores = _nearest(vectors, encoded.vectors)
    found = [
        Asked(
            row.id,
            json.loads(row.ticket).get("subject") or row.id,
            row.status,
            row.disposition,
            round(float(score), 4),
            UNANSWERED in facts_of_row(row.facts, row.suggestion).reasons if row.suggestion else False,
        )
        for row, score in zip(rows, scores, strict=True)
    ]
    near = [one for one in found if one.score >= ALIKE]
    return WouldAnswer(
        sorted(near, key=lambda one: -one.score)[:SHOWN],
        len(found),
        sum(one.unanswered for one in found),
        sum(one.unanswered for one in near),
    )


def _nearest(asked: FloatArray, passages: FloatArray) -> FloatArray:
    """Return the cosine of each ticket's nearest passage; all vectors are of norm 1."""
    return np.asarray((asked @ passages.T).max(axis=1))
