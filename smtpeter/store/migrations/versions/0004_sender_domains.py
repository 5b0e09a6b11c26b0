"""Sender domains."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "sender_domains",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("approved", sa.Double(), nullable=True),
        sa.Column("tracking_host", sa.Text(), nullable=False),
        sa.Column("https", sa.Boolean(), nullable=False),
        sa.Column("bounce_host", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_sender_domains_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sender_domains")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_sender_domains_account_id_name")),
    )
    with op.batch_alter_table("sender_domains", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sender_domains_tracking_host"), ["tracking_host"], unique=False
        )
        batch_op.create_index(
            "uq_sender_domains_approved",
            ["name"],
            unique=True,
            sqlite_where=sa.text("approved IS NOT NULL"),
            postgresql_where=sa.text("approved IS NOT NULL"),
        )
