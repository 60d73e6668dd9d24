"""The console: sessions, what the queue sorts and filters by, how drafts were edited, what is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create what is new, and add columns to what there was."""
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("desk", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index("sessions_by_age", ["expires_at"], unique=False)

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("priority", sa.String(length=128), nullable=True))
        batch_op.add_column(sa.Column("team", sa.String(length=128), nullable=True))
        batch_op.add_column(sa.Column("disposition", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("respond_by", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("resolve_by", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, server_default="9999-12-31 00:00:00")
        )
        batch_op.create_index("tickets_by_due", ["desk", "status", "due_at", "id"], unique=False)
    op.execute(
        "UPDATE tickets SET disposition = (SELECT disposition FROM suggestions "
        "WHERE suggestions.desk = tickets.desk AND suggestions.id = tickets.suggestion_id)"
    )
    with op.batch_alter_table("suggestions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("facts", sa.Text(), nullable=True))

    with op.batch_alter_table("feedback", schema=None) as batch_op:
        batch_op.add_column(sa.Column("edit", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("seconds", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True))
