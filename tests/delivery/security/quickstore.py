"""A store for tests that do not care for threads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import delete
from twisted.internet.defer import Deferred, fail, succeed

from smtpeter.store.database import Database, StoreUnavailable
from smtpeter.store.tables import mta_sts_policies, tls_results


class QuickStore:
    """
    Reads and writes at once, in a database whose tables of security are empty at first.

    Attributes:
        broken: True for one that can do neither.
        commits: how many there were.
    """

    def __init__(self) -> None:
        self.database = _database()
        self.broken = False
        self.commits = 0
        with self.database.begin() as connection:
            for table in (mta_sts_policies, tls_results):
                connection.execute(delete(table))

    def read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if self.broken:
            return fail(StoreUnavailable("the disk is gone"))
        with self.database.connect() as connection:
            return succeed(function(connection, *args))

    def commit(self, *changes: Any) -> Deferred[None]:
        if self.broken:
            return fail(StoreUnavailable("the disk is gone"))
        self.commits += 1
        with self.database.begin() as connection:
            for change in changes:
                connection.execute(change.statement, change.rows)
        return succeed(None)


_directories: list[tempfile.TemporaryDirectory[str]] = []  # removed at the end


@lru_cache
def _database() -> Database:
    """One for all tests: to make its tables takes longer than what they do with it."""
    _directories.append(tempfile.TemporaryDirectory())
    return Database.open("sqlite:///test.db", Path(_directories[0].name))
