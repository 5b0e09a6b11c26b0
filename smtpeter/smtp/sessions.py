"""Ends the SMTP sessions well when the service stops."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from smtpeter.smtp.factory import SmtpFactory

DRAIN_SECONDS = 20.0


class SmtpSessions(Service):
    """
    Lets each session answer what it has begun.

    The ports stop before it, so that no new sessions come.
    """

    def __init__(self, factories: Sequence[SmtpFactory], clock: IReactorTime) -> None:
        self._factories = tuple(factories)
        self._clock = clock

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._drain())

    async def _drain(self) -> None:
        drained = DeferredList([factory.drain() for factory in self._factories])
        late = self._clock.callLater(DRAIN_SECONDS, self._abort)
        await drained
        if late.active():
            late.cancel()

    def _abort(self) -> None:
        for factory in self._factories:
            factory.abort()
