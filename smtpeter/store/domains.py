"""
Sender domains: from which domains an account sends, and which hosts appear in that mail.

Functions that write run inside a transaction that the caller has opened. They may run
twice, so they touch nothing but their connection.
"""

from __future__ import annotations

from typing import Any

import attrs
from sqlalchemy import Connection, Select, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from smtpeter.domains import with_parents
from smtpeter.store.accounts import AccountsError
from smtpeter.store.tables import sender_domains
from smtpeter.values import frozen

_DOMAINS = select(sender_domains)
_APPROVED = _DOMAINS.where(sender_domains.c.approved.is_not(None))


@frozen
class SenderDomain:
    """
    A domain from which an account sends. All names are in lower case and A-label form.

    Attributes:
        approved: seconds since the epoch, or None while the account has not proved that it
            controls the domain; then nothing is done for its mail.
        tracking_host: where tracked links and images point.
        https: whether these begin with `https:`.
        bounce_host: the domain of envelope addresses that take bounces.
        created: seconds since the epoch.
    """

    id: int
    account_id: int
    name: str
    approved: float | None
    tracking_host: str
    https: bool
    bounce_host: str
    created: float
    pool: str = ""
    selector: str = ""
    proof: str = ""
    policy: str = "none"
    percentage: int = 100
    startdate: str = ""
    enddate: str = ""
    addresses: str = "[]"
    mechanisms: str = "[]"


class DomainExists(AccountsError):
    """The account has the domain already, or another one has it approved."""


class UnknownDomain(AccountsError):
    """Nobody has that domain approved."""


def domains(connection: Connection, account_id: int | None = None) -> list[SenderDomain]:
    """The sender domains of one account or of all, by name."""
    chosen = _DOMAINS.order_by(sender_domains.c.name, sender_domains.c.id)
    if account_id is not None:
        chosen = chosen.where(sender_domains.c.account_id == account_id)
    return _read(connection, chosen)


def approved_domain(connection: Connection, name: str) -> SenderDomain | None:
    """The domain as the one account has it that has it approved."""
    found = _read(connection, _APPROVED.where(sender_domains.c.name == name))
    return found[0] if found else None


def applying_domain(connection: Connection, account_id: int, name: str) -> SenderDomain | None:
    """
    The approved domain of an account that is for mail from `name`.

    That is the domain itself, else the closest above it.
    """
    chosen = _APPROVED.where(
        sender_domains.c.account_id == account_id,
        sender_domains.c.name.in_(with_parents(name)),
    )
    return max(_read(connection, chosen), key=lambda each: len(each.name), default=None)


def is_tracking_host(connection: Connection, host: str) -> bool:
    """Whether tracked links of an approved domain point there."""
    chosen = exists().where(
        sender_domains.c.tracking_host == host, sender_domains.c.approved.is_not(None)
    )
    return bool(connection.execute(select(chosen)).scalar())


def add_domain(
    connection: Connection,
    account_id: int,
    name: str,
    created: float,
    *,
    approved: float | None,
    tracking_host: str,
    bounce_host: str,
    https: bool = False,
) -> SenderDomain:
    """
    A new sender domain of an account that is there.

    Raises:
        DomainExists: the account has it, or another one has it approved.
    """
    values: dict[str, Any] = {
        "account_id": account_id,
        "name": name,
        "approved": approved,
        "tracking_host": tracking_host,
        "https": https,
        "bounce_host": bounce_host,
        "created": created,
    }
    if any(each.name == name for each in domains(connection, account_id)):
        raise DomainExists(f"the account has the domain {name!r} already")
    taken = DomainExists(f"another account has the domain {name!r}")
    if approved_domain(connection, name) is not None:
        raise taken
    try:
        key = connection.execute(insert(sender_domains).values(values)).inserted_primary_key
    except IntegrityError:  # another process was quicker
        raise taken from None
    assert key is not None
    return SenderDomain(id=int(key[0]), **values)


def change_domain(connection: Connection, name: str, **values: Any) -> SenderDomain:
    """
    Change an approved domain.

    Args:
        values: new values of `tracking_host`, `https` and `bounce_host`.

    Raises:
        UnknownDomain: nobody has it approved.
    """
    domain = _existing(connection, name)
    connection.execute(
        update(sender_domains).where(sender_domains.c.id == domain.id).values(values)
    )
    return attrs.evolve(domain, **values)


def remove_domain(connection: Connection, name: str) -> SenderDomain:
    """
    Remove an approved domain.

    Raises:
        UnknownDomain: nobody has it approved.
    """
    domain = _existing(connection, name)
    connection.execute(delete(sender_domains).where(sender_domains.c.id == domain.id))
    return domain


def _existing(connection: Connection, name: str) -> SenderDomain:
    domain = approved_domain(connection, name)
    if domain is None:
        raise UnknownDomain(f"there is no sender domain {name!r}")
    return domain


def _read(connection: Connection, chosen: Select[Any]) -> list[SenderDomain]:
    return [SenderDomain(**row) for row in connection.execute(chosen).mappings()]
