"""Services that start in order, stop in reverse, and end the process when they cannot start."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any, NoReturn

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

STOP_SECONDS = 30.0


class StagedService(MultiService):
    """
    A MultiService whose children start one at a time and stop in the reverse order.

    Each is waited for. Twisted's own class starts and stops all at the same moment, so that
    a listener may meet a store that is not open yet, or a queue lose it while it finishes.

    When a child does not start, those before it are stopped. Children are added before the
    start.

    Args:
        clock: bounds the waiting.
        stop_seconds: how long one child may take to stop before the next is told.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, stop_seconds: float = STOP_SECONDS) -> None:
        MultiService.__init__(self)
        self._clock = clock
        self._stop_seconds = stop_seconds
        self._started: list[IService] = []
        self._starting: Deferred[None] | None = None

    def addService(self, service: IService) -> None:
        if self.running:
            raise RuntimeError("children are added before the start")
        MultiService.addService(self, service)

    def startService(self) -> Deferred[None]:
        """Fires when all children run; fails as the child failed that did not start."""
        Service.startService(self)
        self._starting = Deferred.fromCoroutine(self._start_in_turn())
        return self._starting

    def stopService(self) -> Deferred[None]:
        """Fires when all children have stopped, or had their time; never fails."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _start_in_turn(self) -> None:
        try:
            for child in self:
                await maybeDeferred(child.startService)
                self._started.append(child)
        except Exception:  # being told to stop, which is a CancelledError, is one reason of many
            await self._stop_in_turn()
            raise

    async def _stop(self) -> None:
        if self._starting is not None and not self._starting.called:
            self._starting.cancel()
        await self._stop_in_turn()

    async def _stop_in_turn(self) -> None:
        while self._started:
            await self._stop_one(self._started.pop())

    async def _stop_one(self, child: IService) -> None:
        try:
            stopped = maybeDeferred(child.stopService)
            await stopped.addTimeout(self._stop_seconds, self._clock)
        except Exception:  # whatever it is, the others have to be stopped
            self._log.failure("{child} did not stop cleanly", child=child)


class SideBySide(StagedService):
    """
    Services that start one at a time, and stop all at the same moment.

    For those that do not need each other to come to an end: together they take as long as
    the slowest, and not the sum.
    """

    async def _stop_in_turn(self) -> None:
        started, self._started = self._started, []
        stopping = [Deferred.fromCoroutine(self._stop_one(child)) for child in reversed(started)]
        await DeferredList(stopping)


class RootService(StagedService):
    """
    The outermost service: when it cannot start, the process ends with status 1.

    Args:
        reactor: is stopped then.
        foreseen: errors whose text is one line for the operator; of others the traceback is
            logged.
    """

    def __init__(
        self,
        reactor: Any,
        foreseen: tuple[type[Exception], ...] = (),
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        super().__init__(reactor, stop_seconds)
        self._reactor = reactor
        self._foreseen = foreseen

    def startService(self) -> Deferred[None]:
        """Fires when all children run, or when it is clear that they will not."""
        return super().startService().addErrback(self._give_up)

    def _give_up(self, failure: Failure) -> None:
        if failure.check(CancelledError):  # told to stop while it was starting
            return
        if failure.check(*self._foreseen):
            self._log.critical("Cannot start: {reason}", reason=failure.getErrorMessage())
        else:
            self._log.failure("Cannot start", failure)
        # twistd knows no way to hand a status through: this runs when all is over
        atexit.register(end_with_failure)
        self._reactor.callWhenRunning(self._reactor.stop)


def end_with_failure() -> NoReturn:
    """End the process with status 1, whatever status it would have."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
