"""
How much of a journal has become events.

The row of a batch is written together with its events. It clashes when the batch was
written before, also when nobody has heard the end of that commit: no event comes twice.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from smtpeter.store.changes import Change
from smtpeter.store.tables import journal_batches

DONE = insert(journal_batches)
GONE = delete(journal_batches).where(journal_batches.c.journal == bindparam("gone"))


def done(journal: str, begin: int, end: int) -> Change:
    """The change that says what a batch held: the octets of the journal from begin to end."""
    return Change(DONE, [{"journal": journal, "begin": begin, "end": end}])


def progress(connection: Connection, journal: str) -> int:
    """Up to which octet of a journal everything is written."""
    query = select(func.max(journal_batches.c.end)).where(journal_batches.c.journal == journal)
    return connection.execute(query).scalar_one() or 0


def gone(journal: str) -> Change:
    """The change that forgets a journal that is there no longer."""
    return Change(GONE, [{"gone": journal}])
