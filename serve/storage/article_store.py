"""Articles of a served desk: every version, which one is served since when, and the vectors of its passages."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from models.protocols import FloatArray
from retrieval.articles import Article
from serve.errors import PreconditionFailed
from serve.storage.audit_log import AuditEntry, AuditLog
from serve.storage.database import Database
from serve.storage.tables import article_vectors, article_versions, articles, desks

#: The revision at which a desk's articles came from its folder.
ADOPTED = 1


@dataclass(frozen=True)
class StoredArticle:
    """A version of an article, and where the article stands.

    latest, published: numbers of versions, published None where none is served; article.revision is this one's.
    """

    article: Article
    latest: int
    published: int | None
    updated_at: datetime


@dataclass(frozen=True)
class Standing:
    """Where an article and its file last agreed: the newest version, the file's SHA-256 then, and the version then."""

    latest: int
    source: str
    synced: int | None
    deleted: bool


@dataclass(frozen=True, eq=False)
class Encoded:
    """The vectors of an article's passages, of shape (passages, dimension); texts: SHA-256 of what they are of."""

    encoder: str
    texts: str
    vectors: FloatArray


@dataclass(frozen=True)
class Change:
    """Who changes an article, and when.

    if_version: the newest version that they know of, None for whatever it is; source: the SHA-256 of the file that it
    comes from, "" where it comes another way.
    """

    key_id: str
    now: datetime
    if_version: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Served:
    """What is served of the articles that changed: None for one that is not; as of a revision."""

    revision: int
    articles: dict[str, Article | None]


