"""The tables, one row of which is always one desk's. Texts are JSON of the wire shapes; times are in UTC."""

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC: SQLite would give it back without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone: nobody could tell which was meant."""
        if value is not None and value.utcoffset() is None:
            raise ValueError("a time without a zone cannot be stored; give an aware datetime")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with its zone."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

#: A due time that does not come: sorted behind all that do.
NEVER = datetime(9999, 12, 31, tzinfo=UTC)

#: One row for each desk. knowledge_revision: raised by every change of what is served; lease: who builds the next
#: generation, and until when nobody else may.
desks = Table(
    "desks",
    metadata,
    Column("desk", String(64), primary_key=True),
    Column("knowledge_revision", Integer, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", UtcTime),
)

#: Tickets, without their messages. wrote_at: when the customer wrote; vector: float32 of what is classified, by the
#: encoder named; category, priority, team: as a person set them, else as the newest suggestion decided; disposition,
#: respond_by, resolve_by: that one's; due_at: which of the two is next, `NEVER` where nobody waits.
tickets = Table(
    "tickets",
    metadata,
    Column("desk", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("ticket", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("requester_id", String(128)),
    Column("requester_email", String(1000)),
    Column("set_fields", Text, nullable=False),
    Column("category", String(128)),
    Column("vector", LargeBinary),
    Column("encoder", String(200)),
    Column("suggestion_id", String(64)),
    Column("priority", String(128)),
    Column("team", String(128)),
    Column("disposition", String(16)),
    Column("respond_by", UtcTime),
    Column("resolve_by", UtcTime),
    Column("due_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("wrote_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("first_reply_at", UtcTime),
    Column("resolved_at", UtcTime),
    Index("tickets_by_requester_id", "desk", "requester_id", "wrote_at"),
    Index("tickets_by_requester_email", "desk", "requester_email", "wrote_at"),
    Index("tickets_by_status", "desk", "status", "wrote_at"),
    Index("tickets_by_update", "desk", "updated_at", "id"),
    Index("tickets_by_due", "desk", "status", "due_at", "id"),
)

messages = Table(
    "messages",
    metadata,
    Column("desk", String(64), primary_key=True),
    Column("ticket_id", String(128), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("author", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("created_at", UtcTime),
    Column("received_at", UtcTime, nullable=False),
)

#: A suggestion, and what it takes to decide again: the ticket as it was, its vectors, the clock, the knowledge. facts:
#: what is counted of it (see `suggestion_facts`), null in rows of before.
suggestions = Table(
    "suggestions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("desk", String(64), nullable=False),
    Column("ticket_id", String(128)),
    Column("created_at", UtcTime, nullable=False),
    Column("disposition", String(16), nullable=False),
    Column("ticket", Text, nullable=False),
    Column("suggestion", Text, nullable=False),
    Column("step", String(16), nullable=False, server_default="suggest"),
    Column("vectors", LargeBinary),
    Column("vector_rows", Integer),
    Column("facts", Text),
    Index("suggestions_by_desk", "desk", "created_at", "id"),
    Index("suggestions_by_ticket", "desk", "ticket_id", "created_at"),
)

#: What a person made of a suggestion. edit: how the draft was changed (`triage.edits.Edit`); seconds: from opening the
#: ticket to the decision; undone_at: when it was taken back, after which it counts for nothing.
feedback = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("desk", String(64), nullable=False),
    Column("suggestion_id", String(64), nullable=False),
    Column("ticket_id", String(128)),
    Column("agent", String(128)),
    Column("key_id", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("final_text", Text),
    Column("fields", Text, nullable=False),
    Column("reason", String(1000)),
    Column("kept_ratio", Float),
    Column("approved_at", UtcTime),
    Column("approved_by", String(16)),
    Column("edit", Text),
    Column("seconds", Float),
    Column("undone_at", UtcTime),
    Index("feedback_by_desk", "desk", "created_at", "id"),
    Index("feedback_by_suggestion", "desk", "suggestion_id", "created_at"),
)

#: Where an article stands. latest: its newest version; published: the version that is served, null for none;
#: knowledge_revision: when what is served of it last changed, 0 for never; source, synced: SHA-256 of the folder's file
#: and number of the version when the two last said the same.
articles = Table(
    "articles",
    metadata,
    Column("desk", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("latest", Integer, nullable=False),
    Column("published", Integer),
    Column("knowledge_revision", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("source", String(64), nullable=False),
    Column("synced", Integer),
    Column("updated_at", UtcTime, nullable=False),
    Index("articles_by_revision", "desk", "knowledge_revision"),
)

#: Every version of every article. from_revision, until_revision: when it was served, null where it never was, or is.
article_versions = Table(
    "article_versions",
    metadata,
    Column("desk", String(64), primary_key=True),
    Column("article_id", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("article", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("from_revision", Integer),
    Column("until_revision", Integer),
    Column("key_id", String(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

#: The vectors of a version's passages: float32 of shape (passages, dimension), by the encoder that made them, and the
#: SHA-256 of the texts that they are of: other code may split an article otherwise.
article_vectors = Table(
    "article_vectors",
    metadata,
    Column("desk", String(64), primary_key=True),
    Column("article_id", String(64), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("encoder", String(200), primary_key=True),
    Column("texts", String(64), nullable=False),
    Column("vectors", LargeBinary, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("desk", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("name", String(128), nullable=False, server_default=""),
    Column("per_minute", Integer),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

#: People who signed in to the console with a key: by the SHA-256 of what their browser keeps. agent: the name that they
#: gave.
sessions = Table(
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("desk", String(64), nullable=False),
    Column("agent", String(128), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index("sessions_by_age", "expires_at"),
)

#: Requests that were taken from a key's budget, by minutes since 1970; workers take several at a time.
rate_windows = Table(
    "rate_windows",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("minute", Integer, primary_key=True, autoincrement=False),
    Column("taken", Integer, nullable=False),
)

#: Answers by Idempotency-Key. status: null while the first request is being answered, until locked_until.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("desk", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("locked_until", UtcTime, nullable=False),
    Column("status", Integer),
    Column("headers", Text),
    Column("body", LargeBinary),
    Index("idempotency_keys_by_age", "created_at"),
)

#: Who changed what. Rows are never changed or removed, and hold ids only, no text of a ticket or article.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("desk", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("details", Text, nullable=False),
    Index("audit_log_by_desk", "desk", "at"),
)
