from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.schedule import Schedule

NOW = 1_700_000_000.0
NEVER = NOW + 1e9
SCHEDULE = Schedule((60.0, 300.0, 900.0))


class NextAttemptTests(SynchronousTestCase):
    """When a message is tried again."""

    def test_intervals_in_order(self) -> None:
        """The waits come in their order, and the last one repeats."""
        waits = [
            (SCHEDULE.next_attempt(attempts, NOW, NEVER, 0.5) or 0) - NOW
            for attempts in (1, 2, 3, 4, 100)
        ]
        self.assertEqual([60.0, 300.0, 900.0, 900.0, 900.0], waits)

    def test_jitter_spreads(self) -> None:
        """Jitter moves an attempt by a tenth of its wait at most."""
        self.assertAlmostEqual(NOW + 54.0, SCHEDULE.next_attempt(1, NOW, NEVER, 0.0) or 0)
        self.assertAlmostEqual(NOW + 66.0, SCHEDULE.next_attempt(1, NOW, NEVER, 1.0) or 0)

    def test_last_attempt_just_before_the_end(self) -> None:
        """An attempt that would fall behind the end is made while there is time for it."""
        self.assertEqual(NOW + 15.0, SCHEDULE.next_attempt(1, NOW, NOW + 20.0, 0.5))

    def test_gives_up(self) -> None:
        """Nothing more is tried when there is no time left to begin another attempt."""
        for deliver_by in (NOW - 10.0, NOW, NOW + 5.0):
            self.assertIsNone(SCHEDULE.next_attempt(1, NOW, deliver_by, 0.5))

    @given(
        attempts=st.integers(1, 1000),
        left=st.floats(5.1, 1e7),
        jitter=st.floats(0, 1),
        waits=st.lists(st.floats(1, 1e6), min_size=1, max_size=8),
    )
    def test_always_in_between(
        self, attempts: int, left: float, jitter: float, waits: list[float]
    ) -> None:
        """An attempt lies after now and before the end."""
        at = Schedule(tuple(waits)).next_attempt(attempts, NOW, NOW + left, jitter)
        assert at is not None
        self.assertTrue(NOW < at < NOW + left)
