"""Makes sessions for connections, within limits, and ends them when the service stops."""

from __future__ import annotations

from collections import Counter

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol

from smtpeter.message.reply import Reply
from smtpeter.smtp.server import SmtpServer, Surroundings

TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections, try again later")


class SmtpFactory(Factory):
    """
    The factory of one kind of listener.

    Args:
        implicit_tls: its connections are encrypted from their first octet.
        connections: shared with the other factories, so that limits hold over all.
    """

    noisy = False

    def __init__(
        self, around: Surroundings, connections: ConnectionLimit, *, implicit_tls: bool
    ) -> None:
        self._around = around
        self._connections = connections
        self._implicit_tls = implicit_tls
        self._sessions: set[SmtpServer] = set()
        self._drained: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        address = getattr(addr, "host", "")
        if not self._connections.enter(address):
            return _Refusal()

        def ended(session: SmtpServer) -> None:
            self._connections.leave(address)
            self._sessions.discard(session)
            if self._drained is not None and not self._sessions:
                drained, self._drained = self._drained, None
                drained.callback(None)

        session = SmtpServer(self._around, ended, implicit_tls=self._implicit_tls)
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
        total: how many there may be at one moment.
        per_address: how many from one address; 0 for no limit.
    """

    def __init__(self, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count one more; False when that would be one too many."""
        if self._open.total() >= self._total:
            return False
        if self._per_address and self._open[address] >= self._per_address:
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


class _Refusal(Protocol):
    """Says that there is no place, and hangs up."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(TOO_MANY_CONNECTIONS.octets())
        self.transport.loseConnection()
