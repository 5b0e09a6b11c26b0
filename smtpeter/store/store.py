"""The store as the running service uses it: reads in a few threads, writes in one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from smtpeter.store.changes import Change, Planned
from smtpeter.store.database import Database, StorageFull, StoreError, StoreUnavailable
from smtpeter.store.writer import GroupCommitWriter

READERS = 4
LOOK_SECONDS = 1.0  # between looks at the free disk
READS_WAITING_LIMIT = 10_000

_T = TypeVar("_T")


class Store(Service):
    """
    Reads and writes without holding up the reactor.

    Args:
        min_free_octets: below this much free disk, nothing that adds mail is taken.
    """

    def __init__(
        self,
        database: Database,
        reactor: Any,
        min_free_octets: int = 0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.database = database
        self._reactor = reactor
        self._seconds = seconds
        self._min_free_octets = min_free_octets
        self._writer = GroupCommitWriter(database, reactor)
        self._readers = ThreadPool(1, READERS, "store readers")
        self._reading = 0
        self._stopped = False
        self._free = 0
        self._looked = float("-inf")

    def startService(self) -> None:
        self._writer.start()
        self._readers.start()
        Service.startService(self)

    def stopService(self) -> Deferred[None]:
        """Finish what was asked for, then close the database."""
        Service.stopService(self)
        self._stopped = True
        self._writer.stop()
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._close)

    def _close(self) -> None:
        self._readers.stop()
        self._writer.join()
        self.database.close()

    def read(self, function: Callable[..., _T], *args: Any) -> Deferred[_T]:
        """Call `function(connection, *args)` in a thread; fails with `StoreError`."""
        if self._stopped:
            return fail(StoreUnavailable("the store is closed"))
        if self._reading >= READS_WAITING_LIMIT:
            return fail(StoreUnavailable("too many reads are waiting"))
        self._reading += 1
        reading = deferToThreadPool(self._reactor, self._readers, self._read, function, args)
        return reading.addBoth(self._read_ended)

    def _read(self, function: Callable[..., _T], args: tuple[Any, ...]) -> _T:
        with self.database.connect() as connection:
            return function(connection, *args)

    def _read_ended(self, result: _T) -> _T:
        self._reading -= 1
        return result

    def commit(self, *changes: Change) -> Deferred[None]:
        """Write the changes together; fires when they are safe on disk."""
        return self._writer.commit(changes)

    def transact(self, function: Callable[..., _T], *args: Any) -> Deferred[_T]:
        """Call `function(connection, *args)` inside a transaction; fires after its commit."""
        return self._writer.transact(function, *args)

    def add(self, changes: Sequence[Change], octets: int) -> Deferred[None]:
        """
        Write changes that bring new mail of the given size.

        Fails with `StorageFull` already while there is still room to record what becomes
        of the mail that waits.
        """
        trouble = self._no_room(octets)
        return fail(trouble) if trouble else self._writer.commit(changes)

    def add_planned(
        self, plan: Callable[..., Planned[_T]], *args: Any, octets: int
    ) -> Deferred[_T]:
        """The same of changes that `plan(connection, *args)` gives inside the transaction."""
        trouble = self._no_room(octets)
        return fail(trouble) if trouble else self._writer.commit_planned(plan, *args)

    def _no_room(self, octets: int) -> StoreError | None:
        """Why mail of the given size cannot be taken; None when it can."""
        try:
            free_octets = self._free_octets()
        except OSError as error:
            return StoreUnavailable(f"{self.database.directory}: {error.strerror}")
        if free_octets < self._min_free_octets + octets:
            return StorageFull("the free disk space is below database.min_free")
        return None

    def _free_octets(self) -> int:
        """As of at most a second ago."""
        if self.database.directory is None:  # another machine's disk
            return 1 << 62
        if self._seconds() - self._looked >= LOOK_SECONDS:
            found = os.statvfs(self.database.directory)
            self._free = found.f_bavail * found.f_frsize
            self._looked = self._seconds()
        return self._free
