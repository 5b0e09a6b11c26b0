"""Makes sessions for connections, within limits, and ends them when the service stops."""

from __future__ import annotations

from collections import Counter
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from smtpeter.smtp import answers
from smtpeter.smtp.patience import CLOSE_SECONDS
from smtpeter.smtp.server import SmtpServer
from smtpeter.smtp.surroundings import Surroundings, Transport


class SmtpFactory(Factory):
    """
    The factory of one kind of listener.

    Args:
        implicit_tls: its connections are encrypted from their first octet.
        accept_local: strangers may write to addresses of our own.
        connections: shared with the other factories, so that limits hold over all.
    """

    noisy = False

    def __init__(
        self,
        around: Surroundings,
        connections: ConnectionLimit,
        *,
        implicit_tls: bool,
        accept_local: bool = False,
    ) -> None:
        self._around = around
        self._connections = connections
        self._implicit_tls = implicit_tls
        self._accept_local = accept_local
        self._sessions: set[SmtpServer] = set()
        self._drained: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        address = getattr(addr, "host", "")
        if not self._connections.enter(address):
            return _Refusal(self._around.clock)

        def ended(session: SmtpServer) -> None:
            self._connections.leave(address)
            self._sessions.discard(session)
            if self._drained is not None and not self._sessions:
                drained, self._drained = self._drained, None
                drained.callback(None)

        session = SmtpServer(
            self._around,
            ended,
            implicit_tls=self._implicit_tls,
            accept_local=self._accept_local,
        )
        self._sessions.add(session)
        return session

    def drain(self) -> Deferred[None]:
        """Let each session answer what it has begun and hang up; fires when all are gone."""
        if not self._sessions:
            return succeed(None)
        self._drained = Deferred()
        drained = self._drained
        for session in list(self._sessions):
            session.drain()
        return drained

    def abort(self) -> None:
        """Cut off the sessions that are left."""
        for session in list(self._sessions):
            if session.transport is not None:
                session.transport.abortConnection()  # type: ignore[attr-defined]


class ConnectionLimit:
    """
    Counts connections, in total and by client address.

    Args:
        total: how many there may be at one moment; 0 for no limit.
        per_address: how many from one address; likewise.
        within: a limit for these and others together.
    """

    def __init__(self, total: int, per_address: int, within: ConnectionLimit | None = None) -> None:
        self._total = total
        self._per_address = per_address
        self._within = within
        self._all = 0
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count one more; False when that would be one too many."""
        if self._total and self._all >= self._total:
            return False
        if self._per_address and self._open[address] >= self._per_address:
            return False
        if self._within is not None and not self._within.enter(address):
            return False
        self._all += 1
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        if self._within is not None:
            self._within.leave(address)
        self._all -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


class _Refusal(Protocol):
    """Says that there is no place, and hangs up; also on a client that never begins TLS."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    def connectionMade(self) -> None:
        transport = cast("Transport", self.transport)
        self._patience = self._clock.callLater(CLOSE_SECONDS, transport.abortConnection)
        transport.write(answers.TOO_MANY_CONNECTIONS.octets())
        transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        if self._patience.active():
            self._patience.cancel()
