"""Mail hosts at addresses, in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.test.iosim import IOPump, connect

from tests.smtp.mailhost import MailHost
from tests.tlspipes import TlsTransport

Answer = Callable[[], MailHost] | Exception | None


class Internet:
    """
    Lets a reactor's connections end at mail hosts.

    Attributes:
        hosts: by IP address: what makes a host for each connection, the exception that
            connecting fails with, or None for silence. Other addresses refuse.
        connections: each connection that came about: its address and its host.
        tried: the addresses of all attempts.
        pumps: what moves the octets of each connection.
    """

    def __init__(self) -> None:
        self.reactor = MemoryReactorClock()
        self.hosts: dict[str, Answer] = {}
        self.connections: list[tuple[str, MailHost]] = []
        self.tried: list[str] = []
        self.calls: list[tuple[Any, ...]] = []
        self.pumps: list[IOPump] = []

    def run(self) -> None:
        """Let everything happen that needs no time."""
        moved = True
        while moved:
            moved = bool(self.reactor.tcpClients)
            for call in self._new():
                self._connect(call)
            for pump in self.pumps:
                moved = pump.flush() or moved

    def pass_seconds(self, seconds: float) -> None:
        self.reactor.advance(seconds)
        self.run()

    def _new(self) -> list[tuple[Any, ...]]:
        calls = list(self.reactor.tcpClients)
        self.reactor.tcpClients.clear()
        self.calls += calls
        return calls

    def _connect(self, call: tuple[Any, ...]) -> None:
        address, _, factory, *_ = call
        self.tried.append(address)
        answer = self.hosts.get(address, Refused())
        if answer is None:
            return
        if isinstance(answer, Exception):
            factory.clientConnectionFailed(None, Failure(answer))
            return
        host, client = answer(), factory.buildProtocol(None)
        self.connections.append((address, host))
        self.pumps.append(
            connect(
                host,
                TlsTransport(host, self.reactor, is_server=True),
                client,
                TlsTransport(client, self.reactor, is_server=False),
                clock=self.reactor,
            )
        )
