import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.window import (
    PROBE_CONNECTIONS,
    RESTED_SECONDS,
    ConnectionWindow,
    MessagesPerConnection,
)

LIMIT = 10


def use(window: ConnectionWindow, most: int, messages: int, start: int = 1) -> tuple[int, int]:
    """
    Send messages to a receiver that takes so many connections.

    Returns:
        How many refusals there were, and how many connections there are in the end.
    """
    refusals = 0
    for now in range(start, start + messages):
        if window.size(LIMIT) > most:
            refusals += 1
            window.refused(LIMIT, now, now - 0.5)
        else:
            window.taken(LIMIT, LIMIT)
    return refusals, window.size(LIMIT)


class ConnectionWindowTests(SynchronousTestCase):
    """How many connections there are."""

    def setUp(self) -> None:
        self.window = ConnectionWindow()

    def test_no_refusal(self) -> None:
        """Without a refusal there are as many as was decided."""
        self.assertEqual((0, LIMIT), use(self.window, LIMIT, 1000))

    def test_halved(self) -> None:
        """With a refusal there are half as many."""
        self.assertTrue(self.window.refused(LIMIT, 1.0, 0.0))
        self.assertEqual(5, self.window.size(LIMIT))
        self.assertEqual(3, self.window.size(3))

    def test_together(self) -> None:
        """Connections that were on their way do not count one by one."""
        for _ in range(5):
            self.assertTrue(self.window.refused(LIMIT, 1.0, 0.5))
        self.assertEqual(5, self.window.size(LIMIT))

    def test_the_last(self) -> None:
        """When the only connection is refused, it is not for their number."""
        self.assertFalse(self.window.refused(1, 1.0, 0.0))

    def test_none_at_all(self) -> None:
        """When in the end even one is refused, it was never for their number."""
        use(self.window, 4, 500)
        before = self.window.as_dict()
        now = 1000.0
        while self.window.refused(LIMIT, now, now - 0.5):
            now += 1
        self.assertEqual(before, self.window.as_dict())

    def test_one_at_least(self) -> None:
        """When one was taken between, it is for their number."""
        for now in (1.0, 2.0, 3.0):
            self.window.refused(LIMIT, now, now - 0.5)
            self.window.taken(LIMIT, LIMIT)
        self.assertFalse(self.window.refused(LIMIT, 4.0, 3.5))
        self.assertEqual(1, self.window.size(LIMIT))

    def test_finds_the_number(self) -> None:
        """The number that a receiver takes is found, and few are refused from then on."""
        for most in (1, 3, 7):
            window = ConnectionWindow()
            use(window, most, 2000)
            refusals, size = use(window, most, 5000, start=3000)
            self.assertLess(refusals / 5000, 0.02)
            self.assertIn(size, (most, max(1, most - 1)))

    def test_more_again(self) -> None:
        """When the receiver takes as many as was decided, it is given them."""
        use(self.window, 2, 100)
        use(self.window, LIMIT, 10_000, start=200)
        self.assertEqual(LIMIT, self.window.size(LIMIT))

    def test_only_when_full(self) -> None:
        """While connections are not used there is no need for more."""
        self.window.refused(LIMIT, 1.0, 0.0)
        for _ in range(10_000):
            self.window.taken(LIMIT, 0)
        self.assertEqual(5, self.window.size(LIMIT))

    @given(st.lists(st.booleans(), max_size=300), st.integers(1, 20))
    def test_bounds(self, happened: list[bool], limit: int) -> None:
        """There is always one at least, and never more than was decided."""
        window = ConnectionWindow()
        for now, taken in enumerate(happened, start=1):
            if taken:
                window.taken(limit, limit)
            else:
                window.refused(limit, now, now - 0.5)
            self.assertTrue(1 <= window.size(limit) <= limit)
        again = ConnectionWindow.from_dict(json.loads(json.dumps(window.as_dict())))
        self.assertEqual(window.size(limit), again.size(limit))


class MessagesPerConnectionTests(SynchronousTestCase):
    """How many messages go over one connection."""

    def test_learnt(self) -> None:
        """A connection carries no more than the receiver took over one, and one more."""
        most = MessagesPerConnection()
        self.assertFalse(most.used_up(10, 1000))
        most.ended(10, 0.0)
        most.ended(10, 0.0)
        self.assertTrue(most.used_up(10, 1000))
        self.assertFalse(most.used_up(9, 1000))
        self.assertTrue(most.used_up(5, 5))

    def test_rested(self) -> None:
        """That a connection was closed after a rest, or at its first message, tells nothing."""
        most = MessagesPerConnection()
        for _ in range(3):
            most.ended(10, RESTED_SECONDS)
            most.ended(1, 0.0)
        self.assertIsNone(most.learnt)

    def test_restarted(self) -> None:
        """Connections that end together, each at another number, tell of no limit."""
        most = MessagesPerConnection(20)
        for messages in (3, 7, 2, 19):
            most.ended(messages, 0.0)
        self.assertEqual(20, most.learnt)

    def test_probe(self) -> None:
        """Once in many connections it is tried whether there is room for one message more."""
        most = MessagesPerConnection(10)
        for _ in range(PROBE_CONNECTIONS):
            self.assertEqual(10, most.most(1000))
            most.used_up(10, 1000)
        self.assertEqual(11, most.most(1000))
