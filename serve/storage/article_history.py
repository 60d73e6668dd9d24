"""How an article came to be what it is: its versions, newest first."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from serve.storage.database import Database
from serve.storage.tables import article_versions


@dataclass(frozen=True)
class Version:
    """One version, without its text. status: `draft` or `published`, as it was stored."""

    number: int
    status: str
    audience: str
    created_at: datetime


def versions_of(database: Database, desk: str, article_id: str, limit: int) -> Sequence[Version]:
    """Return the newest versions of a desk's article."""
    row = article_versions.c
    query = (
        select(row.revision, row.status, row.created_at, row.article)
        .where(row.desk == desk, row.article_id == article_id)
        .order_by(row.revision.desc())
        .limit(limit)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return [Version(one.revision, one.status, json.loads(one.article)["audience"], one.created_at) for one in rows]
