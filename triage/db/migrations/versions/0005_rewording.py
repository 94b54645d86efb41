"""Answers in other words beside the verbatim ones, and macros suggested to agents.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("reworded", sa.JSON(), nullable=True))
    op.add_column("answers", sa.Column("reworded_by", sa.String(length=200), nullable=True))
    op.add_column("answers", sa.Column("reworded_note", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("macros", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("runs", "macros")
    for name in ("reworded_note", "reworded_by", "reworded"):
        op.drop_column("answers", name)
