"""Policies of MTA-STS that were fetched, for as long as they hold good."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from smtpeter.store.changes import Change
from smtpeter.store.statements import Upsert
from smtpeter.store.tables import mta_sts_policies
from smtpeter.values import frozen

KEEP = Upsert(
    mta_sts_policies,
    "(domain) DO UPDATE SET policy_id = excluded.policy_id, policy = excluded.policy,"
    " fetched = excluded.fetched, expires = excluded.expires",
)


@frozen
class KeptPolicy:
    """
    A policy of a domain.

    Attributes:
        policy_id: under which it was announced.
        policy: what counts of the file.
        fetched, expires: seconds since the epoch.
    """

    domain: str
    policy_id: str
    policy: str
    fetched: float
    expires: float


def keep(policy: KeptPolicy) -> Change:
    """Have a policy stand in the place of the one before."""
    row = {
        "domain": policy.domain,
        "policy_id": policy.policy_id,
        "policy": policy.policy,
        "fetched": policy.fetched,
        "expires": policy.expires,
    }
    return Change(KEEP, [row])


def in_force(connection: Connection, now: float, limit: int) -> list[KeptPolicy]:
    """The policies that still hold good, the oldest first; of very many the newest."""
    table = mta_sts_policies
    query = select(
        table.c.domain, table.c.policy_id, table.c.policy, table.c.fetched, table.c.expires
    ).where(table.c.expires > now)
    newest = connection.execute(query.order_by(table.c.fetched.desc()).limit(limit))
    return [KeptPolicy(*row) for row in newest][::-1]


def forget_old(connection: Connection, now: float) -> None:
    """Remove what holds good no longer."""
    connection.execute(delete(mta_sts_policies).where(mta_sts_policies.c.expires <= now))
