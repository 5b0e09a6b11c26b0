"""Deadlines."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp.deadline import Deadline


class DeadlineTests(SynchronousTestCase):
    """A deadline on a clock that only the test moves."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.expired.append(self.clock.seconds()))

    def pass_seconds(self, seconds: int) -> list[float]:
        """Let time pass, a second at a time; tells when the deadline expired."""
        self.clock.pump([1] * seconds)
        return self.expired

    def test_expires_once(self) -> None:
        """It expires when its time has come, and then never again."""
        self.deadline.within(10)
        self.assertEqual([], self.pass_seconds(9))
        self.assertEqual([10], self.pass_seconds(100))

    def test_moved_later(self) -> None:
        """A later deadline replaces an earlier one."""
        self.deadline.within(10)
        self.pass_seconds(5)
        self.deadline.within(10)
        self.assertEqual([15], self.pass_seconds(100))

    def test_moved_earlier(self) -> None:
        """An earlier deadline replaces a later one."""
        self.deadline.within(100)
        self.deadline.within(10)
        self.assertEqual([10], self.pass_seconds(100))

    def test_limit(self) -> None:
        """Steps that are each in time still end at the limit."""
        self.deadline.limit(25)
        for _ in range(5):
            self.deadline.within(10)
            self.pass_seconds(9)
        self.assertEqual([25], self.expired)

    def test_clear(self) -> None:
        """What was cleared does not expire, and its limit is gone."""
        self.deadline.limit(5)
        self.deadline.within(10)
        self.deadline.clear()
        self.assertEqual([], self.pass_seconds(100))
        self.deadline.within(10)
        self.assertEqual([110], self.pass_seconds(100))

    def test_one_delayed_call(self) -> None:
        """However often it is moved, one delayed call is kept; when it is stopped, none."""
        for seconds in (300, 300, 120, 600, 300, 120, 600):
            self.deadline.within(seconds)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.deadline.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
