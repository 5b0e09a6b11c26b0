"""From the journal into the store: visits become events, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from smtpeter.events.journal import Batch, Journal
from smtpeter.events.judging import Judging, place_wanted
from smtpeter.events.places import Place, Places
from smtpeter.events.sealing import Seal
from smtpeter.events.visit import Visit, visits_in
from smtpeter.store import events, journal
from smtpeter.store.changes import Change
from smtpeter.store.database import ValueRefused
from smtpeter.store.sent import sent
from smtpeter.store.store import Store

# What is done with a visit takes some 20 µs at a time.
AT_ONCE = 10

_T = TypeVar("_T")
_R = TypeVar("_R")

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

    Args:
        seal: opens what the lines of the journal hide.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        shared: SharedJournal,
        seal: Seal,
        places: Places,
        in_thread: InThread,
        clock: IReactorTime,
    ) -> None:
        self._store = store
        self._shared = shared
        self._seal = seal
        self._places = places
        self._in_thread = in_thread
        self._judging = Judging()
        self._clock = clock
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
        await self._commit(batch, await self._events(batch))
        return True

    async def _events(self, batch: Batch) -> Change:
        """
        Make the change that writes a batch, a few visits in each turn of the reactor.

        A thread would hold up everybody more: each time when the reactor has waited for
        the network, it would have to wait for that thread as well.
        """
        read = await self._in_turns(self._read, batch.lines, 1)
        visits = [visit for line in read for visit in line]
        if len(read) < len(batch.lines):
            count = len(batch.lines) - len(read)
            self._log.warn("{count} damaged lines in {name}", count=count, name=batch.journal)
        known = await self._store.read(sent, {visit.message for visit in visits})
        wanted = {
            visit.address for visit in visits if place_wanted(visit, known.get(visit.message))
        }
        places: Mapping[str, Place] = {}
        if self._places and wanted:
            places = await self._in_thread(self._places.of_all, wanted)

        def row(visit: Visit) -> Mapping[str, Any] | None:
            event = self._judging.event(visit, known.get(visit.message), places)
            return events.append([event]).rows[0] if event else None

        return Change(events.APPEND, await self._in_turns(row, visits, AT_ONCE))

    def _read(self, line: bytes) -> list[Visit] | None:
        visits = visits_in(line, self._seal)
        for visit in visits or ():
            self._judging.note(visit)
        return visits

    async def _in_turns(
        self, function: Callable[[_T], _R | None], items: Sequence[_T], at_once: int
    ) -> list[_R]:
        """What a function makes of each item, where it makes something; so many in each turn."""
        made: list[_R] = []
        for start in range(0, len(items), at_once):
            results = map(function, items[start : start + at_once])
            made += [result for result in results if result is not None]
            await deferLater(self._clock, 0)
        return made

    async def _commit(self, batch: Batch, change: Change) -> None:
        gone = list(self._gone)
        done = journal.done(batch.journal, batch.begin, batch.end)
        self._position = None  # whatever comes of it
        try:
            await self._store.commit(change, done, *map(journal.gone, gone))
        except IntegrityError:
            return  # it was written, but nobody has heard of it
        except ValueRefused as error:
            count = len(batch.lines)
            self._log.error(
                "{count} lines of visits are refused: {error}", count=count, error=error
            )
            await self._store.commit(done)
        del self._gone[: len(gone)]
        self._position = batch.end
