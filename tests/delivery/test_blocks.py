import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery import blocks
from smtpeter.delivery.blocks import (
    FIRST_SECONDS,
    FORGET_SECONDS,
    LONGEST_SECONDS,
    SERIES,
    SERIES_OF_ALL,
    Block,
    Blocks,
)
from smtpeter.delivery.pace import ANSWER_SECONDS

NOW = 1e6


class BlockTests(SynchronousTestCase):
    """A series of refusals."""

    def setUp(self) -> None:
        self.block = Block(SERIES)
        self.now = NOW

    def refuse(self, count: int = 1, seconds: float = 1.0) -> bool:
        """Have messages refused, one after the other, each sent off when it may go."""
        begun = False
        for _ in range(count):
            self.now += max(seconds, self.block.wait(self.now))
            self.block.asked(self.now)
            begun = self.block.refused(self.now, self.now)
        return begun

    def test_a_few(self) -> None:
        """A few refusals hold nothing up."""
        self.assertFalse(self.refuse(SERIES - 1))
        self.assertEqual(0.0, self.block.wait(self.now))

    def test_series(self) -> None:
        """With more of them mail waits, for longer each time, and one message asks."""
        self.assertTrue(self.refuse(SERIES))
        waits = []
        for _ in range(6):
            waits.append(self.block.wait(self.now))
            self.assertFalse(self.refuse())
        self.assertEqual([FIRST_SECONDS, 2 * FIRST_SECONDS], waits[:2])
        self.assertEqual(LONGEST_SECONDS, waits[-1])

    def test_one_asks(self) -> None:
        """While it is asked nobody else goes; when nothing is heard of it, another one does."""
        self.refuse(SERIES)
        self.now += self.block.wait(self.now)
        self.assertEqual(0.0, self.block.wait(self.now))
        self.block.asked(self.now)
        self.assertEqual(ANSWER_SECONDS, self.block.wait(self.now))
        self.block.withdrawn()
        self.assertEqual(0.0, self.block.wait(self.now))
        self.block.asked(self.now)
        self.assertEqual(0.0, self.block.wait(self.now + ANSWER_SECONDS))

    def test_on_their_way(self) -> None:
        """What was on its way when it was decided to wait makes the wait no longer."""
        self.refuse(SERIES)
        until = self.block.until
        for _ in range(20):
            self.assertFalse(self.block.refused(self.now + 1, self.now - 1))
        self.assertEqual(until, self.block.until)

    def test_seldom(self) -> None:
        """Refusals with hours between them are no series."""
        self.refuse(3 * SERIES, FORGET_SECONDS + 1)
        self.assertEqual(0.0, self.block.wait(self.now))

    def test_set_back(self) -> None:
        """A clock that is set back makes no wait longer."""
        self.refuse(SERIES)
        self.block.set_back(9000.0)
        self.assertAlmostEqual(FIRST_SECONDS, self.block.wait(self.now - 9000.0))


class BlocksTests(SynchronousTestCase):
    """What one receiver refuses."""

    def setUp(self) -> None:
        self.blocks = Blocks()

    def refuse(self, account: int, count: int = SERIES) -> None:
        for _ in range(count):
            self.blocks.refused(account, NOW, NOW)

    def test_one_account(self) -> None:
        """The mail of one account waits, that of others does not."""
        self.refuse(1)
        self.assertEqual([1], self.blocks.begun)
        self.assertEqual(({1}, [1]), (self.blocks.held_back(NOW), self.blocks.accounts))
        waits = [self.blocks.wait(NOW, account) for account in (1, 2)]
        self.assertEqual([FIRST_SECONDS, 0.0], waits)
        self.assertEqual(FIRST_SECONDS, self.blocks.soonest(NOW))
        self.assertEqual((), Blocks().held_back(NOW))

    def test_taken(self) -> None:
        """It is over when a message of the account is taken, not when one of another is."""
        self.refuse(1)
        self.blocks.taken(2)
        self.assertTrue(self.blocks.wait(NOW, 1))
        self.blocks.taken(1)
        self.assertEqual((0.0, ()), (self.blocks.wait(NOW, 1), self.blocks.held_back(NOW)))

    def test_all(self) -> None:
        """When mail of many is refused and none is taken, that of everybody waits."""
        for account in range(1, SERIES_OF_ALL + 1):
            self.refuse(account, 1)
        self.assertEqual([None], self.blocks.begun)
        self.assertEqual(FIRST_SECONDS, self.blocks.wait(NOW, 9999))
        self.blocks.asked(NOW + FIRST_SECONDS, 9999)
        self.assertEqual(ANSWER_SECONDS, self.blocks.wait(NOW + FIRST_SECONDS, 1))
        self.blocks.taken(9999)
        self.assertEqual(0.0, self.blocks.wait(NOW, 1))

    def test_bounded(self) -> None:
        """Of very many accounts the latest are remembered."""
        self.patch(blocks, "ACCOUNTS", 3)
        for account in range(5):
            self.refuse(account)
        self.assertEqual([2, 3, 4], self.blocks.accounts)

    def test_kept(self) -> None:
        """What is kept of it holds after a restart."""
        self.refuse(1, SERIES + 1)
        self.refuse(2, SERIES_OF_ALL)
        again = Blocks.from_dict(json.loads(json.dumps(self.blocks.as_dict())), NOW)
        self.assertEqual(self.blocks.as_dict(), again.as_dict())
        for account in (1, 2, 3):
            self.assertEqual(self.blocks.wait(NOW, account), again.wait(NOW, account))

    @given(
        st.recursive(
            st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=2)),
            lambda inner: st.dictionaries(
                st.sampled_from(["all", "accounts", "refusals", "until", "1", "-1", "²"]), inner
            ),
        )
    )
    def test_spoilt(self, kept: object) -> None:
        """Whatever is kept, no wait is longer than it may be."""
        found = Blocks.from_dict(kept, NOW)
        self.assertLessEqual(found.wait(NOW, 1), LONGEST_SECONDS)
