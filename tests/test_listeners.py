"""What answers at each of the SMTP listeners."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import attrs
from OpenSSL import SSL
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.budget import ContentBudget
from smtpeter.config import Config
from smtpeter.listeners import smtp_listeners
from smtpeter.selfsigned import ensure_self_signed
from smtpeter.smtp.surroundings import Surroundings
from smtpeter.tls import ServerTLS
from smtpeter.units import Endpoint
from tests.dialogue import SETTINGS
from tests.fakes import FakeChecker, FakeLoginLimit, FakeRealm, FakeSender, portal

SUBMISSION, SUBMISSIONS = Endpoint("192.0.2.1", 587), Endpoint("192.0.2.1", 465)
MAIL, OTHER_MAIL = Endpoint("192.0.2.1", 25), Endpoint("192.0.2.2", 2525)
SECURE_MAIL = Endpoint("192.0.2.2", 2465)


class Wire(StringTransport):
    """A TCP connection in memory, whose octets a test carries."""

    protocol: Any = None

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001
        """There is nothing to delay."""

    def taken(self) -> bytes:
        octets: bytes = self.value()
        self.clear()
        return octets


class ListenerTests(SynchronousTestCase):
    """TLS as the clients of each listener meet it."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        files = ensure_self_signed(Path(directory.name), "localhost", dt.datetime.now(dt.UTC))
        tls = ServerTLS(*files)
        self.clock = Clock()
        around = Surroundings(
            settings=SETTINGS,
            portal=portal(FakeRealm(FakeSender()), FakeChecker()),
            budget=ContentBudget(10_000_000),
            login_limit=FakeLoginLimit(),
            clock=self.clock,
            tls=None,
        )
        settings = attrs.evolve(
            Config().smtp,
            starttls=(SUBMISSION, MAIL, OTHER_MAIL),
            implicit_tls=(SUBMISSIONS, SECURE_MAIL),
            accept_local=(OTHER_MAIL, SECURE_MAIL),
        )
        self.listeners = smtp_listeners(settings, around, tls)

    def session(self, factory: Factory, *, starttls: bool) -> tuple[SSL.Connection, int]:
        """A client that greets a listener; with how many octets it was sent after the handshake."""
        wire = Wire()
        wire.protocol = server = factory.buildProtocol(None)
        assert server is not None
        server.makeConnection(wire)
        if starttls:
            wire.protocol.dataReceived(b"EHLO client.example\r\n")
            wire.protocol.dataReceived(b"STARTTLS\r\n")
            self.assertIn(b"\r\n220 ", wire.taken())
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        client.set_connect_state()
        after = 0
        for _ in range(3):
            done = False
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
                done = True
            with contextlib.suppress(SSL.WantReadError):
                wire.protocol.dataReceived(client.bio_read(65536))
            octets = wire.taken()
            after += len(octets) * done
            if octets:
                client.bio_write(octets)
        return client, after

    def test_tickets(self) -> None:
        """Clients get tickets, but not where other mail servers come in."""
        for endpoint, starttls, tickets in (
            (SUBMISSION, True, True),
            (MAIL, True, False),
            (OTHER_MAIL, True, False),
            (SUBMISSIONS, False, True),
            (SECURE_MAIL, False, False),
        ):
            factory = self.listeners.behind[endpoint]
            client, octets = self.session(factory, starttls=starttls)
            expected = "TLSv1.3" if tickets else "TLSv1.2"
            self.assertEqual(expected, client.get_protocol_version_name(), endpoint)
            if starttls:  # else the greeting comes with them
                self.assertEqual(tickets, octets > 0, endpoint)

    def test_all(self) -> None:
        """Whatever answers is among those that end with the service."""
        for endpoint in (SUBMISSION, MAIL, OTHER_MAIL):
            self.assertIn(self.listeners.behind[endpoint], self.listeners.factories)
