"""The keys that prove rewritten links. Whoever has one can make links that we redirect."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, insert, select

from smtpeter.store.statements import insert_missing
from smtpeter.store.tables import tracking_keys

KEY_OCTETS = 32


def keys(connection: Connection) -> list[bytes]:
    """All keys, the newest first: that one makes links, the others still read theirs."""
    query = select(tracking_keys.c.secret).order_by(tracking_keys.c.id.desc())
    return list(connection.execute(query).scalars())


def existing_keys(connection: Connection, now: float) -> list[bytes]:
    """All keys, the newest first; the first of all is made when there is none."""
    found = keys(connection)
    if found:
        return found
    # Of several processes that start at once, one makes the key for all.
    first = {"id": 1, "secret": secrets.token_bytes(KEY_OCTETS), "created": now}
    connection.execute(insert_missing(connection, tracking_keys), [first])
    return keys(connection)


def add_key(connection: Connection, now: float) -> None:
    """
    Make a newer key; links of the older ones stay good.

    Every process that makes or reads links has to know it before it is used.
    """
    newest = select(tracking_keys.c.id).order_by(tracking_keys.c.id.desc()).limit(1)
    number = (connection.execute(newest).scalar_one_or_none() or 0) + 1
    row = {"id": number, "secret": secrets.token_bytes(KEY_OCTETS), "created": now}
    connection.execute(insert(tracking_keys), [row])
