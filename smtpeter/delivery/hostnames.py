"""Connections to hosts by name, where the names are those of the servers that mail is routed by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

from smtpeter.delivery.resolver import MailResolver


@implementer(IReactorPluggableNameResolver)
class ResolvingReactor:
    """A reactor whose endpoints look up host names by a resolver of our own."""

    def __init__(self, reactor: Any, resolver: MailResolver) -> None:
        self._reactor = reactor
        self.nameResolver: IHostnameResolver = HostnameResolver(resolver)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@implementer(IHostnameResolver)
class HostnameResolver:
    """Looks up the addresses of hosts; a failure is like no address."""

    def __init__(self, resolver: MailResolver) -> None:
        self._resolver = resolver

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        looking_up = Deferred.fromCoroutine(self._resolver.addresses(hostName))
        resolution = _Resolution(hostName, looking_up)
        resolutionReceiver.resolutionBegan(resolution)

        def found(addresses: tuple[Sequence[str], Sequence[str]]) -> None:
            for kind, texts in zip((IPv4Address, IPv6Address), addresses, strict=True):
                if addressTypes is None or kind in addressTypes:
                    for text in texts:
                        resolutionReceiver.addressResolved(
                            kind(transportSemantics, text, portNumber)
                        )

        looking_up.addCallback(found)
        looking_up.addBoth(lambda _: resolutionReceiver.resolutionComplete())
        return resolution


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str, looking_up: Deferred[Any]) -> None:
        self.name = name
        self._looking_up = looking_up

    def cancel(self) -> None:
        self._looking_up.cancel()
