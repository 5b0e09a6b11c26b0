"""How many sessions with receivers were secured, and why others were not, day by day."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select

from smtpeter.store.changes import Change
from smtpeter.store.messages import storable
from smtpeter.store.statements import Upsert
from smtpeter.store.tables import tls_results
from smtpeter.values import frozen

ADD = Upsert(
    tls_results,
    "(day, domain, policy_type, host, result) DO UPDATE SET"
    " sessions = tls_results.sessions + excluded.sessions, policy = excluded.policy",
)


@frozen
class TlsCount:
    """
    Sessions that came to the same.

    Attributes:
        day: "2026-01-31", UTC.
        domain: of the recipients.
        policy_type, result: as RFC 8460 calls them; the result of a success is "".
        host: that was connected to, "" for none.
        policy: its lines, as a JSON array.
    """

    day: str
    domain: str
    policy_type: str
    host: str
    result: str
    sessions: int
    policy: str


def add(counts: Iterable[TlsCount]) -> Change:
    """Add sessions to those that are there."""
    rows = [
        {
            "day": each.day,
            "domain": each.domain,
            "policy_type": each.policy_type,
            "host": storable(each.host),  # names in DNS may hold any octet
            "result": each.result,
            "sessions": each.sessions,
            "policy": each.policy,
        }
        for each in counts
    ]
    return Change(ADD, rows)


def of_day(connection: Connection, day: str, domain: str | None = None) -> list[TlsCount]:
    """What came of the sessions of a day, by domain, policy and host; of one domain or of all."""
    table = tls_results
    columns = [
        table.c.day,
        table.c.domain,
        table.c.policy_type,
        table.c.host,
        table.c.result,
        table.c.sessions,
        table.c.policy,
    ]
    query = select(*columns).where(table.c.day == day)
    if domain is not None:
        query = query.where(table.c.domain == domain)
    rows = connection.execute(query.order_by(*columns[1:5]))
    return [TlsCount(*row) for row in rows]


def forget_old(connection: Connection, before_day: str) -> None:
    """Remove what is of earlier days."""
    connection.execute(delete(tls_results).where(tls_results.c.day < before_day))
