"""From the journal into the store: visits become events, each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from smtpeter.events.journal import Batch, Journal
from smtpeter.events.judging import Judging
from smtpeter.store import events, journal
from smtpeter.store.database import ValueRefused
from smtpeter.store.sent import sent
from smtpeter.store.store import Store
from smtpeter.store.writer import Change

InThread = Callable[..., Deferred[Any]]


class SharedJournal:
    """A journal used from the reactor: one call at a time, each in a thread."""

    def __init__(self, journal: Journal, in_thread: InThread) -> None:
        self.files = journal
        self._in_thread = in_thread
        self._lock = DeferredLock()

    def call(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Call a method of the journal when its turn comes."""
        return self._lock.run(self._in_thread, function, *args)


class Takeover:
    """
    Takes one batch after the other out of a journal.

    The store remembers how far it is, in the transaction that writes the events. So it can
    be asked again whenever a crash or a lost answer leaves that open.
    """

    _log = Logger()

    def __init__(self, store: Store, shared: SharedJournal, judging: Judging) -> None:
        self._store = store
        self._shared = shared
        self._judging = judging
        self._position: int | None = None  # in the oldest file; None when it has to be asked for
        self._gone: list[str] = []

    async def step(self) -> bool:
        """
        Take over one batch, or remove a file that holds no more; False when there is nothing.

        Raises:
            StoreError, WriterBusy: not now.
            OSError: the journal cannot be read.
        """
        files = self._shared.files
        name = files.oldest
        if name is None:
            return False
        if self._position is None:
            self._position = await self._store.read(journal.progress, name)
        if await self._shared.call(files.remove_finished, self._position):
            self._position = None
            self._gone.append(name)
            return True
        batch = await self._shared.call(files.read, self._position)
        if batch.damaged:
            self._log.warn("{count} damaged lines in {name}", count=batch.damaged, name=name)
        change = await self._store.read(self._events, batch)
        await self._commit(batch, change)
        return True

    def _events(self, connection: Connection, batch: Batch) -> Change:
        """Make the change that writes a batch; in a thread, for it takes its time."""
        known = sent(connection, {visit.message for visit in batch.visits})
        return events.append(self._judging.events(batch.visits, known))

    async def _commit(self, batch: Batch, change: Change) -> None:
        gone = list(self._gone)
        done = journal.done(batch.journal, batch.begin, batch.end)
        self._position = None  # whatever comes of it
        try:
            await self._store.commit(change, done, *map(journal.gone, gone))
        except IntegrityError:
            return  # it was written, but nobody has heard of it
        except ValueRefused as error:
            count = len(batch.visits)
            self._log.error("{count} visits are refused: {error}", count=count, error=error)
            await self._store.commit(done)
        del self._gone[: len(gone)]
        self._position = batch.end
