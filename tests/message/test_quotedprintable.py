"""Quoted-printable: read and written."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.quotedprintable import decoded, encoded

OCTETS = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\t", b"=", b".", b"a" * 30, b"word", b"\xe9"])
    | st.binary(max_size=3),
    max_size=40,
).map(b"".join)


class CodecTests(SynchronousTestCase):
    """All of a body."""

    @given(OCTETS)
    @example(b"a" * 75 + b" \r\n")
    @example(b"a" * 76 + b"\r\n")
    @example(b" " * 200)
    @example(b"a" * 34 + b"\0" * 4 + b"a" * 30 + b"\n")
    def test_round_trip(self, octets: bytes) -> None:
        """Any octets come back; lines are short, of visible characters, and end with none."""
        body = encoded(octets)
        self.assertEqual(octets, decoded(body))
        for line in body.split(b"\r\n"):
            self.assertLessEqual(len(line), 76)
            self.assertEqual(b"", line.translate(None, bytes(range(32, 127)) + b"\t"))
            self.assertFalse(line.endswith((b" ", b"\t")))

    @given(OCTETS, st.lists(st.integers(0, 200), max_size=5))
    def test_marks(self, octets: bytes, places: list[int]) -> None:
        """Marks begin lines, and stay in one piece."""
        prefix = b"Z0A1B2C3"
        marked = octets
        for place in places:
            marked = marked[:place] + prefix + b"12345" + marked[place:]
        body = encoded(marked, prefix)
        self.assertEqual(marked, decoded(body))
        lines = body.split(b"\r\n")
        self.assertEqual(
            marked.count(prefix + b"12345"),
            sum(line.startswith(prefix + b"12345") for line in lines),
        )
        self.assertLessEqual(max(map(len, lines)), 76)

    def test_blanks(self) -> None:
        """Blanks at the end of a line are none of it, nor do they undo a soft line break."""
        self.assertEqual(b"a\r\nb c\r\n\r\nd", decoded(b"a \t\r\nb= \r\n c\t\r\n \r\nd  "))

    def test_tolerant(self) -> None:
        """Small letters are read; what is no encoding stays."""
        self.assertEqual(b"\xe9=zz", decoded(b"=e9=zz"))
