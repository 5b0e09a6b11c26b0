from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.workers.frames import FrameReader, framed, value_of
from tests.cutting import CUTS, pieces


class FrameTests(SynchronousTestCase):
    """Values over a stream."""

    @given(st.lists(st.binary(max_size=50), max_size=6), CUTS)
    def test_any_cuts(self, values: list[bytes], cuts: list[int]) -> None:
        """However a stream is cut, the same values come out of it, in order."""
        reader = FrameReader()
        stream = b"".join(map(framed, values))
        found = [
            value_of(payload) for piece in pieces(stream, cuts) for payload in reader.feed(piece)
        ]
        self.assertEqual(values, found)

    def test_unfinished(self) -> None:
        """A frame without its last octet is none yet."""
        self.assertEqual([], FrameReader().feed(framed("x")[:-1]))

    def test_cannot_travel(self) -> None:
        """What cannot be pickled is an error of who sends it."""
        with self.assertRaises(Exception):  # noqa: B017 - pickle raises what it likes
            framed(lambda: None)
