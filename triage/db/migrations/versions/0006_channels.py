"""Channels: what came in, tickets as they stand elsewhere, deliveries that are sent and tried again.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = sa.String(length=200)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "received",
        sa.Column("id", sa.String(length=36), primary_key=True),
        sa.Column("channel", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("event", NAME, nullable=False),
        sa.Column("happenings", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.UniqueConstraint("channel", "key", name="uq_received_channel_key"),
    )
    op.create_index("ix_received_state", "received", ["state", "id"])
    op.create_table(
        "remote_tickets",
        sa.Column("channel", NAME, primary_key=True),
        sa.Column("remote_id", NAME, primary_key=True),
        sa.Column("ticket_id", sa.String(length=36), sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("fields", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("touched_by", sa.Text(), nullable=True),
        sa.Column("bot_actions", sa.Integer(), nullable=False),
        sa.Column("solved_at", MOMENT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.create_index("ix_remote_tickets_ticket_id", "remote_tickets", ["ticket_id"])
    op.create_table(
        "remote_messages",
        sa.Column("channel", NAME, primary_key=True),
        sa.Column("remote_id", NAME, primary_key=True),
        sa.Column("message_id", NAME, primary_key=True),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("by_agent", sa.Boolean(), nullable=True),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("said_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["channel", "remote_id"], ["remote_tickets.channel", "remote_tickets.remote_id"]),
    )
    op.create_table(
        "channel_states",
        sa.Column("channel", NAME, primary_key=True),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("closed_until", MOMENT, nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("polled_at", MOMENT, nullable=True),
        sa.Column("lease_by", NAME, nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
    )
    op.create_table(
        "channel_memory",
        sa.Column("channel", NAME, primary_key=True),
        sa.Column("key", NAME, primary_key=True),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.add_column("runs", sa.Column("audiences", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("deliveries") as table:
        table.add_column(sa.Column("event", sa.String(length=40), nullable=False, server_default="result"))
        table.add_column(sa.Column("about", sa.String(length=36), nullable=False, server_default=""))
        table.add_column(sa.Column("done", sa.JSON(), nullable=False, server_default="{}"))
        table.add_column(sa.Column("jobs", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("next_at", MOMENT, nullable=True))
        table.drop_constraint("uq_deliveries_run_channel", type_="unique")
        table.create_unique_constraint("uq_deliveries_run_channel_event", ["run_id", "channel", "event", "about"])
        table.create_index("ix_deliveries_state", ["state", "id"])


def downgrade() -> None:
    # One delivery of a run for each channel is all that there was room for.
    op.execute("DELETE FROM deliveries WHERE event <> 'result'")
    with op.batch_alter_table("deliveries") as table:
        table.drop_index("ix_deliveries_state")
        table.drop_constraint("uq_deliveries_run_channel_event", type_="unique")
        table.create_unique_constraint("uq_deliveries_run_channel", ["run_id", "channel"])
        for name in ("next_at", "jobs", "done", "about", "event"):
            table.drop_column(name)
    op.drop_column("runs", "audiences")
    for name in ("channel_memory", "channel_states", "remote_messages", "remote_tickets", "received"):
        op.drop_table(name)
