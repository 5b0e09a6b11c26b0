"""What has ended is freed at once; Python's search for circles holds up everybody."""

from __future__ import annotations

import gc
import socket
import sys
import weakref
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.names.error import DomainError
from twisted.trial.unittest import TestCase

from smtpeter.delivery.connecting import Connecting
from smtpeter.delivery.dnsclient import QuietResolver
from smtpeter.delivery.resolver import MailResolver
from smtpeter.delivery.route import SmarthostRoute
from smtpeter.delivery.tls import TlsPolicies, TlsPolicy
from smtpeter.message.content import Content
from smtpeter.smtp.client import SmtpClient
from tests.delivery.zone import Zone
from tests.smtp.mailhost import STARTTLS_OFFERED, MailHost
from tests.smtp.outbound import ONE

clock: Any = reactor
TURNS = 5  # of the reactor, until everybody has heard of an end
SECONDS = 30.0


class CircleTests(TestCase):
    """Real connections and sockets, with the collector switched off."""

    def setUp(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    async def turns(self) -> None:
        for _ in range(TURNS):
            await deferLater(clock, 0)

    async def test_connection(self) -> None:
        """A connection, with all that belongs to it, when we have said goodbye."""
        factory = Factory.forProtocol(MailHost)
        port = clock.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        client = await self.connect(port.getHost().port).addTimeout(SECONDS, clock)
        transport = client.transport
        parts = [client, transport, transport.connector, client._deadline]  # type: ignore[union-attr]
        gone = [weakref.ref(each) for each in parts]
        await client.quit()
        del client, transport, parts
        await self.turns()
        self.assertEqual([None] * 4, [each() for each in gone])

    async def test_encrypted(self) -> None:
        """With TLS, whose layer in Twisted is a circle itself: what is ours."""
        host: Any = MailHost(STARTTLS_OFFERED)
        factory = Factory.forProtocol(lambda: host)
        port = clock.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        connecting = self.connect(port.getHost().port, TlsPolicy.REQUIRED)
        client = await connecting.addTimeout(SECONDS, clock)
        self.assertTrue(client.peer.tls)
        gone = [weakref.ref(each) for each in (client, client._deadline)]
        await client.quit()
        del client, connecting
        await self.turns()
        self.assertEqual([None] * 2, [each() for each in gone])

    async def test_content(self) -> None:
        """Large content, when the connection is lost before all of it has left."""
        for policy in (TlsPolicy.NONE, TlsPolicy.REQUIRED):
            blocks = 2000 * (b"Subject: x\r\n\r\n" + 16384 * b"x" + b"\r\n",)
            sender = await self.lose(Content(blocks, 14), policy)
            await self.turns()
            self.assertEqual(1, sys.getrefcount(blocks) - 1)
            self.assertTrue(sender() is None or policy is not TlsPolicy.NONE)

    async def lose(self, content: Content, policy: TlsPolicy) -> weakref.ref[Any]:
        """Lose the connection while content is on its way; gives who sent it."""
        host: Any = MailHost(STARTTLS_OFFERED)
        factory = Factory.forProtocol(lambda: host)
        port = clock.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        client = await self.connect(port.getHost().port, policy).addTimeout(SECONDS, clock)
        sending = client.send(ONE, content)
        while client._sender is None:
            await deferLater(clock, 0)
        sender = weakref.ref(client._sender)
        host.transport.abortConnection()
        await sending.addTimeout(SECONDS, clock)
        return sender

    def connect(self, port: int, policy: TlsPolicy = TlsPolicy.NONE) -> Deferred[SmtpClient]:
        """Open a connection."""
        route = SmarthostRoute(MailResolver(Zone(), clock), "127.0.0.1", port)
        tls = TlsPolicies(policy, clock)
        connecting = Connecting(clock, "mail.shop.example", tls)

        async def connected() -> SmtpClient:
            way = await route.way_to("mailbox.example")
            return await connecting.connect(route, way)

        return Deferred.fromCoroutine(connected())

    async def test_question(self) -> None:
        """A question to a DNS server, with its socket."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.setblocking(False)
            made: list[weakref.ref[Any]] = []
            resolver = QuietResolver(servers=[server.getsockname()], reactor=clock)
            begin = resolver._connectedProtocol

            def noted(interface: str = "") -> Any:
                asking = begin(interface)
                made.extend([weakref.ref(asking), weakref.ref(asking.transport)])
                return asking

            self.patch(resolver, "_connectedProtocol", noted)
            asked = resolver.lookupAddress("mx.mailbox.example")
            datagram, asker = server.recvfrom(4096)
            refusal = bytearray(datagram)
            refusal[2], refusal[3] = 0x81, 0x83  # an answer: there is no such name
            server.sendto(refusal, asker)
            await self.assertFailure(asked, DomainError)
            del asked
            await self.turns()
            self.assertEqual([None, None], [each() for each in made])
