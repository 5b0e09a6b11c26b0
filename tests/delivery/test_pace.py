"""The rate of a receiver, against receivers that limit it in the ways that are known."""

from __future__ import annotations

import heapq
import json
from random import Random
from typing import Protocol

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.pace import (
    ANSWER_SECONDS,
    FORGET_SECONDS,
    LONGEST_NAMED_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Pace,
)

CONNECTIONS = 10
GOOD_RATE = 0.9
REFUSED = 0.02


class Limit(Protocol):
    """
    A receiver with a limit.

    Attributes:
        rate: messages a second that it takes in the long run.
    """

    rate: float

    def takes(self, now: float) -> bool: ...


class Bucket:
    """Takes a number of messages at once, and as many as come in at its rate."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self._burst = self._tokens = burst
        self._at = 0.0

    def takes(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        taken = self._tokens >= 1
        self._tokens -= taken
        return taken


class FixedWindow:
    """Takes so many messages in each minute, or whatever its window is."""

    def __init__(self, messages: int, seconds: float) -> None:
        self.rate = messages / seconds
        self._messages, self._seconds = messages, seconds
        self._window, self._taken = -1, 0

    def takes(self, now: float) -> bool:
        window = int(now // self._seconds)
        if window != self._window:
            self._window, self._taken = window, 0
        self._taken += 1
        return self._taken <= self._messages


class SlidingWindow:
    """Takes so many messages in any span of time."""

    def __init__(self, messages: int, seconds: float) -> None:
        self.rate = messages / seconds
        self._messages, self._seconds = messages, seconds
        self._times: list[float] = []

    def takes(self, now: float) -> bool:
        self._times = [each for each in self._times if each > now - self._seconds]
        if len(self._times) >= self._messages:
            return False
        self._times.append(now)
        return True


class OutOfOrder:
    """Takes a few messages, then nothing for so many seconds, and then all within its rate."""

    def __init__(self, rate: float, first: int, seconds: float) -> None:
        self.rate = rate
        self._first, self._end = first, seconds
        self._bucket = Bucket(rate, rate)

    def takes(self, now: float) -> bool:
        self._first -= 1
        return self._first >= 0 or (now > self._end and self._bucket.takes(now))


class Run:
    """
    Messages without end to a receiver, over some connections.

    Args:
        settled: seconds after which it is counted what is taken and what is refused.
    """

    def __init__(self, limit: Limit, latency: float, pace: Pace | None = None) -> None:
        self.limit = limit
        self.pace = pace or Pace()
        self.taken = self.refused = 0
        self._latency = latency
        self._random = Random(1)  # noqa: S311
        self._calls: list[tuple[float, int, float | None]] = [(0.0, 0, None)]
        self._count = 0
        self._flying = 0

    def until(self, end: float) -> None:
        """Let it run up to a moment; what was counted before is forgotten."""
        self.taken = self.refused = 0
        while self._calls and self._calls[0][0] <= end:
            now, _, began = heapq.heappop(self._calls)
            if began is not None:
                self._answered(now, began)
            self._send(now)

    def _answered(self, now: float, began: float) -> None:
        self._flying -= 1
        if self.limit.takes(now):
            self.taken += 1
            self.pace.taken(now, began)
        else:
            self.refused += 1
            self.pace.refused(now, began)

    def _send(self, now: float) -> None:
        while self._flying < CONNECTIONS:
            wait = self.pace.wait(now)
            if wait:
                self._later(now + wait, None)
                return
            self._flying += 1
            self._later(now + self._latency * self._random.uniform(0.5, 1.5), now)

    def _later(self, when: float, began: float | None) -> None:
        self._count += 1
        if began is None and any(at <= when for at, _, began in self._calls if began is None):
            return
        heapq.heappush(self._calls, (when, self._count, began))


class LearningTests(SynchronousTestCase):
    """The rate that is found."""

    def settles(self, limit: Limit, latency: float) -> Run:
        """Once settled it gets what the receiver takes, and hardly sees a refusal."""
        seconds = max(120.0, 5000 / limit.rate)
        run = Run(limit, latency)
        run.until(seconds / 2)
        run.until(seconds)
        part = run.taken / (limit.rate * seconds / 2)
        self.assertGreaterEqual(part, GOOD_RATE, (vars(limit), latency))
        self.assertLess(run.refused / (run.taken + run.refused), REFUSED, (vars(limit), latency))
        return run

    def test_buckets(self) -> None:
        """Limits that are buckets, with a little room and with much."""
        for rate, burst in ((1, 3), (5, 5), (5, 100), (20, 20), (100, 10), (100, 1000)):
            self.settles(Bucket(rate, burst), 0.05)

    def test_fixed_windows(self) -> None:
        """Limits that count in windows of a second, ten, or a minute."""
        for messages, seconds in ((100, 1), (20, 1), (100, 10), (60, 60)):
            self.settles(FixedWindow(messages, seconds), 0.05)

    def test_sliding_windows(self) -> None:
        """Limits that remember what came when."""
        for messages, seconds in ((100, 10), (300, 60)):
            self.settles(SlidingWindow(messages, seconds), 0.05)

    def test_less(self) -> None:
        """A receiver that takes much less than before is sent much less, soon."""
        limit = Bucket(100, 20)
        run = self.settles(limit, 0.02)
        limit.rate = 10
        run.until(240)
        run.until(600)
        self.assertGreaterEqual(run.taken, GOOD_RATE * 10 * 360)
        self.assertLess(run.refused / run.taken, REFUSED)

    def test_more(self) -> None:
        """A receiver that takes much more than before is sent more, in time."""
        limit = Bucket(5, 5)
        run = self.settles(limit, 0.02)
        limit.rate = 100
        run.until(1000 + 400)
        run.until(1000 + 600)
        self.assertGreaterEqual(run.taken, GOOD_RATE * 100 * 200)

    def test_slow(self) -> None:
        """Limits below one message a minute are kept, at the price of a few refusals."""
        for limit in (Bucket(1 / 60, 1), Bucket(1 / 100, 5), FixedWindow(60, 3600)):
            run = Run(limit, 0.05)
            run.until(500 / limit.rate)
            run.until(1000 / limit.rate)
            self.assertGreaterEqual(run.taken, GOOD_RATE * 500, vars(limit))
            self.assertLess(run.refused, 0.1 * run.taken, vars(limit))

    def test_out_of_order(self) -> None:
        """That a receiver was out of order for a while, be it from the start, makes it not slow."""
        for first, seconds in ((0, 5), (0, 300), (3, 7200), (1000, 7200)):
            limit = OutOfOrder(20, first, seconds)
            run = Run(limit, 0.05)
            run.until(seconds + 600)
            run.until(seconds + 700)
            self.assertGreaterEqual(run.taken, GOOD_RATE * 100 * limit.rate, (first, seconds))

    def test_no_limit(self) -> None:
        """Without a refusal there is no limit, and no wait."""
        pace = Pace()
        for number in range(1000):
            self.assertEqual(0.0, pace.wait(number / 1000))
            pace.taken(number / 1000 + 0.01, number / 1000)
        self.assertIsNone(pace.rate)


class PauseTests(SynchronousTestCase):
    """After a refusal."""

    def setUp(self) -> None:
        self.pace = Pace()
        self.assertEqual(0.0, self.pace.wait(0.0))

    def test_pause(self) -> None:
        """Nothing is sent for a while, then a single message, then the rest."""
        until = self.pace.refused(1.0, 0.0)
        self.assertGreater(until, 1.0)
        self.assertAlmostEqual(until - 1.0, self.pace.wait(1.0))
        self.assertEqual(0.0, self.pace.wait(until))
        self.assertEqual(ANSWER_SECONDS, self.pace.wait(until))
        self.pace.taken(until + 1, until)
        self.assertEqual(0.0, self.pace.wait(until + 1000))

    def test_longer_each_time(self) -> None:
        """While it is refused again each pause is twice as long, up to a limit."""
        now, pauses = 1.0, []
        for _ in range(20):
            until = self.pace.refused(now, now - 0.5)
            pauses.append(until - now)
            self.assertEqual(0.0, self.pace.wait(until))
            now = until + 1
        self.assertAlmostEqual(2 * pauses[0], pauses[1])
        self.assertAlmostEqual(LONGEST_PAUSE_SECONDS, pauses[-1])

    def test_together(self) -> None:
        """Refusals of what was on its way already are one refusal."""
        until = self.pace.refused(1.0, 0.0)
        self.assertEqual(until, self.pace.refused(1.1, 0.9))

    def test_named(self) -> None:
        """A wait that the receiver names is kept, within reason."""
        self.assertEqual(301.0, self.pace.refused(1.0, 0.0, 300.0))
        self.assertEqual(1.1 + LONGEST_NAMED_SECONDS, self.pace.refused(1.1, 0.0, 1e9))

    def test_nothing_heard(self) -> None:
        """When nothing is heard of the one message, another may go."""
        until = self.pace.refused(1.0, 0.0)
        self.assertEqual(0.0, self.pace.wait(until))
        self.pace.withdrawn()
        self.assertEqual(0.0, self.pace.wait(until))

    def test_late_answers(self) -> None:
        """That a message was taken which left before the refusal tells nothing."""
        until = self.pace.refused(1.0, 0.0)
        self.pace.taken(until + 1, 0.5)
        self.assertEqual(0.0, self.pace.wait(until + 1))
        self.assertEqual(ANSWER_SECONDS, self.pace.wait(until + 1))

    def test_forgotten(self) -> None:
        """What was learnt is put to the test after hours without a refusal, and then forgotten."""
        pace, now = Pace.from_dict({"rate": 0.01, "measured": 0.01, "refused_at": 1.0}, 1.0), 1.0
        while pace.rate is not None:
            now += pace.wait(now) or 0.001
            pace.taken(now, now)
            self.assertTrue(now > FORGET_SECONDS or pace.rate)
            self.assertLess(now, FORGET_SECONDS + 1200)

    def test_set_back(self) -> None:
        """A clock that is set back ends no pause later, and hides no refusal."""
        until = self.pace.refused(10_001.0, 10_000.0)
        self.pace.set_back(9_000.0)
        self.assertAlmostEqual(until - 9_000.0, self.pace.paused_until)
        self.assertEqual(0.0, self.pace.wait(1_002.0))
        self.assertGreater(self.pace.refused(1_003.0, 1_002.0), 1_003.0)

    @given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=60))
    def test_kept(self, happened: list[tuple[bool, float]]) -> None:
        """Whatever has happened, what is kept of it leads to the same pauses and rate."""
        pace, now = Pace(), 0.0
        for taken, seconds in happened:
            now += seconds
            pace.wait(now)
            if taken:
                pace.taken(now, now)
            else:
                pace.refused(now, now)
        again = Pace.from_dict(json.loads(json.dumps(pace.as_dict())), now)
        self.assertEqual((pace.rate, pace.paused_until), (again.rate, again.paused_until))
        self.assertEqual(pace.as_dict(), again.as_dict())
