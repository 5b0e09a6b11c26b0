"""Connections that wait."""

from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.carrier import Allowance
from smtpeter.delivery.idle import IdleConnections
from smtpeter.delivery.receivers import Receiver
from smtpeter.smtp.client import SmtpClient
from tests.delivery.house import FakeLimits

HERE = Receiver("here.example", "", FakeLimits(), 0.0)
THERE = Receiver("there.example", "", FakeLimits(), 0.0)


class Connection:
    """What is kept, as far as that is looked at."""

    def __init__(self) -> None:
        self.usable = True


def connection() -> SmtpClient:
    return cast("SmtpClient", Connection())


class IdleTests(SynchronousTestCase):
    """Connections by receiver."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.closed: list[SmtpClient] = []
        self.owners: list[Allowance] = []
        self.idle = IdleConnections(self.clock, self.close, idle_seconds=30)
        self.first, self.second, self.third = connection(), connection(), connection()

    def close(self, client: SmtpClient, owner: Allowance) -> None:
        self.closed.append(client)
        self.owners.append(owner)

    def take(self, key: str) -> SmtpClient | None:
        found = self.idle.take(key)
        return None if found is None else found[0]

    def test_last_used_first(self) -> None:
        """The connection that was used last is given out first, and each once."""
        self.idle.keep("a", HERE, self.first)
        self.idle.keep("a", HERE, self.second)
        self.assertEqual(2, len(self.idle))
        taken = [self.take("a") for _ in range(3)]
        self.assertEqual([self.second, self.first, None], taken)
        self.assertEqual(0, len(self.idle))

    def test_own_receiver(self) -> None:
        """A connection serves the receiver it leads to."""
        self.idle.keep("a", HERE, self.first)
        self.assertIsNone(self.idle.take("b"))

    def test_dead(self) -> None:
        """A connection that was closed meanwhile is not given out, and its owner is told."""
        self.idle.keep("a", HERE, self.first)
        self.idle.keep("a", HERE, self.second)
        cast("Connection", self.second).usable = False
        self.assertIs(self.first, self.take("a"))
        self.assertEqual([self.second], self.closed)

    def test_time(self) -> None:
        """Each waits for its time, and is closed then."""
        self.idle.keep("a", HERE, self.first)
        self.clock.advance(20)
        self.idle.keep("b", HERE, self.second)
        self.clock.advance(9)
        self.assertEqual([], self.closed)
        self.clock.advance(1)
        self.assertEqual([self.first], self.closed)
        self.clock.advance(20)
        self.assertEqual([self.first, self.second], self.closed)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_taken_in_time(self) -> None:
        """A connection in use is not closed, and its time begins anew afterwards."""
        self.idle.keep("a", HERE, self.first)
        self.clock.advance(20)
        self.idle.take("a")
        self.clock.advance(20)
        self.idle.keep("a", HERE, self.first)
        self.clock.advance(29)
        self.assertEqual([], self.closed)
        self.clock.advance(1)
        self.assertEqual([self.first], self.closed)

    def test_how_long(self) -> None:
        """With a connection comes for how long it was idle."""
        self.idle.keep("a", HERE, self.first)
        self.clock.advance(7)
        self.assertEqual((self.first, 7.0), self.idle.take("a"))

    def test_longest_of_an_owner(self) -> None:
        """The longest of one owner can be closed, whoever else waits longer."""
        self.idle.keep("a", THERE, self.first)
        self.idle.keep("a", HERE, self.second)
        self.idle.keep("b", HERE, self.third)
        self.assertTrue(self.idle.close_longest(HERE))
        self.assertEqual(([self.second], [HERE]), (self.closed, self.owners))
        self.assertTrue(self.idle.close_longest(HERE))
        self.assertFalse(self.idle.close_longest(HERE))
        self.assertIs(self.first, self.take("a"))

    def test_longest(self) -> None:
        """The one that has waited longest is closed on demand; without any, none is."""
        self.idle.keep("a", HERE, self.first)
        self.idle.keep("b", HERE, self.second)
        self.idle.close_longest()
        self.assertEqual([self.first], self.closed)
        self.idle.close_longest()
        self.idle.close_longest()
        self.assertEqual([self.first, self.second], self.closed)

    def test_all(self) -> None:
        """All can be closed, and no timer is left."""
        self.idle.keep("a", HERE, self.first)
        self.idle.keep("b", HERE, self.second)
        self.idle.close_all()
        self.assertEqual([self.first, self.second], self.closed)
        self.assertEqual([], self.clock.getDelayedCalls())
