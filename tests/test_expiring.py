"""A memory that forgets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.expiring import Expiring


class ExpiringTests(SynchronousTestCase):
    """Values that hold good for a time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory: Expiring[str, int] = Expiring(self.clock.seconds, 2)

    def test_expires(self) -> None:
        """A value is known until its time is over, and not at that moment any more."""
        self.memory.put("a", 1, 10)
        self.clock.advance(9.999)
        self.assertEqual(1, self.memory.get("a"))
        self.clock.advance(0.001)
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
        """A new value has a time of its own, and counts as the newest."""
        self.memory.put("a", 1, 10)
        self.memory.put("b", 1, 20)
        self.clock.advance(9)
        self.memory.put("a", 2, 10)
        self.memory.put("c", 3, 10)
        self.clock.advance(9)
        self.assertEqual([2, None, 3], [self.memory.get(key) for key in "abc"])

    def test_over_before_it_began(self) -> None:
        """What has no time left is not known, and nothing of it is kept."""
        for seconds in (0.0, -1.0):
            self.memory.put("a", 1, seconds)
            self.assertIsNone(self.memory.get("a"))
            self.assertEqual(0, len(self.memory))

    def test_expired_entries_leave(self) -> None:
        """What has expired is dropped at the next occasion, not only when room is needed."""
        memory: Expiring[str, int] = Expiring(self.clock.seconds, 10)
        memory.put("a", 1, 10)
        memory.put("b", 2, 10)
        self.clock.advance(10)
        memory.put("c", 3, 10)
        self.assertEqual(1, len(memory))

    @given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 5), st.floats(-1, 20)), max_size=60))
    def test_bounded_and_true(self, puts: list[tuple[int, float, float]]) -> None:
        """It never holds more than its bound, nor anything but the last value in its time."""
        clock = Clock()
        memory: Expiring[int, int] = Expiring(clock.seconds, 3)
        last: dict[int, tuple[int, float]] = {}
        for number, (key, pause, seconds) in enumerate(puts):
            clock.advance(pause)
            memory.put(key, number, seconds)
            expiry = clock.seconds() + seconds
            last[key] = (number, expiry)
            self.assertLessEqual(len(memory), 3)
            self.assertEqual(number if expiry > clock.seconds() else None, memory.get(key))
            for known, (value, expires) in last.items():
                found = memory.get(known)
                self.assertIn(found, (None, value))
                self.assertFalse(found is not None and clock.seconds() >= expires)
