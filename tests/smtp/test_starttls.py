"""Sessions with a real handshake, in memory."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.budget import ContentBudget
from smtpeter.selfsigned import ensure_self_signed
from smtpeter.smtp.factory import ConnectionLimit, SmtpFactory
from smtpeter.smtp.surroundings import Surroundings
from smtpeter.smtp.tlslayer import TlsLayer
from smtpeter.tls import ServerTLS
from tests.dialogue import ENVELOPE, MESSAGE, PLAIN, SETTINGS
from tests.fakes import FakeChecker, FakeLoginLimit, FakeRealm, FakeSender, portal

MAIL_AND_QUIT = f"EHLO desk\r\n{PLAIN}\r\n".encode() + ENVELOPE + MESSAGE + b".\r\nQUIT\r\n"


class Beneath:
    """What TLS on a transport writes to: the same transport, without TLS."""

    def __init__(self, transport: TlsTransport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        plain = getattr(FakeTransport, name)
        return lambda *arguments: plain(self._transport, *arguments)


class TlsTransport(FakeTransport):
    """A transport in memory that can begin TLS as one over TCP does."""

    secure = False

    def __init__(self, protocol: Any, clock: Clock, *, is_server: bool) -> None:
        super().__init__(protocol, is_server)
        self._clock = clock

    def startTLS(self, contextFactory: Any, beNormal: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002
        producer = self.producer
        factory = TLSMemoryBIOFactory(contextFactory, not self.isServer, Factory(), self._clock)
        self.protocol = factory.protocol(factory, self.protocol, False)
        self.secure = True
        self.protocol.makeConnection(Beneath(self))
        if producer is not None:
            self.unregisterProducer()
            self.registerProducer(producer, True)

    def _layer(self) -> Any:
        return self.protocol if self.secure else super()

    def write(self, data: bytes) -> None:
        self._layer().write(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        self._layer().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self._layer().unregisterProducer()

    def loseConnection(self) -> None:
        self._layer().loseConnection()


class Client(Protocol):
    """Remembers what it heard."""

    heard = b""
    gone = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: object = None) -> None:  # noqa: ARG002
        self.gone = True

    def taken(self) -> list[bytes]:
        """The lines that were heard since the last call."""
        heard, self.heard = self.heard, b""
        return heard.splitlines()


class HandshakeTests(SynchronousTestCase):
    """TLS between a session and a client."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        files = ensure_self_signed(directory, "localhost", dt.datetime.now(dt.UTC))
        self.server_tls = ServerTLS(*files)
        trusted = Certificate.loadPEM(files[0].read_bytes())
        self.client_tls = optionsForClientTLS("localhost", trustRoot=trusted)
        self.clock = Clock()
        self.sender = FakeSender()
        self.around = Surroundings(
            settings=SETTINGS,
            portal=portal(FakeRealm(self.sender), FakeChecker()),
            budget=ContentBudget(10_000_000),
            login_limit=FakeLoginLimit(),
            clock=self.clock,
            tls=self.server_tls,
        )
        self.client = Client()

    def connected(self, *, implicit_tls: bool, others: int = 0) -> IOPump:
        """A pump between the client and a session; there may be two sessions."""
        limit = ConnectionLimit(2, 0)
        for _ in range(others):
            limit.enter("")
        sessions = SmtpFactory(self.around, limit, implicit_tls=implicit_tls)
        server: Any = sessions.buildProtocol(None)
        client: Any = self.client
        if implicit_tls:
            server = TlsLayer(self.server_tls, server)
            wrap = TLSMemoryBIOFactory(self.client_tls, True, Factory(), self.clock)
            client = wrap.protocol(wrap, client)
        pump: IOPump = connect(
            server,
            TlsTransport(server, self.clock, is_server=True),
            client,
            TlsTransport(client, self.clock, is_server=False),
            clock=self.clock,
        )
        return pump

    def say(self, pump: IOPump, octets: bytes) -> list[bytes]:
        """Send octets, and take the lines that come back."""
        self.client.transport.write(octets)  # type: ignore[union-attr]
        pump.flush()
        return self.client.taken()

    def starttls(self, pump: IOPump) -> None:
        """Go as far as the handshake."""
        self.assertEqual(b"220 mail.relay.example smtpeter ESMTP", self.client.taken()[0])
        self.assertIn(b"250-STARTTLS", self.say(pump, b"EHLO desk\r\n"))
        self.assertEqual([b"220 Ready to start TLS"], self.say(pump, b"STARTTLS\r\n"))

    def test_starttls(self) -> None:
        """A message is handed over inside TLS that began with STARTTLS."""
        pump = self.connected(implicit_tls=False)
        self.starttls(pump)
        self.client.transport.startTLS(self.client_tls)  # type: ignore[union-attr]
        pump.flush()
        self.assertEqual([b"503 5.5.1 Send EHLO first"], self.say(pump, b"MAIL FROM:<>\r\n"))
        lines = self.say(pump, MAIL_AND_QUIT)
        self.assertNotIn(b"250-STARTTLS", lines)
        self.assertEqual([b"250 Ok, queued as id1", b"221 Bye"], lines[-2:])
        self.assertEqual([MESSAGE], self.sender.contents)
        self.assertTrue(self.client.gone)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_clear_text_behind_starttls(self) -> None:
        """Commands in the clear where the handshake should be end the connection, with a note."""
        pump = self.connected(implicit_tls=False)
        self.starttls(pump)
        with capturedLogs() as events:
            self.assertEqual([], self.say(pump, b"EHLO desk\r\nMAIL FROM:<>\r\n"))
        self.assertTrue(self.client.gone)
        self.assertIn("TLS handshake", "".join(str(event["log_format"]) for event in events))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_implicit_tls(self) -> None:
        """A session inside TLS from its first octet begins with the greeting."""
        pump = self.connected(implicit_tls=True)
        self.assertEqual([b"220 mail.relay.example smtpeter ESMTP"], self.client.taken())
        lines = self.say(pump, MAIL_AND_QUIT)
        self.assertEqual([b"250 Ok, queued as id1", b"221 Bye"], lines[-2:])
        self.assertEqual("ESMTPSA", self.sender.submissions[0].trace.protocol)
        self.assertTrue(self.client.gone)

    def test_turned_away(self) -> None:
        """Who is turned away inside TLS is told why."""
        self.connected(implicit_tls=True, others=2)
        self.assertEqual([b"421 4.7.0 Too many connections, try again later"], self.client.taken())
        self.assertTrue(self.client.gone)

    def test_no_handshake(self) -> None:
        """A client that never begins the handshake is cut off in the end."""
        sessions = SmtpFactory(self.around, ConnectionLimit(1, 0), implicit_tls=True)
        for protocol in (sessions.buildProtocol(None), sessions.buildProtocol(None)):
            server = TlsLayer(self.server_tls, protocol)
            transport = TlsTransport(server, self.clock, is_server=True)
            server.makeConnection(transport)
            self.clock.pump([1] * 320)
            self.assertTrue(transport.disconnecting)
