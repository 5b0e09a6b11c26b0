"""What there is about an account that its mail has to be looked at for."""

from __future__ import annotations

from sqlalchemy import Connection, exists, select

from smtpeter.quotas import EVERYBODY
from smtpeter.store.tables import quotas, sender_domains, suppressions
from smtpeter.values import frozen


@frozen
class Standing:
    """
    What decides on all mail of somebody, whatever is in it.

    Attributes:
        pool: of the addresses of ours that the account's mail is sent from, "" for the usual.
        suppresses: something stands on the account's suppression list; it may have expired.
        has_domains: a sender domain of the account is approved.
        limited: there is a quota for the account, or for this way to log in.
    """

    pool: str = ""
    suppresses: bool = False
    has_domains: bool = False
    limited: bool = False


PLAIN = Standing()


def standing_of(connection: Connection, account_id: int, pool: str, payer: str) -> Standing:
    """
    What there is about an account.

    Args:
        payer: whose quotas hold, as `smtpeter.quotas.Quota` has it, besides the account's.
    """
    found = connection.execute(
        select(
            exists().where(suppressions.c.account_id == account_id),
            exists().where(
                sender_domains.c.account_id == account_id, sender_domains.c.approved.is_not(None)
            ),
            exists().where(
                quotas.c.account_id == account_id, quotas.c.login.in_((EVERYBODY, payer))
            ),
        )
    ).one()
    return Standing(pool, *map(bool, found))
