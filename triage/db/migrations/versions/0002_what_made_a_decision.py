"""What would have changed a prediction, and which code and policy made a decision.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.add_column("predictions", sa.Column("change", sa.Text(), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("code_digest", sa.String(length=64), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("runs", "code_digest")
    op.drop_column("predictions", "change")
    op.drop_table("policies")
