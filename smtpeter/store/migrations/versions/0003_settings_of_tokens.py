"""Settings of tokens, and the labels that they had."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settings", sa.Text(), server_default="{}", nullable=False))
        batch_op.add_column(
            sa.Column("former_labels", sa.Text(), server_default="[]", nullable=False)
        )
