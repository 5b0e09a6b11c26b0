"""
Records clicks and opens: from memory into a journal, and from there into the store.

Whoever notes a visit waits for nothing. While the store does not answer, the journal grows
up to its limit; what is in it becomes events later.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smtpeter.events.journal import Journal, JournalFull
from smtpeter.events.places import Places
from smtpeter.events.sealing import Seal
from smtpeter.events.takeover import InThread, SharedJournal, Takeover
from smtpeter.events.visit import LINE_VISITS, Visit, line_of
from smtpeter.store.database import StoreError
from smtpeter.store.store import Store
from smtpeter.store.writer import WriterBusy

# Those who follow all links of a message at once are seen together.
ROUND_SECONDS = 0.5
RETRY_SECONDS = 5.0
WAITING_LIMIT = 20_000
# At the stop, for what is left.
LAST_SECONDS = 5.0


class Recorder(Service):
    """
    Takes visits.

    Args:
        directory: for the journal; it is made where its parent is.
        in_thread: calls a function with arguments in a thread.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        directory: Path,
        places: Places,
        in_thread: InThread,
        clock: IReactorTime,
    ) -> None:
        self._journal = Journal(directory)
        self._shared = SharedJournal(self._journal, in_thread)
        self._seal = Seal()
        self._takeover = Takeover(store, self._shared, self._seal, places, in_thread, clock)
        self._clock = clock
        self._noted: list[Visit] = []
        self._waiting: list[bytes] = []  # what was noted before these, in lines
        self._held = 0  # how many there are in both
        self._lost = 0
        self._retry_at = float("-inf")
        self._rounds: list[tuple[LoopingCall, Deferred[LoopingCall]]] = []

    def note(self, visit: Visit) -> None:
        """Take a visit, at once and in any case; what is too much is counted and lost."""
        if self._held < WAITING_LIMIT:
            self._held += 1
            self._noted.append(visit)
            if len(self._noted) == LINE_VISITS:
                self._write_line()
        else:
            self._lost += 1

    def _write_line(self) -> None:
        if self._noted:
            self._waiting.append(line_of(self._noted, self._seal))
            self._noted = []

    def startService(self) -> None:
        """Open the journal; what an earlier process has left in it is next."""
        Service.startService(self)
        self._journal.open()
        for part in (self._write_down, lambda: self._take_over(lambda: bool(self.running))):
            loop = LoopingCall(lambda part=part: Deferred.fromCoroutine(part()))
            loop.clock = self._clock
            self._rounds.append((loop, loop.start(ROUND_SECONDS)))

    def stopService(self) -> Deferred[None]:
        """
        At the end all that waits is in the store, if that can be in time, else in the journal.

        The next process would not know any more who came.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        rounds, self._rounds = self._rounds, []
        for loop, _ in rounds:
            loop.stop()
        for _, ended in rounds:
            await ended
        await self._write_down()
        until = self._clock.seconds() + LAST_SECONDS
        await self._take_over(lambda: self._clock.seconds() < until)

    async def _write_down(self) -> None:
        """Write what waits to the journal."""
        if self._lost:
            self._log.error("{count} clicks and opens are lost: too many wait", count=self._lost)
            self._lost = 0
        self._write_line()
        lines, self._waiting = self._waiting, []
        held, self._held = self._held, 0
        if not lines:
            return
        try:
            await self._shared.call(self._journal.append, lines)
        except JournalFull:
            self._lost += held
        except Exception as error:
            self._log.error("the journal of visits cannot be written: {error}", error=error)
            self._waiting = lines + self._waiting
            self._held += held

    async def _take_over(self, may_go_on: Callable[[], bool]) -> None:
        """Take over all that is in the journal, unless the store has failed just now."""
        if self._clock.seconds() < self._retry_at:
            return
        try:
            while may_go_on() and await self._takeover.step():
                pass
        except (StoreError, WriterBusy, OSError) as error:
            self._log.warn("clicks and opens wait in the journal: {error}", error=error)
            self._retry_at = self._clock.seconds() + RETRY_SECONDS
        except Exception:
            self._log.failure("clicks and opens wait in the journal by a fault of ours")
            self._retry_at = self._clock.seconds() + RETRY_SECONDS
