from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp.records import RecordCounter


def record(length: int) -> bytes:
    """A record of application data."""
    return b"\x17\x03\x03" + length.to_bytes(2) + bytes(length)


class RecordCounterTests(SynchronousTestCase):
    """Counting TLS records."""

    def test_one(self) -> None:
        """A record that comes whole is one."""
        self.assertEqual(1, RecordCounter().feed(record(300)))

    def test_longest(self) -> None:
        """The length has two octets."""
        counter = RecordCounter()
        self.assertEqual(0, counter.feed(record(65_535)[:-1]))
        self.assertEqual(1, counter.feed(b"."))

    @given(
        st.lists(st.integers(0, 40), max_size=6),
        st.lists(st.integers(0, 300), max_size=8),
    )
    def test_in_pieces(self, lengths: list[int], cuts: list[int]) -> None:
        """Each record is counted with the piece that completes it, wherever the cuts are."""
        stream = b""
        ends = []
        for length in lengths:
            stream += record(length)
            ends.append(len(stream))
        counter = RecordCounter()
        start = 0
        for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
            completed = sum(start < end <= cut for end in ends)
            self.assertEqual(completed, counter.feed(stream[start:cut]))
            start = cut
