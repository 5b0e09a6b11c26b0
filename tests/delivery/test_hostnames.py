"""Host names that are looked up by our own resolver."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.names import dns
from twisted.names.error import DNSServerError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smtpeter.delivery.hostnames import HostnameResolver, ResolvingReactor
from smtpeter.delivery.resolver import MailResolver
from smtpeter.publicaddresses import PublicReactor
from tests.delivery.zone import Zone

HOST = "mta-sts.mailbox.example"


@implementer(IResolutionReceiver)
class Receiver:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.resolution: IHostResolution | None = None
        self.addresses: list[IAddress] = []
        self.complete = False

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self.resolution = resolutionInProgress

    def addressResolved(self, address: IAddress) -> None:
        self.addresses.append(address)

    def resolutionComplete(self) -> None:
        self.complete = True


class HostnameTests(SynchronousTestCase):
    """Names and their addresses."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.zone = Zone()
        self.zone.host(HOST, "192.0.2.1", "2001:db8::1")
        self.resolver = MailResolver(self.zone, self.reactor)

    def resolved(self, name: str, **wishes: Any) -> Receiver:
        receiver = Receiver()
        HostnameResolver(self.resolver).resolveHostName(receiver, name, 443, **wishes)
        return receiver

    def test_addresses(self) -> None:
        """Addresses of both kinds are told, or those of the kinds that are asked for."""
        v4, v6 = IPv4Address("TCP", "192.0.2.1", 443), IPv6Address("TCP", "2001:db8::1", 443)
        receiver = self.resolved(HOST)
        assert receiver.resolution is not None
        self.assertEqual(HOST, receiver.resolution.name)
        self.assertEqual([v4, v6], receiver.addresses)
        self.assertTrue(receiver.complete)
        self.assertEqual([v6], self.resolved(HOST, addressTypes=[IPv6Address]).addresses)

    def test_none(self) -> None:
        """A name that is not known, or not to be found out, has no addresses."""
        self.zone.broken("broken.example", dns.A, DNSServerError(None))
        self.zone.broken("broken.example", dns.AAAA, DNSServerError(None))
        for name in ("nowhere.example", "broken.example"):
            receiver = self.resolved(name)
            self.assertTrue(receiver.complete)
            self.assertEqual([], receiver.addresses)

    def test_cancelled(self) -> None:
        """Who does not wait for the answer gets none."""
        self.zone.broken("slow.example", dns.A, None)
        receiver = self.resolved("slow.example")
        self.assertFalse(receiver.complete)
        assert receiver.resolution is not None
        receiver.resolution.cancel()
        self.assertTrue(receiver.complete)
        self.assertEqual([], receiver.addresses)

    def test_endpoints(self) -> None:
        """Endpoints connect to the addresses, and to public ones alone where asked to."""
        resolving = ResolvingReactor(self.reactor, self.resolver)
        for reactor, hosts in ((resolving, ["192.0.2.1"]), (PublicReactor(resolving), [])):
            self.reactor.tcpClients.clear()
            connecting = HostnameEndpoint(reactor, HOST, 443).connect(Factory())
            connecting.addErrback(lambda _: None)
            self.assertEqual(hosts, [host for host, *_ in self.reactor.tcpClients])
