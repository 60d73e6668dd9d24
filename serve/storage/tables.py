"""The tables. Texts are JSON of the wire shapes, with the version they were written in."""

from sqlalchemy import Column, DateTime, Index, MetaData, String, Table, Text

metadata = MetaData()

suggestions = Table(
    "suggestions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("desk", String(64), nullable=False),
    Column("ticket_id", String(128)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("disposition", String(16), nullable=False),
    Column("ticket", Text, nullable=False),
    Column("suggestion", Text, nullable=False),
    Index("suggestions_by_desk", "desk", "created_at", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("desk", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
