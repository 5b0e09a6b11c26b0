"""Senders are told of a delay also when no attempt is made, for a receiver or a quota."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smtpeter.delivery.courier import Interrupted
from smtpeter.store.database import StoreError
from smtpeter.store.due import without_notice
from smtpeter.store.messages import Message
from smtpeter.store.store import Store

ROUND_SECONDS = 300.0
AT_ONCE = 100


class DelayNotices(Service):
    """
    Looks now and then for messages whose sender wants to know of a delay, and does not.

    Args:
        tell: `Courier.tell_delay`.
        on_its_way: whether an attempt is being made; the end of that one tells.
        delay_notice_seconds: after this time of waiting a sender is told.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        tell: Callable[[Message], Awaitable[None]],
        on_its_way: Callable[[Message], bool],
        delay_notice_seconds: float,
        clock: IReactorTime,
    ) -> None:
        self._store = store
        self._tell = tell
        self._on_its_way = on_its_way
        self._delay_notice_seconds = delay_notice_seconds
        self._clock = clock
        self._rounds = LoopingCall(self._go_round)
        self._rounds.clock = clock

    def startService(self) -> None:
        Service.startService(self)
        self._rounds.start(ROUND_SECONDS, now=False)

    def stopService(self) -> None:
        Service.stopService(self)
        if self._rounds.running:
            self._rounds.stop()

    def _go_round(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._look()).addErrback(
            lambda failure: self._log.failure("senders cannot be told of delays", failure)
        )

    async def _look(self) -> None:
        """Tell of some; the next round finds the others."""
        now = self._clock.seconds()
        try:
            found = await self._store.read(without_notice, now, self._delay_notice_seconds, AT_ONCE)
        except StoreError as error:
            self._log.error("delays cannot be looked for: {error}", error=error)
            return
        for message in found:
            if self.running and not self._on_its_way(message):
                try:
                    await self._tell(message)
                except Interrupted:
                    return
                except Exception:
                    self._log.failure("the sender of {id} cannot be told", id=message.id)
