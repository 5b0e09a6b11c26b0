"""Connections that wait."""

from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.idle import IdleConnections
from smtpeter.smtp.client import SmtpClient


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
        self.idle = IdleConnections(self.clock, self.closed.append, idle_seconds=30, per_receiver=2)
        self.first, self.second, self.third = connection(), connection(), connection()

    def test_last_used_first(self) -> None:
        """The connection that was used last is given out first, and each once."""
        self.idle.keep("a", self.first)
        self.idle.keep("a", self.second)
        self.assertEqual(2, len(self.idle))
        taken = [self.idle.take("a") for _ in range(3)]
        self.assertEqual([self.second, self.first, None], taken)
        self.assertEqual(0, len(self.idle))

    def test_own_receiver(self) -> None:
        """A connection serves the receiver it leads to."""
        self.idle.keep("a", self.first)
        self.assertIsNone(self.idle.take("b"))

    def test_dead(self) -> None:
        """A connection that was closed meanwhile is not given out."""
        self.idle.keep("a", self.first)
        self.idle.keep("a", self.second)
        cast("Connection", self.second).usable = False
        self.assertIs(self.first, self.idle.take("a"))
        self.assertEqual([], self.closed)

    def test_time(self) -> None:
        """Each waits for its time, and is closed then."""
        self.idle.keep("a", self.first)
        self.clock.advance(20)
        self.idle.keep("b", self.second)
        self.clock.advance(9)
        self.assertEqual([], self.closed)
        self.clock.advance(1)
        self.assertEqual([self.first], self.closed)
        self.clock.advance(20)
        self.assertEqual([self.first, self.second], self.closed)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_taken_in_time(self) -> None:
        """A connection in use is not closed, and its time begins anew afterwards."""
        self.idle.keep("a", self.first)
        self.clock.advance(20)
        self.idle.take("a")
        self.clock.advance(20)
        self.idle.keep("a", self.first)
        self.clock.advance(29)
        self.assertEqual([], self.closed)
        self.clock.advance(1)
        self.assertEqual([self.first], self.closed)

    def test_bound_of_a_receiver(self) -> None:
        """Beyond the bound of a receiver, the one that has waited longest is closed."""
        for each in (self.first, self.second, self.third):
            self.idle.keep("a", each)
        self.assertEqual([self.first], self.closed)
        self.assertEqual(2, len(self.idle))

    def test_longest(self) -> None:
        """The one that has waited longest is closed on demand; without any, none is."""
        self.idle.keep("a", self.first)
        self.idle.keep("b", self.second)
        self.idle.close_longest()
        self.assertEqual([self.first], self.closed)
        self.idle.close_longest()
        self.idle.close_longest()
        self.assertEqual([self.first, self.second], self.closed)

    def test_all(self) -> None:
        """All can be closed, and no timer is left."""
        self.idle.keep("a", self.first)
        self.idle.keep("b", self.second)
        self.idle.close_all()
        self.assertEqual([self.first, self.second], self.closed)
        self.assertEqual([], self.clock.getDelayedCalls())
