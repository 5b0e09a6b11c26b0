from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.lanes import Lane
from smtpeter.delivery.turns import HIGHER_TOGETHER, Turns
from smtpeter.store.messages import BULK, HIGH, NORMAL, Stream
from tests.store.cases import message

DOMAIN = "mailbox.example"


def lane(account: int, count: int, priority: int = NORMAL, destination: str = DOMAIN) -> Lane:
    """A lane with so many messages."""
    made = Lane(Stream(destination, account, priority, ""))
    for _ in range(count):
        made.add(evolve(message(), priority=priority), 1_000_000)
    return made


def order(turns: Turns[Lane]) -> list[Lane]:
    """The lanes, in the order in which their messages go."""
    gone = []
    while (first := turns.first()) is not None:
        first.send_off()
        turns.passed(first)
        gone.append(first)
    return gone


class TurnsTests(SynchronousTestCase):
    """Whose message goes next."""

    def setUp(self) -> None:
        self.turns: Turns[Lane] = Turns()

    def test_accounts_take_turns(self) -> None:
        """A single message waits for one of each other account, however many these have."""
        campaign, newsletter, single = lane(1, 100), lane(2, 100), lane(3, 1)
        for each in (campaign, newsletter, single):
            self.turns.add(each)
        self.assertLess(order(self.turns).index(single), 3)

    def test_many_domains(self) -> None:
        """An account gets no more turns for having mail to many domains of a receiver."""
        for number in range(50):
            self.turns.add(lane(1, 10, destination=f"{number}.example"))
        single = lane(2, 1)
        self.turns.add(single)
        self.assertLess(order(self.turns).index(single), 2)

    def test_domains_of_an_account(self) -> None:
        """The lanes of an account take turns as well."""
        lanes = [lane(1, 2, destination=f"{number}.example") for number in range(3)]
        for each in lanes:
            self.turns.add(each)
        self.assertEqual(lanes * 2, order(self.turns))

    def test_priorities(self) -> None:
        """What is more urgent goes first, but the rest goes on, be it slowly."""
        high, normal, bulk = lane(1, 640, HIGH), lane(1, 640, NORMAL), lane(2, 640, BULK)
        for each in (bulk, normal, high):
            self.turns.add(each)
        first = order(self.turns)[:640]
        self.assertIs(high, first[0])
        counts = [first.count(each) for each in (high, normal, bulk)]
        every = HIGHER_TOGETHER
        self.assertEqual([640 - 640 // every, 640 // every - 10, 640 // every**2], counts)

    def test_added_twice(self) -> None:
        """A lane that is in line is not put in line again."""
        one = lane(1, 2)
        self.turns.add(one)
        self.turns.add(one)
        self.assertEqual([one, one], order(self.turns))
        self.assertNotIn(one, self.turns)

    def test_removed(self) -> None:
        """A lane whose mail goes elsewhere has no turn any more."""
        one, other = lane(1, 2), lane(2, 1)
        self.turns.add(one)
        self.turns.add(other)
        self.turns.remove(one)
        self.turns.remove(one)
        self.assertEqual([other], order(self.turns))

    def test_held_back(self) -> None:
        """Those of some accounts can be passed over; they keep their messages and their turn."""
        held, other, last = lane(1, 2), lane(2, 1), lane(3, 1, BULK)
        for each in (held, other, last):
            self.turns.add(each)
        self.assertIs(other, self.turns.first({1}))
        self.assertIs(last, self.turns.first({1, 2}))
        self.assertIsNone(self.turns.first({1, 2, 3}))
        self.assertCountEqual([held, held, other, last], order(self.turns))

    def test_no_search(self) -> None:
        """However many lanes an account has, one that ends is found at once."""
        looked: list[Lane] = []
        self.patch(Lane, "__eq__", lambda *pair: looked.append(pair[0]))
        lanes = [lane(1, 1, destination=f"{number}.example") for number in range(100)]
        for each in lanes:
            self.turns.add(each)
        for each in reversed(lanes):
            self.turns.remove(each)
        self.assertEqual([], looked)
        self.assertIsNone(self.turns.first())

    def test_of_an_account(self) -> None:
        """It can be asked who is there, and for the first of one account."""
        first, second, other = lane(1, 1), lane(1, 1, destination="other.example"), lane(2, 1, HIGH)
        for each in (first, second, other):
            self.turns.add(each)
        self.assertEqual([(2, HIGH), (1, NORMAL)], list(self.turns.accounts(1)))
        self.assertEqual(3, len(self.turns))
        first.send_off()
        self.assertIs(second, self.turns.first_of(1, NORMAL))
        self.assertIsNone(self.turns.first_of(1, HIGH))

    def test_accounts_with_a_message(self) -> None:
        """Accounts that have nothing to send, or may not, are not named in place of others."""
        empty, held, ready = lane(1, 1), lane(2, 1), lane(3, 1)
        for each in (empty, held, ready):
            self.turns.add(each)
        empty.send_off()
        self.assertEqual([(3, NORMAL)], list(self.turns.accounts(1, {2})))
        self.assertCountEqual([held, ready], order(self.turns))

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(HIGH, BULK))))
    def test_all_go(self, given_lanes: list[tuple[int, int, int]]) -> None:
        """Every message goes once, whatever there is."""
        turns: Turns[Lane] = Turns()
        lanes = [
            lane(account, count, priority, f"{number}.example")
            for number, (account, count, priority) in enumerate(given_lanes)
        ]
        for each in lanes:
            turns.add(each)
        gone = order(turns)
        self.assertEqual(
            [count for _, count, _ in given_lanes], [gone.count(each) for each in lanes]
        )
        self.assertFalse(any(each in turns for each in lanes))
