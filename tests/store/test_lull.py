from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.store.lull import LONGEST_SECONDS, PAUSE_SECONDS, Lull, thread_seconds


class LullTests(SynchronousTestCase):
    """Waiting until a thread has nothing to do."""

    def pauses(self, *, shares: Iterable[float], lasting: float = PAUSE_SECONDS) -> int:
        """How many pauses are made, by a thread that works for these shares of each."""
        now = spent = 0.0
        made = 0
        share_of = iter(shares)

        def sleep(seconds: float) -> None:
            nonlocal now, spent, made
            self.assertEqual(PAUSE_SECONDS, seconds)
            now += lasting
            spent += lasting * next(share_of, 0.0)
            made += 1

        Lull(lambda: spent, lambda: now, sleep).wait()
        return made

    def test_idle(self) -> None:
        """A thread that waits is left to wait after one pause."""
        self.assertEqual(1, self.pauses(shares=[0.0, 1.0]))

    def test_busy(self) -> None:
        """While a thread works most of the time it is waited for."""
        self.assertEqual(4, self.pauses(shares=[1.0, 0.75, 0.9, 0.5, 1.0]))

    def test_always_busy(self) -> None:
        """The wait has an end when the work has none."""
        longest = self.pauses(shares=[1.0] * 100)
        self.assertEqual(round(LONGEST_SECONDS / PAUSE_SECONDS), longest)

    def test_long_pauses(self) -> None:
        """A system that lets a pause last longer does not make the wait longer."""
        self.assertEqual(1, self.pauses(shares=[1.0] * 100, lasting=LONGEST_SECONDS))


class ThreadSecondsTests(SynchronousTestCase):
    """The clock of a thread."""

    def test_goes_on_with_work(self) -> None:
        """It goes on while the thread works."""
        clock = thread_seconds()
        begun = clock()
        for _ in range(10_000_000):
            if clock() > begun:
                return
        self.fail("the clock stands still")
