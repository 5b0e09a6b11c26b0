"""
Sender domains: from which domains an account sends, and which hosts appear in that mail.

Functions that write run inside a transaction that the caller has opened. They may run
twice, so they touch nothing but their connection.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

import attrs
from sqlalchemy import Connection, Select, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from smtpeter.dns.dmarc import Dmarc
from smtpeter.dns.proof import Proof
from smtpeter.domains import with_parents
from smtpeter.store.accounts import AccountsError
from smtpeter.store.tables import dkim_keys, sender_domains
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
        pool: of source addresses; "" for that of the account.
        selector: of the one of its own keys that is in use; "" before the first is made.
        rotated: since when, in seconds since the epoch; None for the first of all.
        proof: what shall be published before it is approved; None when it is.
        addresses: that get DMARC reports besides our own.
        mechanisms: what its SPF record allows besides our addresses.
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
    rotated: float | None = None
    proof: Proof | None = None
    dmarc: Dmarc = Dmarc()
    addresses: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()


class DomainExists(AccountsError):
    """The account has the domain already, or another one has it approved."""


class UnknownDomain(AccountsError):
    """There is no such sender domain."""


def domains(connection: Connection, account_id: int | None = None) -> list[SenderDomain]:
    """The sender domains of one account or of all, by name."""
    chosen = _DOMAINS.order_by(sender_domains.c.name, sender_domains.c.id)
    if account_id is not None:
        chosen = chosen.where(sender_domains.c.account_id == account_id)
    return _read(connection, chosen)


def domains_by_number(connection: Connection, numbers: Collection[int]) -> list[SenderDomain]:
    """The sender domains with these numbers, in their order."""
    chosen = _DOMAINS.where(sender_domains.c.id.in_(numbers)).order_by(sender_domains.c.id)
    return _read(connection, chosen)


def approved_domain(connection: Connection, name: str) -> SenderDomain | None:
    """The domain as the one account has it that has it approved."""
    found = _read(connection, _APPROVED.where(sender_domains.c.name == name))
    return found[0] if found else None


def named_domain(connection: Connection, name: str, account_id: int | None = None) -> SenderDomain:
    """
    The domain that somebody means who says its name.

    Args:
        account_id: whose it is; None for that of the account that has it approved, or of the
            only one that has it.

    Raises:
        UnknownDomain: there is none, or several accounts wait for it.
    """
    known = [
        each
        for each in _read(connection, _DOMAINS.where(sender_domains.c.name == name))
        if account_id in (None, each.account_id)
    ]
    best = [each for each in known if each.approved is not None] or known
    if not best:
        whose = "there is no" if account_id is None else "the account has no"
        raise UnknownDomain(f"{whose} sender domain {name!r}")
    if len(best) > 1:
        raise UnknownDomain(f"{len(best)} accounts wait for the domain {name!r}: say whose")
    return best[0]


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


def related_domain(
    connection: Connection, account_id: int, organization: str
) -> SenderDomain | None:
    """An approved domain of an account at or below a name, the shortest name first."""
    chosen = _APPROVED.where(
        sender_domains.c.account_id == account_id,
        (sender_domains.c.name == organization)
        | sender_domains.c.name.endswith(f".{organization}", autoescape=True),
    )
    return min(_read(connection, chosen), key=_length_and_name, default=None)


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
    **settings: Any,
) -> SenderDomain:
    """
    A new sender domain of an account that is there.

    Args:
        settings: further attributes of `SenderDomain`.

    Raises:
        DomainExists: the account has it, or another one has it approved.
    """
    return insert_domain(
        connection,
        SenderDomain(
            0, account_id, name, approved, tracking_host, https, bounce_host, created, **settings
        ),
    )


def insert_domain(connection: Connection, domain: SenderDomain) -> SenderDomain:
    """
    Add a domain that was made without a number; it gets one.

    Raises:
        DomainExists: the account has it, or another one has it approved.
    """
    name = domain.name
    if any(each.name == name for each in domains(connection, domain.account_id)):
        raise DomainExists(f"the account has the domain {name!r} already")
    if approved_domain(connection, name) is not None:
        raise _taken(name)
    values = dict(_columns(attrs.asdict(domain, recurse=False)))
    del values["id"]
    try:
        key = connection.execute(insert(sender_domains).values(values)).inserted_primary_key
    except IntegrityError:  # another process was quicker
        raise _taken(name) from None
    assert key is not None
    return attrs.evolve(domain, id=int(key[0]))


def change_domain(connection: Connection, domain: SenderDomain, **values: Any) -> SenderDomain:
    """
    Change a domain.

    Args:
        values: new values of attributes, but not of `approved`.
    """
    if values:
        connection.execute(
            update(sender_domains)
            .where(sender_domains.c.id == domain.id)
            .values(dict(_columns(values)))
        )
    return attrs.evolve(domain, **values)


def approve_domain(connection: Connection, domain: SenderDomain, now: float) -> SenderDomain:
    """
    Note that an account has proved that it controls a domain.

    Raises:
        DomainExists: another one has it approved.
    """
    if domain.approved is not None:
        return domain
    if approved_domain(connection, domain.name) is not None:
        raise _taken(domain.name)
    try:
        return change_domain(connection, domain, approved=now, proof=None)
    except IntegrityError:  # another process was quicker
        raise _taken(domain.name) from None


def remove_domain(connection: Connection, domain: SenderDomain) -> None:
    """Remove a domain with its keys, and with those that only it gave a right to."""
    connection.execute(delete(sender_domains).where(sender_domains.c.id == domain.id))
    of_account = dkim_keys.c.account_id == domain.account_id
    own = (dkim_keys.c.domain == domain.name) & dkim_keys.c.custom.is_(False)
    connection.execute(delete(dkim_keys).where(of_account, own))
    custom = of_account & dkim_keys.c.custom.is_(True)
    names = connection.execute(select(dkim_keys.c.domain).where(custom).distinct()).scalars()
    for name in names.all():
        if applying_domain(connection, domain.account_id, name) is None:
            connection.execute(delete(dkim_keys).where(custom, dkim_keys.c.domain == name))


def _taken(name: str) -> DomainExists:
    return DomainExists(f"another account has the domain {name!r}")


def _length_and_name(domain: SenderDomain) -> tuple[int, str]:
    return len(domain.name), domain.name


def _read(connection: Connection, chosen: Select[Any]) -> list[SenderDomain]:
    return [_domain(row) for row in connection.execute(chosen).mappings()]


def _domain(row: Mapping[Any, Any]) -> SenderDomain:
    values = dict(row)
    start, end = (
        date.fromisoformat(text) if (text := values.pop(name)) else None
        for name in ("startdate", "enddate")
    )
    dmarc = Dmarc(values.pop("policy"), values.pop("percentage"), start, end)
    proof = values.pop("proof")
    for name in ("addresses", "mechanisms"):
        values[name] = tuple(json.loads(values[name]))
    return SenderDomain(**values, dmarc=dmarc, proof=Proof(*json.loads(proof)) if proof else None)


def _columns(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the columns hold, for attributes of a domain."""
    for name, value in values.items():
        match value:
            case Dmarc():
                yield "policy", value.policy
                yield "percentage", value.percentage
                yield "startdate", value.startdate.isoformat() if value.startdate else ""
                yield "enddate", value.enddate.isoformat() if value.enddate else ""
            case Proof():
                yield name, json.dumps([value.name, value.value])
            case tuple():
                yield name, json.dumps(value)
            case None if name == "proof":
                yield name, ""
            case _:
                yield name, value
