"""Connections: how many there may be, and how they end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.budget import ContentBudget
from smtpeter.smtp.factory import ConnectionLimit, SmtpFactory
from smtpeter.smtp.surroundings import Surroundings
from tests.dialogue import SETTINGS, MemoryTransport
from tests.fakes import FakeLoginLimit, FakeRealm, FakeSender

TOO_MANY = b"421 4.7.0 Too many connections, try again later\r\n"


class FactoryTests(SynchronousTestCase):
    """The factory of a listener."""

    def setUp(self) -> None:
        self.clock = Clock()
        around = Surroundings(
            settings=SETTINGS,
            portal=Portal(FakeRealm(FakeSender())),
            budget=ContentBudget(1000),
            login_limit=FakeLoginLimit(),
            clock=self.clock,
            tls=None,
        )
        limit = ConnectionLimit(3, 2)
        self.factory = SmtpFactory(around, limit, implicit_tls=False)
        self.other = SmtpFactory(around, limit, implicit_tls=True)

    def connect(
        self, address: str = "192.0.2.7", factory: SmtpFactory | None = None
    ) -> tuple[Protocol, MemoryTransport]:
        session = (factory or self.factory).buildProtocol(IPv4Address("TCP", address, 40000))
        transport = MemoryTransport()
        session.makeConnection(transport)
        return session, transport

    def lose(self, session: Protocol) -> None:
        session.connectionLost(Failure(ConnectionDone()))

    def test_session(self) -> None:
        """A connection is greeted, without delay of small packets."""
        _, transport = self.connect()
        self.assertEqual(b"220 mail.relay.example smtpeter ESMTP\r\n", transport.taken())
        self.assertTrue(transport.no_delay)

    def test_limits(self) -> None:
        """Beyond the limits, which hold over all listeners, connections are turned away."""
        first, _ = self.connect()
        self.connect(factory=self.other)
        refused, transport = self.connect()
        self.assertEqual(TOO_MANY, transport.taken())
        self.assertTrue(transport.disconnecting)
        self.connect("192.0.2.8")
        _, transport = self.connect("192.0.2.9", self.other)
        self.assertEqual(TOO_MANY, transport.taken())
        self.lose(refused)
        self.lose(first)
        _, transport = self.connect()
        self.assertEqual(b"220", transport.taken()[:3])

    def test_turned_away_for_good(self) -> None:
        """Who is turned away and does not go is cut off, and leaves no timer."""
        self.connect()
        self.connect()
        stays, transport = self.connect()
        goes, _ = self.connect()
        self.lose(goes)
        self.clock.advance(10)
        self.assertTrue(transport.disconnected)
        self.lose(stays)

    def test_drain(self) -> None:
        """Draining is over when the last session is gone."""
        first, first_transport = self.connect()
        second, _ = self.connect()
        drained = self.factory.drain()
        self.assertIn(b"421 4.3.2", first_transport.taken())
        self.lose(first)
        self.assertNoResult(drained)
        self.lose(second)
        self.successResultOf(drained)

    def test_drain_of_nothing(self) -> None:
        """Where nobody is connected, draining is over at once."""
        self.successResultOf(self.factory.drain())

    def test_abort(self) -> None:
        """Sessions that do not end can be cut off."""
        _, transport = self.connect()
        self.factory.abort()
        self.assertTrue(transport.disconnected)


class ConnectionLimitTests(SynchronousTestCase):
    """Counting."""

    def test_no_limit(self) -> None:
        """Zero is no limit, per address or in all."""
        limit = ConnectionLimit(5, 0)
        self.assertEqual([True] * 5 + [False], [limit.enter("a") for _ in range(6)])
        limit = ConnectionLimit(0, 5)
        self.assertEqual([True] * 5 + [False], [limit.enter("a") for _ in range(6)])
        self.assertTrue(limit.enter("b"))

    def test_within(self) -> None:
        """A part of the places leaves the others to others, and counts among all."""
        whole = ConnectionLimit(4, 3)
        part = ConnectionLimit(2, 0, whole)
        self.assertEqual([True, True, False], [part.enter("a") for _ in range(3)])
        self.assertEqual([True, False], [whole.enter("a") for _ in range(2)])
        self.assertEqual([True, False], [whole.enter("b") for _ in range(2)])
        part.leave("a")
        self.assertTrue(whole.enter("b"))
        self.assertFalse(part.enter("c"))
        whole.leave("b")
        self.assertTrue(part.enter("c"))

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
    def test_never_beyond(self, steps: list[tuple[str, bool]]) -> None:
        """Neither limit is ever passed, and a place that was left is free."""
        limit = ConnectionLimit(4, 2)
        there: list[str] = []
        for address, enters in steps:
            if enters:
                free = len(there) < 4 and there.count(address) < 2
                self.assertIs(free, limit.enter(address))
                there += [address] * free
            elif address in there:
                there.remove(address)
                limit.leave(address)
