from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.suspension import (
    FAILURES,
    FIRST_SECONDS,
    LONGEST_SECONDS,
    Suspension,
)


class SuspensionTests(SynchronousTestCase):
    """Receivers that do not answer."""

    def setUp(self) -> None:
        self.suspension = Suspension()

    def fail(self, count: int, now: float = 0.0) -> float:  # type: ignore[override]
        """Let attempts fail, each when it may be made; gives the moment of the last."""
        for _ in range(count):
            now = max(now, self.suspension.until)
            self.suspension.failed(now, now)
        return now

    def test_a_few(self) -> None:
        """One host among several may be down: one failure suspends nobody."""
        self.fail(FAILURES - 1)
        self.assertEqual(0.0, self.suspension.until)
        self.fail(1)
        self.assertEqual(FIRST_SECONDS, self.suspension.until)

    def test_longer_each_time(self) -> None:
        """Each time it is twice as long, up to a limit."""
        now = self.fail(FAILURES)
        first = self.suspension.until - now
        now = self.fail(1, now)
        self.assertEqual(2 * first, self.suspension.until - now)
        now = self.fail(20, now)
        self.assertEqual(LONGEST_SECONDS, self.suspension.until - now)

    def test_on_their_way(self) -> None:
        """Attempts that began before do not make it longer."""
        self.fail(FAILURES)
        until = self.suspension.until
        self.suspension.failed(until + 1, until - 1)
        self.assertEqual(until, self.suspension.until)

    def test_answered(self) -> None:
        """An answer ends it, whatever it is."""
        self.fail(FAILURES + 3)
        self.suspension.answered()
        self.assertEqual((0, 0.0), (self.suspension.failures, self.suspension.until))
        self.assertEqual(self.suspension.as_dict(), Suspension().as_dict())
