"""Changes the keys of sender domains month by month, where name servers have our zone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smtpeter.dns.checking import key_fault
from smtpeter.dns.names import Names, NoAnswer
from smtpeter.expiring import Expiring
from smtpeter.store import dkimkeys
from smtpeter.store.database import StoreError
from smtpeter.store.dkimkeys import KeyProblem, StoredKey, next_selector
from smtpeter.store.domains import SenderDomain
from smtpeter.store.store import Store
from smtpeter.threads import ThreadsEnded

LOOK_SECONDS = 3600.0
DOMAINS_AT_ONCE = 20
# What keeps a key from signing is said once a day: some never lead into our zone.
TOLD = 10_000
TOLD_SECONDS = 86_400.0


class KeyRotation(Service):
    """
    Looks now and then which sender domains have had their key for long enough.

    The next key is taken when the DNS has it; until then the one in use goes on signing.

    Args:
        in_thread: calls a function in a thread: making a key takes a part of a second.
        rotation_seconds: how long a key is in use.
        seconds: the wall clock, seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        names: Names,
        in_thread: Callable[..., Deferred[Any]],
        rotation_seconds: float,
        clock: IReactorTime,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._names = names
        self._in_thread = in_thread
        self._rotation_seconds = rotation_seconds
        self._clock = clock
        self._seconds = seconds
        self._told: Expiring[tuple[int, str], bool] = Expiring(clock.seconds, TOLD)
        self._rounds = LoopingCall(self._look)
        self._rounds.clock = clock

    def startService(self) -> None:
        Service.startService(self)
        self._rounds.start(LOOK_SECONDS, now=False)

    def stopService(self) -> None:
        Service.stopService(self)
        self._rounds.stop()

    def _look(self) -> Deferred[None]:
        looking = Deferred.fromCoroutine(self._rotate())
        return looking.addErrback(
            lambda failure: self._log.failure("no key can be changed", failure)
        )

    async def _rotate(self) -> None:
        """Go through all domains that are due."""
        before = self._seconds() - self._rotation_seconds
        after = 0
        try:
            while self.running:
                due = await self._store.read(
                    dkimkeys.due_for_rotation, before, after, DOMAINS_AT_ONCE
                )
                for domain, key in due:
                    if self.running:
                        await self._rotate_one(domain, key)
                if len(due) < DOMAINS_AT_ONCE:
                    return
                after = due[-1][0].id
        except (StoreError, ThreadsEnded) as error:
            self._log.error("the keys of sender domains stay: {error}", error=error)

    async def _rotate_one(self, domain: SenderDomain, key: StoredKey | KeyProblem) -> None:
        if isinstance(key, KeyProblem):
            self._tell(domain, str(key))
            return
        try:
            fault = await key_fault(self._names, domain.name, key.selector, key.key)
        except NoAnswer as error:
            fault = str(error)
        if fault:
            self._tell(domain, fault)
            return
        made = await self._in_thread(dkimkeys.new_key)
        try:
            await self._store.transact(dkimkeys.rotate, domain, made, self._seconds())
        except KeyProblem as error:
            self._log.info("{error}", error=error)
        else:
            self._log.info(
                "the key {selector} of {domain} signs now",
                selector=key.selector,
                domain=domain.name,
            )

    def _tell(self, domain: SenderDomain, fault: str) -> None:
        if self._told.get((domain.id, fault)):
            return
        self._told.put((domain.id, fault), True, TOLD_SECONDS)
        self._log.warn(
            "the key {selector} of {domain} does not sign yet: {fault}",
            selector=next_selector(domain.selector),
            domain=domain.name,
            fault=fault,
        )
