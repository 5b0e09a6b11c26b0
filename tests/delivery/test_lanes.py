from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.lanes import ASIDE_LIMIT, Lane
from tests.delivery.house import DEFERRED
from tests.store.cases import message, parcel

ROOM = 10


class LaneTests(SynchronousTestCase):
    """What one receiver has in memory."""

    def setUp(self) -> None:
        self.lane = Lane("mailbox.example", connections=2)

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
            lane = Lane("mailbox.example")
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
        self.lane.came_home(one)
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

    def test_connections(self) -> None:
        """No more are on their way than the receiver has connections."""
        for _ in range(3):
            self.lane.add(message(), ROOM)
        self.lane.send_off()
        self.assertTrue(self.lane.may_send(1 << 20))
        self.lane.send_off()
        self.assertFalse(self.lane.may_send(1 << 20))

    def test_unreachable(self) -> None:
        """While no attempt reaches a server, one at a time is made; then all again."""
        for _ in range(3):
            self.lane.add(message(), ROOM)
        for state in ("dns", "bind", "connect", "intro"):
            self.lane.heard(evolve(DEFERRED, state=state))
            self.assertTrue(self.lane.may_send(1 << 20))
            sent = self.lane.send_off()
            self.lane.heard(evolve(DEFERRED, state="process"))
            self.assertFalse(self.lane.may_send(1 << 20), state)
            self.lane.heard(DEFERRED)
            self.assertTrue(self.lane.may_send(1 << 20))
            self.lane.came_home(sent)
            self.lane.window.appendleft(sent)

    def test_octets(self) -> None:
        """A message that is too large to go beside others goes when it can be alone."""
        large = [message(of=parcel(octets=600)), message(of=parcel(octets=600))]
        for each in large:
            self.lane.add(each, ROOM)
        self.assertTrue(self.lane.may_send(500))
        self.lane.send_off()
        self.assertFalse(self.lane.may_send(1000))
        self.lane.came_home(large[0])
        self.assertTrue(self.lane.may_send(1000))

    def test_set_aside(self) -> None:
        """With many messages set aside, the fault is not theirs, and the lane rests."""
        for _ in range(ASIDE_LIMIT + 1):
            self.lane.add(message(), 1000)
        for _ in range(ASIDE_LIMIT):
            self.assertTrue(self.lane.may_send(1 << 20))
            self.lane.came_home(self.lane.send_off())
        self.assertEqual(ASIDE_LIMIT, self.lane.aside)
        self.assertFalse(self.lane.may_send(1 << 20))

    def test_idle(self) -> None:
        """A lane is idle only when nobody will ask for it again."""
        self.assertTrue(self.lane.idle)
        for hindrance in ("more", "loading", "ready"):
            lane = Lane("mailbox.example")
            setattr(lane, hindrance, True)
            self.assertFalse(lane.idle, hindrance)
        self.lane.add(message(), ROOM)
        self.assertFalse(self.lane.idle)
        sent = self.lane.send_off()
        self.assertFalse(self.lane.idle)
        self.lane.release(sent.id)
        self.assertTrue(self.lane.idle)
