"""
Suppressions: recipients to whom an account sends no more.

Functions that write run inside a transaction that the caller has opened. They may run
twice, so they touch nothing but their connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Connection, delete, exists, select

from smtpeter.message.address import Mailbox
from smtpeter.store.changes import Change
from smtpeter.store.messages import storable
from smtpeter.store.statements import Upsert
from smtpeter.store.tables import suppressions
from smtpeter.values import frozen

MAILBOX, COMPLAINT, MANUAL = REASONS = ("mailbox", "complaint", "manual")
DESCRIPTION_CHARACTERS = 500
DAY_SECONDS = 86_400.0

# Addresses in one query, rows in one statement, rows forgotten at a time.
ASKED_AT_ONCE = 1000
WRITTEN_AT_ONCE = 1000
FORGOTTEN_AT_ONCE = 5000

# Of two, the one that lasts longer stays. The address is on the list since the earlier one,
# unless that had ended before.
ADD = Upsert(
    suppressions,
    """
    (account_id, address) DO UPDATE SET
        reason = excluded.reason,
        description = excluded.description,
        message = excluded.message,
        created = CASE WHEN suppressions.expires <= excluded.created
            THEN excluded.created ELSE suppressions.created END,
        expires = excluded.expires
    WHERE suppressions.expires IS NOT NULL
        AND (excluded.expires IS NULL OR excluded.expires > suppressions.expires)
    """,
)


@frozen
class Lifetimes:
    """
    How long suppressions last, by their reasons: seconds, None for ever.

    A mailbox that is gone may come back, or be given to somebody else. Whoever has complained
    has said that no more is wanted, and an operator knows what is meant.
    """

    mailbox: float | None = 180 * DAY_SECONDS
    complaint: float | None = None
    manual: float | None = None

    def end(self, reason: str, now: float) -> float | None:
        """When a suppression ends that begins now; None for never."""
        seconds: float | None = getattr(self, reason)
        return None if seconds is None else now + seconds


USUAL = Lifetimes()


@frozen
class Suppression:
    """
    A recipient to whom an account sends no more. Times are seconds since the epoch.

    Attributes:
        address: as `address_key` gives it.
        reason: one of `REASONS`.
        description: what led to it, such as a server's reply.
        message: the one whose event led to it, "" for none.
        created: since when.
        expires: None for never.
    """

    address: str
    reason: str
    description: str
    message: str
    created: float
    expires: float | None


def address_key(mailbox: Mailbox) -> str:
    """
    What an address is compared by: in lower case, its domain as A-labels.

    RFC 5321 leaves the case of a local part to its host. Hardly any tells two mailboxes apart
    by it, and lists of addresses are written in any.
    """
    return str(Mailbox(mailbox.local.lower(), mailbox.domain_key, mailbox.domain_key))


def suppress(
    connection: Connection,
    account_id: int,
    address: str,
    reason: str,
    description: str,
    message_id: str,
    now: float,
    lifetimes: Lifetimes = USUAL,
) -> None:
    """
    Put an address on the list of an account, unless it stands there for longer already.

    Raises:
        AddressError: it is no address.
    """
    key = address_key(Mailbox.parse(address))
    end = lifetimes.end(reason, now)
    add(connection, account_id, [Suppression(key, reason, description, message_id, now, end)])


def addition(account_id: int, added: Suppression) -> Change:
    """The change that puts an address on the list, unless it stands there for longer already."""
    return Change(ADD, [_row(account_id, added)])


def add(connection: Connection, account_id: int, added: Iterable[Suppression]) -> None:
    """Put addresses on the list, as `addition` does."""
    remaining = iter(added)
    while some := list(islice(remaining, WRITTEN_AT_ONCE)):
        connection.execute(ADD, [_row(account_id, each) for each in some])


def remove(connection: Connection, account_id: int, addresses: Sequence[str]) -> list[str]:
    """Take addresses off the list; gives those that stood there."""
    removed: list[str] = []
    for some in _portions(addresses):
        chosen = delete(suppressions).where(
            suppressions.c.account_id == account_id, suppressions.c.address.in_(some)
        )
        removed += connection.execute(chosen.returning(suppressions.c.address)).scalars()
    return removed


def listed(connection: Connection, account_id: int, now: float) -> Iterator[Suppression]:
    """The list of an account, by address; it may be long, and is read as it is asked for."""
    query = (
        select(*_COLUMNS)
        .where(suppressions.c.account_id == account_id, _holds(now))
        .order_by(suppressions.c.address)
        .execution_options(yield_per=WRITTEN_AT_ONCE)
    )
    for row in connection.execute(query):
        yield Suppression(*row)


def suppressed(
    connection: Connection, account_id: int, addresses: Sequence[str], now: float
) -> dict[str, Suppression]:
    """Those of the addresses that stand on the list of an account, by address."""
    found: dict[str, Suppression] = {}
    for some in _portions(addresses):
        query = select(*_COLUMNS).where(
            suppressions.c.account_id == account_id, suppressions.c.address.in_(some), _holds(now)
        )
        found |= {row.address: Suppression(*row) for row in connection.execute(query)}
    return found


def suppresses(connection: Connection, account_id: int) -> bool:
    """Whether anything stands on the list of an account; it may have expired."""
    chosen = exists().where(suppressions.c.account_id == account_id)
    return bool(connection.execute(select(chosen)).scalar_one())


def forget_expired(connection: Connection, now: float) -> int:
    """Remove what has expired, so many at most; gives how many."""
    expired = (
        select(suppressions.c.id).where(suppressions.c.expires <= now).limit(FORGOTTEN_AT_ONCE)
    )
    return connection.execute(delete(suppressions).where(suppressions.c.id.in_(expired))).rowcount


def _row(account_id: int, each: Suppression) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "address": each.address,
        "reason": each.reason,
        # what a stranger said may not keep it from being recorded
        "description": storable(each.description[:DESCRIPTION_CHARACTERS]),
        "message": each.message,
        "created": each.created,
        "expires": each.expires,
    }


_COLUMNS = tuple(suppressions.c[each.name] for each in attrs.fields(Suppression))


def _holds(now: float) -> ColumnElement[bool]:
    return suppressions.c.expires.is_(None) | (suppressions.c.expires > now)


def _portions(addresses: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(addresses), ASKED_AT_ONCE):
        yield addresses[start : start + ASKED_AT_ONCE]
