"""Links and bounce addresses are made and read with the keys in the store, also with later ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol as Shape

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from smtpeter.message.bounceaddress import BounceAddresses
from smtpeter.store import trackingkeys
from smtpeter.store.database import StoreError
from smtpeter.store.store import Store
from smtpeter.store.trackingkeys import READING_SECONDS, TrackingKey, maker
from smtpeter.transform.identifier import Identifiers

# A key whose time comes between two looks is taken up then, though not at once.
LEAST_SECONDS = 1.0


class KeyUser(Shape):
    """What makes and reads something that is proved by a key."""

    def use(self, key: bytes, others: Sequence[bytes] = ()) -> None:
        """From now on one key makes, and the others only read."""


def identifiers(keys: Sequence[TrackingKey], now: float) -> Identifiers:
    """What makes links at that time, and reads all; `keys`: the newest first, not empty."""
    making = maker(keys, now)
    return Identifiers(making.secret, _others(keys, making))


def bounce_addresses(keys: Sequence[TrackingKey], now: float) -> BounceAddresses:
    """The same for bounce addresses."""
    making = maker(keys, now)
    return BounceAddresses(making.secret, _others(keys, making))


def _others(keys: Sequence[TrackingKey], making: TrackingKey) -> list[bytes]:
    return [each.secret for each in keys if each != making]


class LinkKeys(Service):
    """
    Looks now and then whether there are newer keys.

    Args:
        users: who uses the keys.
        keys: those that they use at first, the newest first.
        seconds: the wall clock, seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        users: Sequence[KeyUser],
        keys: Sequence[TrackingKey],
        clock: IReactorTime,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._users = tuple(users)
        self._keys = keys
        self._clock = clock
        self._seconds = seconds
        self._making = maker(keys, seconds()).number
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        Service.startService(self)
        self._later()

    def stopService(self) -> None:
        Service.stopService(self)
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _later(self) -> None:
        if self.running:
            now = self._seconds()
            waits = [each.in_use_since - now for each in self._keys if each.in_use_since > now]
            pause = max(LEAST_SECONDS, min([READING_SECONDS, *waits]))
            self._call = self._clock.callLater(pause, self._look)

    def _look(self) -> None:
        self._call = None
        looking = Deferred.fromCoroutine(self._renew())
        looking.addErrback(
            lambda failure: self._log.failure("the keys of links cannot be renewed", failure)
        )
        looking.addCallback(lambda _: self._later())

    async def _renew(self) -> None:
        try:
            found = await self._store.read(trackingkeys.keys)
        except StoreError as error:
            self._log.error("the keys of links cannot be read: {error}", error=error)
        else:
            if found:  # without any key no link would lead on
                self._keys = found
        making = maker(self._keys, self._seconds())
        for each in self._users:
            each.use(making.secret, _others(self._keys, making))
        if making.number != self._making:
            self._making = making.number
            self._log.info(
                "links and bounce addresses are made with key {number} now", number=making.number
            )
