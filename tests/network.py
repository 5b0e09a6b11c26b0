"""A network in memory: names with addresses, and connections that a test answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Nothing is going on."""


@implementer(IHostnameResolver)
class FewNames:
    """Knows some names; an address is its own name."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self.names = names

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: ARG002
        transportSemantics: str = "TCP",  # noqa: ARG002
    ) -> IHostResolution:
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for address in self.names.get(hostName, _itself(hostName)):
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


def _itself(name: str) -> Sequence[str]:
    """An address resolves to what it is."""
    return [name] if name[-1:].isdigit() else []


@implementer(IReactorPluggableNameResolver)
class Network(MemoryReactorClock):
    """A reactor whose connections come to nothing until a test accepts them."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.nameResolver = FewNames(names)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError

    @property
    def asked(self) -> list[tuple[str, int]]:
        """Which addresses and ports somebody wants to be connected to, or was."""
        return [(host, port) for host, port, *_ in self.tcpClients]

    def accept(self) -> Peer:
        """Accept the latest connection."""
        return Peer(self.tcpClients[-1][2])


class _Transport(StringTransport):
    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001
        """There is nothing to delay."""


class Peer:
    """The far end of a connection that is accepted."""

    def __init__(self, factory: Any) -> None:
        self._protocol = factory.buildProtocol(None)
        self.transport = _Transport()
        self._protocol.makeConnection(self.transport)

    @property
    def received(self) -> bytes:
        octets: bytes = self.transport.value()
        return octets

    @property
    def cut(self) -> bool:
        """Whether the near end has ended the connection."""
        return self.transport.disconnecting or self.transport.disconnected

    def send(self, octets: bytes) -> None:
        self._protocol.dataReceived(octets)

    def close(self) -> None:
        self._protocol.connectionLost(Failure(ConnectionDone()))
