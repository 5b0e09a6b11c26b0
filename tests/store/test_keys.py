import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.store.keys import NODES, KeySource, MessageIds, message_id


class KeySourceTests(SynchronousTestCase):
    """Keys of submissions."""

    def test_microseconds(self) -> None:
        """A key is the time in microseconds, and the node."""
        keys = KeySource(lambda: 1_700_000_000.25, node=5)
        self.assertEqual(1_700_000_000_250_000 * NODES + 5, keys.next())
        self.assertEqual(1_700_000_000_250_001 * NODES + 5, keys.next())

    def test_nodes(self) -> None:
        """Two nodes make different keys in the same microsecond, however many each makes."""
        one, other = (KeySource(lambda: 0.0, node=node) for node in (0, NODES - 1))
        made = {each.next() for each in (one, other) for _ in range(2 * NODES)}
        self.assertEqual(4 * NODES, len(made))

    def test_by_chance(self) -> None:
        """Nobody has to number the nodes."""
        nodes = {KeySource(lambda: 0.0).next() % NODES for _ in range(100)}
        self.assertGreater(len(nodes), 1)

    @given(st.lists(st.floats(0, 4e9), min_size=2, max_size=50), st.integers(0, 2**62))
    def test_always_greater(self, times: list[float], greatest: int) -> None:
        """Whatever the clock does, each key is greater than all before it."""
        clock = iter(times)
        keys = KeySource(lambda: next(clock), greatest)
        made = [greatest, *(keys.next() for _ in times)]
        self.assertEqual(sorted(set(made)), made)


class MessageIdTests(SynchronousTestCase):
    """Ids of messages."""

    def test_form(self) -> None:
        """An id is 16 letters and digits, and no two are equal."""
        made = [message_id() for _ in range(2000)]
        self.assertEqual(2000, len(set(made)))
        for each in made:
            self.assertTrue(re.fullmatch(r"[A-Za-z0-9]{16}", each))

    def test_turns_with_time(self) -> None:
        """Ids of one tenth of a second begin alike, and sort before those of the next."""
        now = 0.0
        ids = MessageIds(seconds=lambda: now)
        first = [ids.next()[:2] for _ in range(100)]
        self.assertEqual(["00"] * 100, first)
        beginnings = []
        for tenth in range(62 * 62):
            now = (tenth + 0.5) / 10
            beginnings.append(ids.next()[:2])
        self.assertEqual(sorted(set(beginnings)), beginnings)

    def test_every_character_alike(self) -> None:
        """Every octet that is drawn gives each character as often as any other."""
        ids = MessageIds(lambda _: bytes(range(256)))
        characters = "".join(ids.next()[2:] for _ in range(62 * 2))  # 14 each: seven draws
        self.assertEqual({28}, {characters.count(each) for each in set(characters)})
        self.assertEqual(62, len(set(characters)))

    def test_poor_draw(self) -> None:
        """Octets that would favour some characters are drawn anew."""
        draws = iter([b"\xff" * 64, bytes(range(64))])
        self.assertEqual(16, len(MessageIds(lambda _: next(draws)).next()))
