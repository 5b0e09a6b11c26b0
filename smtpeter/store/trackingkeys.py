"""The keys that prove rewritten links. Whoever has one can make links that we redirect."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from attrs import field
from sqlalchemy import Connection, insert, select

from smtpeter.store.statements import insert_missing
from smtpeter.store.tables import tracking_keys
from smtpeter.values import frozen

KEY_OCTETS = 32
# How often a process reads the keys again, and how old one is before it makes links: by then
# every process has read it, also where a few looks into the store have failed.
READING_SECONDS = 30.0
SETTLING_SECONDS = 120.0

_FIRST = 1


@frozen
class TrackingKey:
    """
    One key.

    Attributes:
        created: seconds since the epoch.
    """

    number: int
    secret: bytes = field(repr=False)
    created: float

    @property
    def in_use_since(self) -> float:
        """When links begin to be made with it: with the first of all, at once."""
        return self.created if self.number == _FIRST else self.created + SETTLING_SECONDS


def keys(connection: Connection) -> list[TrackingKey]:
    """All keys, the newest first; each of them reads the links that it has made."""
    query = select(tracking_keys).order_by(tracking_keys.c.id.desc())
    rows = connection.execute(query)
    return [TrackingKey(row.id, row.secret, row.created) for row in rows]


def maker(known: Sequence[TrackingKey], at: float) -> TrackingKey:
    """
    The key with which links are made at that time.

    Args:
        known: the newest first; not empty.
    """
    return next((each for each in known if each.in_use_since <= at), known[-1])


def existing_keys(connection: Connection, now: float) -> list[TrackingKey]:
    """All keys, the newest first; the first of all is made when there is none."""
    found = keys(connection)
    if found:
        return found
    # Of several processes that start at once, one makes the key for all.
    first = {"id": _FIRST, "secret": secrets.token_bytes(KEY_OCTETS), "created": now}
    connection.execute(insert_missing(tracking_keys), [first])
    return keys(connection)


def add_key(connection: Connection, now: float) -> TrackingKey:
    """
    Make a newer key; links of the older ones stay good.

    Raises:
        IntegrityError: somebody else has made one at the same moment.
    """
    newest = select(tracking_keys.c.id).order_by(tracking_keys.c.id.desc()).limit(1)
    number = (connection.execute(newest).scalar_one_or_none() or _FIRST - 1) + 1
    made = TrackingKey(number, secrets.token_bytes(KEY_OCTETS), now)
    row = {"id": made.number, "secret": made.secret, "created": made.created}
    connection.execute(insert(tracking_keys), [row])
    return made
