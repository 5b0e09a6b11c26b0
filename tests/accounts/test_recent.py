"""A bounded memory of a moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.recent import Recent


class RecentTests(SynchronousTestCase):
    """Entries that expire and a limit to their number."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.recent: Recent[str, int] = Recent(self.clock.seconds, 10.0, 3)

    def test_entry_lives_its_time(self) -> None:
        """What was put is there until its time is up, and not at that moment any more."""
        self.recent.put("a", 1)
        self.clock.advance(9.999)
        self.assertEqual(1, self.recent.get("a"))
        self.clock.advance(0.001)
        self.assertIsNone(self.recent.get("a"))

    def test_time_counts_from_when_it_was_true(self) -> None:
        """A value that took a while to arrive has only the rest of its time."""
        self.clock.advance(9.0)
        self.recent.put("a", 1, since=0.0)
        self.assertEqual(1, self.recent.get("a"))
        self.clock.advance(1.0)
        self.assertIsNone(self.recent.get("a"))

    def test_oldest_makes_room(self) -> None:
        """Beyond the limit the entry that was put first goes, whoever was read meanwhile."""
        for number, key in enumerate("abc"):
            self.recent.put(key, number)
        self.recent.get("a")
        self.recent.put("d", 3)
        self.assertEqual([None, 1, 2, 3], [self.recent.get(key) for key in "abcd"])

    def test_put_again_is_new(self) -> None:
        """A key that is put again counts as the newest, with its new value."""
        for key in "abca":
            self.recent.put(key, ord(key))
        self.recent.put("d", 0)
        self.assertIsNone(self.recent.get("b"))
        self.assertEqual(ord("a"), self.recent.get("a"))

    def test_expired_entries_leave_the_memory(self) -> None:
        """What has expired is dropped at the next occasion, not only when room is needed."""
        self.recent.put("a", 1)
        self.recent.put("b", 2)
        self.clock.advance(10.0)
        self.recent.put("c", 3)
        self.assertEqual(1, len(self.recent))

    @given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 5)), max_size=60))
    def test_bounded_and_true(self, puts: list[tuple[int, float]]) -> None:
        """It never holds more than its limit, nor anything but the last value of a key."""
        clock = Clock()
        recent: Recent[int, int] = Recent(clock.seconds, 10.0, 3)
        last: dict[int, tuple[int, float]] = {}
        for number, (key, pause) in enumerate(puts):
            clock.advance(pause)
            recent.put(key, number)
            last[key] = (number, clock.seconds())
            self.assertLessEqual(len(recent), 3)
            self.assertEqual(number, recent.get(key))
            for known, (value, since) in last.items():
                found = recent.get(known)
                self.assertIn(found, (None, value))
                self.assertFalse(found is not None and clock.seconds() - since >= 10.0)
