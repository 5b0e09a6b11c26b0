from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.bucket import TokenBucket

NOW = 1_700_000_000.0
RATES = st.floats(0.001, 5_000)


class TokenBucketTests(SynchronousTestCase):
    """How many pass, and when the next one may."""

    def test_one_seconds_worth_at_once(self) -> None:
        """A rested bucket gives one second's worth, then asks to wait for the next token."""
        bucket = TokenBucket(10.0, NOW)
        self.assertEqual([0.0] * 10, [bucket.take(NOW) for _ in range(10)])
        self.assertAlmostEqual(0.1, bucket.take(NOW), places=6)

    def test_slow_rate(self) -> None:
        """A rate below one per second still lets one pass at once."""
        bucket = TokenBucket(0.1, NOW)
        self.assertEqual(0.0, bucket.take(NOW))
        self.assertAlmostEqual(10.0, bucket.take(NOW), places=6)

    def test_asking_takes_nothing(self) -> None:
        """Asking too early does not push the next token away."""
        bucket = TokenBucket(1.0, NOW)
        bucket.take(NOW)
        waits = [bucket.take(NOW + 0.5) for _ in range(100)]
        self.assertEqual([0.5] * 100, waits)
        self.assertEqual(0.0, bucket.take(NOW + 1.0))

    def test_rest_gives_no_more_than_a_burst(self) -> None:
        """However long the rest, no more than one burst is saved up."""
        bucket = TokenBucket(3.0, NOW)
        later = NOW + 86_400
        taken = [bucket.take(later) for _ in range(10)]
        self.assertEqual(3, taken.count(0.0))

    def test_clock_set_back(self) -> None:
        """A clock that is set back neither blocks the bucket nor fills it."""
        bucket = TokenBucket(1.0, NOW)
        bucket.take(NOW)
        self.assertAlmostEqual(1.0, bucket.take(NOW - 3600), places=6)
        self.assertEqual(0.0, bucket.take(NOW - 3600 + 1.001))

    def test_long_run_is_exact(self) -> None:
        """A bucket that is never full passes its rate over a long time, to the token."""
        bucket = TokenBucket(7.0, NOW)
        taken = sum(bucket.take(NOW + step / 10) == 0.0 for step in range(100_000))
        self.assertEqual(7 + int(7.0 * 9_999.9), taken)

    @given(RATES, st.lists(st.floats(0, 3), min_size=1, max_size=60), st.integers(1, 40))
    def test_no_window_gets_more(self, rate: float, pauses: list[float], tries: int) -> None:
        """No stretch of time sees more than a burst and what the rate gives in it."""
        bucket = TokenBucket(rate, NOW)
        burst = max(1, round(rate))
        now, times = NOW, []
        for pause in pauses:
            now += pause
            times += [now for _ in range(tries) if bucket.take(now) == 0.0]
        for first, start in enumerate(times):
            for count, end in enumerate(times[first:], start=1):
                self.assertLessEqual(count, burst + rate * (end - start) + 0.01)

    @given(RATES, st.integers(1, 200))
    def test_waiting_as_told_is_enough(self, rate: float, takes: int) -> None:
        """After the wait that was asked for, the token is there."""
        bucket = TokenBucket(rate, NOW)
        now = NOW
        for _ in range(takes):
            wait = bucket.take(now)
            if wait:
                now += wait
                self.assertEqual(0.0, bucket.take(now))
