"""Whether a DMARC report came before is told by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# What strangers sent may be longer than PostgreSQL has in an index.
LIMITS_OCTETS = {"report_id": 1000, "sending_domain": 255, "domain": 255}
AT_ONCE = 500


def upgrade() -> None:
    cut_texts(op.get_bind())
    op.create_index(
        "ix_dmarc_reports_same",
        "dmarc_reports",
        ["report_id", "sending_domain", "domain"],
        unique=False,
    )


def cut_texts(connection: sa.Connection) -> None:
    columns = [sa.column(name, sa.Text) for name in LIMITS_OCTETS]
    reports = sa.table("dmarc_reports", sa.column("id", sa.Integer), *columns)
    # no character has more than four octets
    long = sa.or_(*(sa.func.length(each) > LIMITS_OCTETS[each.name] // 4 for each in columns))
    last = 0
    while True:
        query = sa.select(reports).where(long, reports.c.id > last).order_by(reports.c.id)
        rows = connection.execute(query.limit(AT_ONCE)).mappings().all()
        for row in rows:
            short = {name: cut(row[name], most) for name, most in LIMITS_OCTETS.items()}
            connection.execute(sa.update(reports).where(reports.c.id == row["id"]).values(short))
        if len(rows) < AT_ONCE:
            return
        last = rows[-1]["id"]


def cut(value: str, octets: int) -> str:
    return value.encode()[:octets].decode("utf-8", "ignore")
