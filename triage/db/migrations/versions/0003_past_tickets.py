"""Vectors of past tickets, similar tickets of each run, and duplicates with the key to find their requester by.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

AT_ONCE = 1_000


def upgrade() -> None:
    op.create_table(
        "ticket_vectors",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("encoder_fingerprint", sa.String(length=200), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"]),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("ticket_id"),
        sqlite_autoincrement=True,
    )
    op.add_column("runs", sa.Column("similar", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("tickets", sa.Column("requester_key", sa.String(length=200), nullable=False, server_default=""))
    # In words of SQL that both databases know: Alembic would add the foreign key by itself, which SQLite cannot.
    for table in ("runs", "tickets"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN duplicate_of VARCHAR(36) REFERENCES tickets (id)")
    _fill_requester_keys(op.get_bind())
    op.create_index("ix_tickets_requester_key", "tickets", ["requester_key", "id"], unique=False)


def _fill_requester_keys(connection: sa.Connection) -> None:
    """In Python, since SQLite lowers the letters A to Z only."""
    tickets = sa.table("tickets", sa.column("id"), sa.column("requester"), sa.column("requester_key"))
    change = sa.update(tickets).where(tickets.c.id == sa.bindparam("ticket")).values(requester_key=sa.bindparam("key"))
    last = ""
    while True:
        query = sa.select(tickets.c.id, tickets.c.requester).where(tickets.c.id > last)
        rows = connection.execute(query.order_by(tickets.c.id).limit(AT_ONCE)).all()
        if not rows:
            return
        connection.execute(change, [{"ticket": row.id, "key": row.requester.strip().casefold()[:200]} for row in rows])
        last = rows[-1].id


def downgrade() -> None:
    op.drop_index("ix_tickets_requester_key", "tickets")
    op.drop_column("tickets", "requester_key")
    op.drop_column("runs", "similar")
    op.drop_table("ticket_vectors")
    for table in ("runs", "tickets"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("duplicate_of")
