"""
Origins: the "scheme://host" or "scheme://host:port" in front of links and images.

A rewritten link names its origin by a number, so that it can be short, and can lead nowhere
but to where links of our mail led before.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from smtpeter.store.statements import insert_missing
from smtpeter.store.tables import origins

# SQLite takes some hundreds of parameters in a statement.
_AT_ONCE = 500


def numbers_of(connection: Connection, texts: Collection[str]) -> dict[str, int]:
    """The number of each origin; those that are new are added. Needs a transaction."""
    found = known_numbers(connection, texts)
    # In one order, so that two who add the same do not wait for each other.
    missing = sorted(set(texts) - found.keys())
    if missing:
        rows = [{"text": text} for text in missing]
        connection.execute(insert_missing(origins), rows)
        found |= known_numbers(connection, missing)
    return found


def known_numbers(connection: Connection, texts: Collection[str]) -> dict[str, int]:
    """The numbers of those origins that have one."""
    found: dict[str, int] = {}
    wanted = list(texts)
    for start in range(0, len(wanted), _AT_ONCE):
        query = select(origins.c.text, origins.c.id).where(
            origins.c.text.in_(wanted[start : start + _AT_ONCE])
        )
        found.update((text, number) for text, number in connection.execute(query))
    return found


def text_of(connection: Connection, number: int) -> str | None:
    """The origin of a number; None when there is none."""
    return connection.execute(
        select(origins.c.text).where(origins.c.id == number)
    ).scalar_one_or_none()


def newest(connection: Connection, limit: int) -> list[tuple[int, str]]:
    """The origins that came last, with their numbers, the oldest of them first."""
    query = select(origins.c.id, origins.c.text).order_by(origins.c.id.desc()).limit(limit)
    return [(number, text) for number, text in connection.execute(query)][::-1]
