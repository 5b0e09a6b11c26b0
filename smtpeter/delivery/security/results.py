"""Counts what becomes of the security of sessions, for reports by RFC 8460."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from smtpeter.delivery.security.tlsresult import PolicyType, TlsResult
from smtpeter.store import tlsresults
from smtpeter.store.database import StoreError
from smtpeter.store.store import Store
from smtpeter.store.tlsresults import TlsCount
from smtpeter.store.writer import WriterBusy
from smtpeter.values import frozen

WRITE_SECONDS = 10.0
TOGETHER = 500  # in one transaction
COUNTS_LIMIT = 20_000


@frozen
class _Kind:
    """What sessions have in common that are counted together."""

    day: str
    domain: str
    policy_type: str
    host: str
    result: str


@frozen
class _Sessions:
    """How many there were, and the lines of the policy that the last was measured by."""

    number: int
    policy: tuple[str, ...]


class TlsResults(Service):
    """
    Takes results, and writes them into the store now and then.

    While the store does not answer they are kept, up to a limit; what is beyond it is lost.
    """

    _log = Logger()

    def __init__(self, store: Store, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock
        self._counts: dict[_Kind, _Sessions] = {}
        self._lost = 0
        self._rounds = LoopingCall(self._begin)
        self._rounds.clock = clock
        self._ended: Deferred[LoopingCall] | None = None

    def count(
        self,
        domain: str,
        policy_type: PolicyType,
        policy: tuple[str, ...],
        host: str,
        result: TlsResult,
    ) -> None:
        """
        One session more.

        Args:
            domain: of the recipients.
            policy: the lines of what the session was measured by.
            host: that was connected to, "" for none.
        """
        day = datetime.fromtimestamp(self._clock.seconds(), UTC).date().isoformat()
        kind = _Kind(day, domain, policy_type.value, host, result.value)
        self._add(kind, _Sessions(1, policy))

    def startService(self) -> None:
        Service.startService(self)
        self._ended = self._rounds.start(WRITE_SECONDS, now=False)

    def stopService(self) -> Deferred[None]:
        """Write what is left; fires when that is done."""
        Service.stopService(self)
        if self._rounds.running:
            self._rounds.stop()
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        if self._ended is not None:
            await self._ended
        await self._write()

    def _begin(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._write())

    def _add(self, kind: _Kind, sessions: _Sessions) -> None:
        known = self._counts.get(kind)
        if known is not None:
            sessions = _Sessions(known.number + sessions.number, sessions.policy)
        elif len(self._counts) >= COUNTS_LIMIT:
            self._lost += sessions.number
            return
        self._counts[kind] = sessions

    async def _write(self) -> None:
        if self._lost:
            self._log.error("{number} results of TLS were not counted", number=self._lost)
            self._lost = 0
        waiting, self._counts = list(self._counts.items()), {}
        while waiting:
            some = waiting[:TOGETHER]
            change = tlsresults.add([_row(kind, sessions) for kind, sessions in some])
            try:
                await self._store.commit(change)
            except (StoreError, WriterBusy) as error:
                self._log.error("results of TLS cannot be written now: {error}", error=error)
                for kind, sessions in waiting:
                    self._add(kind, sessions)
                return
            del waiting[:TOGETHER]


def _row(kind: _Kind, sessions: _Sessions) -> TlsCount:
    return TlsCount(
        kind.day,
        kind.domain,
        kind.policy_type,
        kind.host,
        kind.result,
        sessions.number,
        _as_json(sessions.policy),
    )


@lru_cache(maxsize=256)
def _as_json(lines: tuple[str, ...]) -> str:
    return json.dumps(lines)
