"""Once an hour: what is kept no longer is removed, a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from smtpeter.store import (
    idempotency,
    images,
    quotas,
    receivers,
    retention,
    stspolicies,
    suppressions,
    tlsresults,
)
from smtpeter.store.database import StoreError
from smtpeter.store.store import Store
from smtpeter.store.writer import WriterBusy

ROUND_SECONDS = 3600.0
RESULTS_SECONDS = 30 * 86_400.0  # for which results of TLS are told
RECEIVERS_SECONDS = 30 * 86_400.0  # for which is known what was learnt of a receiver
PAUSE_SECONDS = 0.1  # between batches, for the mail that wants to be written


class Housekeeping(Service):
    """
    Removes old contents, images that nobody needs, answers that are no longer given again, and
    what is known of receivers and holds good no longer.

    Args:
        keep_seconds: how long the content of a submission stays after it came.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        keep_seconds: float,
        clock: IReactorTime,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._store = store
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._round_seconds = round_seconds
        self._call: IDelayedCall | None = None
        self._position: int | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._later(PAUSE_SECONDS, self._begin)

    def stopService(self) -> None:
        Service.stopService(self)
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _later(self, seconds: float, step: Callable[[], None]) -> None:
        if self.running:
            self._call = self._clock.callLater(seconds, step)

    def _begin(self) -> None:
        self._position = 0
        self._go_on()

    def _go_on(self) -> None:
        self._call = None
        Deferred.fromCoroutine(self._step()).addErrback(
            lambda failure: self._log.failure("housekeeping met a fault of ours", failure)
        )

    async def _step(self) -> None:
        """One batch; the next follows soon, or in an hour when there is none."""
        now = self._clock.seconds()
        try:
            if self._position == 0:
                await self._store.transact(idempotency.forget_old, now)
                await self._store.transact(images.forget_old, now)
                await self._store.transact(suppressions.forget_expired, now)
                await self._store.transact(quotas.forget_old, now)
                await self._store.transact(stspolicies.forget_old, now)
                await self._store.transact(receivers.forget_old, now - RECEIVERS_SECONDS)
                await self._store.transact(tlsresults.forget_old, _day(now - RESULTS_SECONDS))
            self._position = await self._store.transact(
                retention.drop_contents, now - self._keep_seconds, self._position or 0
            )
        except (StoreError, WriterBusy) as error:
            self._log.error("nothing old can be removed now: {error}", error=error)
            self._position = None
        if self._position is None:
            self._later(self._round_seconds, self._begin)
        else:
            self._later(PAUSE_SECONDS, self._go_on)


def _day(seconds: float) -> str:
    """The day of a moment, as results of TLS have it."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
