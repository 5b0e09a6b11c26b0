"""Hears of what an operator's command has changed while the service runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from smtpeter.store.database import StoreError
from smtpeter.store.store import Store
from smtpeter.store.writer import WriterBusy

NUDGE_SECONDS = 1.0

_N = TypeVar("_N")


class NudgeWatch(Service, Generic[_N]):
    """
    Looks for what an operator's command has changed behind the queue's back.

    The command works whether or not the service runs; so it leaves word in the store.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        waiting: Callable[[Connection], bool],
        take: Callable[[Connection], Sequence[_N]],
        nudged: Callable[[_N], None],
        clock: IReactorTime,
    ) -> None:
        self._store = store
        self._waiting = waiting
        self._take = take
        self._nudged = nudged
        self._clock = clock
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._call = self._clock.callLater(NUDGE_SECONDS, self._look)

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        if self._call is not None:
            self._call.cancel()
            self._call = None
        return succeed(None)

    def _look(self) -> None:
        self._call = None
        Deferred.fromCoroutine(self._pass_on()).addErrback(
            lambda failure: self._log.failure("nudges cannot be read", failure)
        )

    async def _pass_on(self) -> None:
        try:
            if await self._store.read(self._waiting):
                for nudge in await self._store.transact(self._take):
                    self._nudged(nudge)
        except (StoreError, WriterBusy) as error:
            self._log.error("nudges cannot be read: {error}", error=error)
        finally:
            if self.running:
                self._call = self._clock.callLater(NUDGE_SECONDS, self._look)