class ArticleStore:
    """The articles of all desks; every method names the desk. What it returns has been committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self, desk: str) -> int:
        """Return how often what is served has changed; 0 for a desk whose articles are still its folder's."""
        with self._database.reading() as connection:
            return _revision(connection, desk)

    def put(self, desk: str, article: Article, encoded: Encoded | None, change: Change) -> StoredArticle:
        """Store a new version; one with the status published is served from now on, a draft changes nothing served.

        encoded: of a published version. Raises `PreconditionFailed` where somebody else was faster.
        """
        with self._database.writing() as connection:
            revision = _lock(connection, desk)
            row = _row(connection, desk, article.id)
            latest = row.latest if row is not None else 0
            _check(change.if_version, 0 if row is None or row.deleted else latest)
            version = replace(article, revision=max(latest + 1, article.revision if row is None else 0))
            served = version.status == "published"
            revision += served
            values = {"latest": version.revision, "deleted": False, "updated_at": change.now}
            if change.source:
                values |= {"source": change.source, "synced": version.revision}
            if served:
                values |= {"published": version.revision, "knowledge_revision": revision}
            _save(connection, desk, version, row, values)
            _save_version(connection, desk, version, change, revision if served else None)
            if served:
                _raise(connection, desk, revision)
                _save_vectors(connection, desk, version, encoded)
            action = "article.publish" if served else "article.draft"
            _log(connection, desk, change, action, version.id, version.revision)
            published = version.revision if served else (row.published if row is not None else None)
        return StoredArticle(version, version.revision, published, change.now)

    def delete(self, desk: str, article_id: str, change: Change) -> bool:
        """Take an article away, and keep its versions; False where there is none. Raises `PreconditionFailed`."""
        with self._database.writing() as connection:
            revision = _lock(connection, desk)
            row = _row(connection, desk, article_id)
            if row is None or row.deleted:
                return False
            _check(change.if_version, row.latest)
            values: dict[str, Any] = {"deleted": True, "published": None, "updated_at": change.now}
            if row.published is not None:
                revision += 1
                values["knowledge_revision"] = revision
                _end(connection, desk, article_id, revision)
                _raise(connection, desk, revision)
            connection.execute(update(articles).where(*_is(desk, article_id)).values(values))
            _log(connection, desk, change, "article.delete", article_id, row.latest)
        return True

    def adopt(self, desk: str, found: Iterable[tuple[Article, str]], change: Change) -> bool:
        """Take over a folder's articles, each with the SHA-256 of its file; False where that was done before.

        The vectors come later: the first worker that needs one stores it with `keep`.
        """
        try:
            return self._adopt(desk, found, change)
        except IntegrityError:  # another worker was faster
            return False

    def _adopt(self, desk: str, found: Iterable[tuple[Article, str]], change: Change) -> bool:
        with self._database.writing() as connection:
            if _lock(connection, desk):
                return False
            for article, source in found:
                served = article.status == "published"
                values = {"latest": article.revision, "deleted": False, "updated_at": change.now}
                values |= {"source": source, "synced": article.revision}
                values |= {"published": article.revision if served else None, "knowledge_revision": ADOPTED}
                _save(connection, desk, article, None, values)
                _save_version(connection, desk, article, change, ADOPTED if served else None)
            _raise(connection, desk, ADOPTED)
            _log(connection, desk, change, "articles.adopt", desk, ADOPTED)
        return True

    def get(self, desk: str, article_id: str, revision: int | None = None) -> StoredArticle | None:
        """Return an article's newest version, or one by number; None where there is none, or it was deleted."""
        with self._database.reading() as connection:
            row = _row(connection, desk, article_id)
            if row is None or row.deleted:
                return None
            version = _version(connection, desk, article_id, revision or row.latest)
        return None if version is None else _stored(version, row)

    def list(self, desk: str, limit: int, after: str = "") -> Sequence[StoredArticle]:
        """Return the newest versions of a desk's articles by id, those behind `after`."""
        current = and_(
            article_versions.c.desk == articles.c.desk,
            article_versions.c.article_id == articles.c.id,
            article_versions.c.revision == articles.c.latest,
        )
        query = (
            select(articles, article_versions.c.article)
            .join(article_versions, current)
            .where(articles.c.desk == desk, articles.c.id > after, articles.c.deleted.is_(False))
            .order_by(articles.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [_stored(_article(row.article), row) for row in rows]

    def standings(self, desk: str) -> dict[str, Standing]:
        """Return where each of a desk's articles last agreed with its file, deleted ones too, by id."""
        table = articles.c
        query = select(table.id, table.latest, table.source, table.synced, table.deleted).where(table.desk == desk)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return {row.id: Standing(row.latest, row.source, row.synced, row.deleted) for row in rows}

    def agree(self, desk: str, article: Article, source: str) -> None:
        """Keep that a version and the file with this SHA-256 say the same."""
        values = {"source": source, "synced": article.revision}
        with self._database.writing() as connection:
            connection.execute(update(articles).where(*_is(desk, article.id)).values(values))

    def served(self, desk: str, since: int = 0, until: int | None = None) -> Served:
        """Return what is served of every article that changed after one revision, as of another (None: as of now)."""
        now = articles.c.knowledge_revision
        with self._database.reading() as connection:
            # The revision first: what is committed between the two is seen, and once more by the next who asks.
            revision = _revision(connection, desk)
            ids = connection.execute(select(articles.c.id).where(articles.c.desk == desk, now > since)).scalars().all()
            at = revision if until is None else until
            found: dict[str, Article | None] = dict.fromkeys(ids)
            for row in connection.execute(_serving(desk, at)):
                if row.article_id in found:
                    found[row.article_id] = _article(row.article)
        return Served(at, found)

    def published(self, desk: str, until: int | None = None) -> Served:
        """Return all that is served, as of a revision (None: as of now)."""
        with self._database.reading() as connection:
            revision = _revision(connection, desk) if until is None else until
            rows = connection.execute(_serving(desk, revision)).all()
        return Served(revision, {row.article_id: _article(row.article) for row in rows})

    def vectors(self, desk: str, article: Article, encoder: str, dimension: int) -> Encoded | None:
        """Return the vectors of a version's passages by an encoder, where they are stored."""
        table = article_vectors
        query = select(table.c.texts, table.c.vectors).where(
            table.c.desk == desk,
            table.c.article_id == article.id,
            table.c.revision == article.revision,
            table.c.encoder == encoder,
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Encoded(encoder, row.texts, np.frombuffer(row.vectors, dtype="<f4").reshape(-1, dimension).copy())

    def keep(self, desk: str, article: Article, encoded: Encoded) -> None:
        """Store vectors of a version that were missing; where another worker was faster, its own stay."""
        with self._database.writing() as connection:
            _save_vectors(connection, desk, article, encoded)


def hash_of_texts(texts: Sequence[str]) -> str:
    """Return the SHA-256 of what an article's passages are encoded from."""
    return sha256(json.dumps(list(texts)).encode()).hexdigest()


def _serving(desk: str, at: int) -> Any:
    """Return the query for the versions that are served at a revision."""
    table = article_versions
    return select(table.c.article_id, table.c.article).where(
        table.c.desk == desk,
        table.c.from_revision <= at,
        or_(table.c.until_revision.is_(None), table.c.until_revision > at),
    )


def _revision(connection: Connection, desk: str) -> int:
    found = connection.execute(select(desks.c.knowledge_revision).where(desks.c.desk == desk)).scalar_one_or_none()
    return found or 0


def _lock(connection: Connection, desk: str) -> int:
    """Return the desk's revision; until the transaction ends nobody else changes an article of the desk."""
    query = select(desks.c.knowledge_revision).where(desks.c.desk == desk).with_for_update()
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        connection.execute(insert(desks), {"desk": desk, "knowledge_revision": 0})
    return found or 0


def _raise(connection: Connection, desk: str, revision: int) -> None:
    connection.execute(update(desks).where(desks.c.desk == desk).values(knowledge_revision=revision))


def _is(desk: str, article_id: str) -> tuple[Any, Any]:
    return articles.c.desk == desk, articles.c.id == article_id


def _row(connection: Connection, desk: str, article_id: str) -> Row[Any] | None:
    return connection.execute(select(articles).where(*_is(desk, article_id))).one_or_none()


def _check(wanted: int | None, found: int) -> None:
    if wanted is not None and wanted != found:
        raise PreconditionFailed(f"the article is at version {found}, not {wanted}; read it again and change that")


def _save(connection: Connection, desk: str, article: Article, row: Row[Any] | None, values: dict[str, Any]) -> None:
    if row is not None:
        connection.execute(update(articles).where(*_is(desk, article.id)).values(values))
        return
    first = {"desk": desk, "id": article.id, "published": None, "knowledge_revision": 0, "source": "", "synced": None}
    connection.execute(insert(articles), first | values)


def _save_version(connection: Connection, desk: str, article: Article, change: Change, served: int | None) -> None:
    if served is not None:
        _end(connection, desk, article.id, served)
    told = asdict(article) | {"path": "", "tags": list(article.tags)}
    row = {"desk": desk, "article_id": article.id, "revision": article.revision, "article": json.dumps(told)}
    row |= {"status": article.status, "from_revision": served, "until_revision": None}
    connection.execute(insert(article_versions), row | {"key_id": change.key_id, "created_at": change.now})


def _end(connection: Connection, desk: str, article_id: str, revision: int) -> None:
    """Say until when the version was served that is served now."""
    table = article_versions
    served = table.c.from_revision.is_not(None), table.c.until_revision.is_(None)
    where = table.c.desk == desk, table.c.article_id == article_id, *served
    connection.execute(update(table).where(*where).values(until_revision=revision))


def _save_vectors(connection: Connection, desk: str, article: Article, encoded: Encoded | None) -> None:
    if encoded is None:
        return
    key = {"desk": desk, "article_id": article.id, "revision": article.revision, "encoder": encoded.encoder}
    known = select(article_vectors.c.texts).where(*(article_vectors.c[name] == value for name, value in key.items()))
    values = {"texts": encoded.texts, "vectors": np.ascontiguousarray(encoded.vectors, dtype="<f4").tobytes()}
    if connection.execute(known).one_or_none() is None:
        connection.execute(insert(article_vectors), key | values)
    else:
        where = (article_vectors.c[name] == value for name, value in key.items())
        connection.execute(update(article_vectors).where(*where).values(values))


def _version(connection: Connection, desk: str, article_id: str, revision: int) -> Article | None:
    table = article_versions
    where = table.c.desk == desk, table.c.article_id == article_id, table.c.revision == revision
    found = connection.execute(select(table.c.article).where(*where)).scalar_one_or_none()
    return None if found is None else _article(found)


def _stored(article: Article, row: Row[Any]) -> StoredArticle:
    return StoredArticle(article, row.latest, row.published, row.updated_at)


def _article(text: str) -> Article:
    told = json.loads(text)
    del told["path"], told["line"]
    return Article(**told | {"tags": tuple(told["tags"])})


def _log(connection: Connection, desk: str, change: Change, action: str, subject: str, number: int) -> None:
    AuditLog.add(connection, AuditEntry(desk, change.now, change.key_id, action, subject, {"number": number}))
