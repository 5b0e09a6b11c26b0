"""Delivery that receivers trust: receivers, suppressions, keys, what comes back, quotas, TLS."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "destinations",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("hosts", sa.Text(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_destinations")),
    )
    with op.batch_alter_table("destinations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_destinations_receiver"), ["receiver"], unique=False)

    op.create_table(
        "dmarc_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("organization", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("begin", sa.Double(), nullable=False),
        sa.Column("end", sa.Double(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("sending_domain", sa.Text(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("failed_spf", sa.Integer(), nullable=False),
        sa.Column("failed_dkim", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dmarc_reports")),
    )
    with op.batch_alter_table("dmarc_reports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dmarc_reports_time"), ["time"], unique=False)

    op.create_table(
        "mta_sts_policies",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("policy_id", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("fetched", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_mta_sts_policies")),
    )
    op.create_table(
        "receivers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_receivers")),
    )
    op.create_table(
        "tls_results",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("policy_type", sa.String(length=20), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("result", sa.String(length=40), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "domain", "policy_type", "host", "result", name=op.f("pk_tls_results")
        ),
    )
    op.create_table(
        "dkim_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.String(length=8), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("custom", sa.Boolean(), nullable=False),
        sa.Column("always", sa.Boolean(), nullable=False),
        sa.Column("start", sa.Double(), nullable=True),
        sa.Column("end", sa.Double(), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_dkim_keys_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dkim_keys")),
        sa.UniqueConstraint(
            "account_id", "domain", "selector", name=op.f("uq_dkim_keys_account_id_domain_selector")
        ),
    )
    op.create_table(
        "quota_usage",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("period", sa.String(length=5), nullable=False),
        sa.Column("start", sa.Double(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_quota_usage_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint(
            "account_id", "login", "period", "start", name=op.f("pk_quota_usage")
        ),
    )
    op.create_table(
        "quotas",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("period", sa.String(length=5), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_quotas_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "login", "period", name=op.f("pk_quotas")),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=10), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("message", sa.String(length=16), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_suppressions_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint(
            "account_id", "address", name=op.f("uq_suppressions_account_id_address")
        ),
    )
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_suppressions_expires"), ["expires"], unique=False)

    op.create_table(
        "arrivals",
        sa.Column(
            "submission",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("message", sa.String(length=16), nullable=False),
        sa.Column("result", sa.String(length=12), server_default="", nullable=False),
        sa.Column("finished", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["submission"], ["submissions.key"], name=op.f("fk_arrivals_submission_submissions")
        ),
        sa.PrimaryKeyConstraint("submission", name=op.f("pk_arrivals")),
    )
    with op.batch_alter_table("arrivals", schema=None) as batch_op:
        batch_op.create_index(
            "ix_arrivals_unfinished",
            ["submission"],
            unique=False,
            sqlite_where=sa.text("finished IS NULL"),
            postgresql_where=sa.text("finished IS NULL"),
        )

    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pool", sa.Text(), server_default="", nullable=False))

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("ix_messages_waiting")
        batch_op.alter_column("receiver", new_column_name="destination")
        batch_op.add_column(sa.Column("account", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("priority", sa.SmallInteger(), server_default="1", nullable=False)
        )
        batch_op.add_column(sa.Column("pool", sa.Text(), server_default="", nullable=False))
    op.execute(
        "UPDATE messages SET account = coalesce((SELECT submissions.account_id"
        " FROM submissions WHERE submissions.key = messages.submission), 0)"
        " WHERE state = 0"
    )
    op.create_index(
        "ix_messages_waiting",
        "messages",
        ["destination", "account", "priority", "pool", "due"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )

    op.create_index(
        "ix_messages_notify",
        "messages",
        ["submission"],
        unique=False,
        sqlite_where=sa.text("state = 0 AND notify IS NOT NULL"),
        postgresql_where=sa.text("state = 0 AND notify IS NOT NULL"),
    )

    with op.batch_alter_table("nudges", schema=None) as batch_op:
        batch_op.alter_column("receiver", new_column_name="destination")
        batch_op.add_column(
            sa.Column("again", sa.SmallInteger(), server_default="0", nullable=False)
        )

    with op.batch_alter_table("sender_domains", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pool", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("selector", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("rotated", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("proof", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(
            sa.Column("policy", sa.String(length=10), server_default="none", nullable=False)
        )
        batch_op.add_column(
            sa.Column("percentage", sa.Integer(), server_default="100", nullable=False)
        )
        batch_op.add_column(
            sa.Column("startdate", sa.String(length=10), server_default="", nullable=False)
        )
        batch_op.add_column(
            sa.Column("enddate", sa.String(length=10), server_default="", nullable=False)
        )
        batch_op.add_column(sa.Column("addresses", sa.Text(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("mechanisms", sa.Text(), server_default="[]", nullable=False))
        batch_op.create_index(
            batch_op.f("ix_sender_domains_bounce_host"), ["bounce_host"], unique=False
        )
