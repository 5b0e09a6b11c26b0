from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.lanes import ASIDE_LIMIT, Lane
from smtpeter.store.messages import NORMAL, Stream
from tests.store.cases import message

ROOM = 10
STREAM = Stream("mailbox.example", 0, NORMAL, "")


class LaneTests(SynchronousTestCase):
    """What one stream has in memory."""

    def setUp(self) -> None:
        self.lane = Lane(STREAM)

    def test_in_order(self) -> None:
        """New messages go in the order they came."""
        first, second = message(), message()
        self.lane.add(first, ROOM)
        self.lane.add(second, ROOM)
        self.assertEqual([first, second], [self.lane.send_off(), self.lane.send_off()])

    def test_known_already(self) -> None:
        """A message that was read from the store before it was announced is there once."""
        one = message()
        self.lane.fill([one])
        self.lane.add(one, ROOM)
        self.assertEqual([one], list(self.lane.window))
        self.assertFalse(self.lane.more)

    def test_no_overtaking(self) -> None:
        """A new message stays in the store while older ones may be there."""
        for hindrance in ("more", "loading"):
            lane = Lane(STREAM)
            setattr(lane, hindrance, True)
            lane.add(message(), ROOM)
            self.assertEqual((0, True), (len(lane.window), lane.more))

    def test_window_is_bounded(self) -> None:
        """What does not fit into the window stays in the store."""
        for _ in range(4):
            self.lane.add(message(), 3)
        self.assertEqual((3, True), (len(self.lane.window), self.lane.more))

    def test_older_answer(self) -> None:
        """A message that was let go while the store was asked is not taken from its answer."""
        one = message()
        self.lane.add(one, ROOM)
        self.lane.send_off()
        self.lane.loading = True
        self.lane.release(one.id)
        self.lane.on_their_way -= 1
        self.lane.fill([one])
        self.assertFalse(self.lane.window)

    def test_under_way_is_held(self) -> None:
        """What is on its way is not taken from the store a second time."""
        one = message()
        self.lane.add(one, ROOM)
        self.lane.send_off()
        self.lane.fill([one])
        self.assertFalse(self.lane.window)

    def test_emptied(self) -> None:
        """An emptied window is read anew, and an answer that was on its way does not count."""
        one, two = message(), message()
        self.lane.add(one, ROOM)
        self.lane.add(two, ROOM)
        self.lane.send_off()
        self.lane.loading = True
        self.lane.empty_window()
        self.assertEqual({one.id}, self.lane.held)
        self.assertTrue(self.lane.more and self.lane.outdated)

    def test_set_aside(self) -> None:
        """With many messages set aside, the fault is not theirs, and the lane rests."""
        for _ in range(ASIDE_LIMIT + 1):
            self.lane.add(message(), 1000)
        for _ in range(ASIDE_LIMIT):
            self.assertTrue(self.lane.sendable)
            self.lane.send_off()
            self.lane.on_their_way -= 1
        self.assertEqual(ASIDE_LIMIT, self.lane.aside)
        self.assertFalse(self.lane.sendable)

    def test_idle(self) -> None:
        """A lane is idle only when nobody will ask for it again."""
        self.assertTrue(self.lane.idle)
        for hindrance in ("more", "loading", "finding"):
            lane = Lane(STREAM)
            setattr(lane, hindrance, True)
            self.assertFalse(lane.idle, hindrance)
        self.lane.add(message(), ROOM)
        self.assertFalse(self.lane.idle)
        sent = self.lane.send_off()
        self.assertFalse(self.lane.idle)
        self.lane.release(sent.id)
        self.assertTrue(self.lane.idle)
