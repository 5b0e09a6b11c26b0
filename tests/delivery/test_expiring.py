"""A memory that forgets."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.expiring import Expiring


class ExpiringTests(SynchronousTestCase):
    """Values that hold good for a time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory: Expiring[str, int] = Expiring(self.clock, 2)

    def test_expires(self) -> None:
        """A value is known until its time is over."""
        self.memory.put("a", 1, 10)
        self.clock.advance(9)
        self.assertEqual(1, self.memory.get("a"))
        self.clock.advance(1)
        self.assertIsNone(self.memory.get("a"))
        self.assertEqual(0, len(self.memory))

    def test_bound(self) -> None:
        """Beyond the bound, what was not used for longest is forgotten."""
        self.memory.put("a", 1, 10)
        self.memory.put("b", 2, 10)
        self.memory.get("a")
        self.memory.put("c", 3, 10)
        self.assertEqual([1, None, 3], [self.memory.get(key) for key in "abc"])

    def test_replaced(self) -> None:
        """A new value has a time of its own."""
        self.memory.put("a", 1, 10)
        self.clock.advance(9)
        self.memory.put("a", 2, 10)
        self.clock.advance(9)
        self.assertEqual(2, self.memory.get("a"))
