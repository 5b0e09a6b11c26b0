from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.dkimcanonical import MANY_RUNS, PIECE_OCTETS, relaxed_body, relaxed_field
from tests.cutting import CUTS, pieces

BODIES = st.lists(
    st.sampled_from([b" ", b"\t", b"  ", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"a", b".", b"\xa0"])
).map(b"".join)


def body(*blocks: bytes) -> bytes:
    return b"".join(relaxed_body(blocks))


def by_lines(octets: bytes) -> bytes:
    """The relaxed form of a body, line by line as the RFC words it."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in octets.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


class RelaxedFieldTests(SynchronousTestCase):
    """Header fields (RFC 6376 section 3.4.2)."""

    def test_example(self) -> None:
        """The example of section 3.4.5."""
        fields = Content.from_octets(b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n").fields()
        relaxed = [relaxed_field(each.name, each.raw) for each in fields]
        self.assertEqual([b"a:X\r\n", b"b:Y Z\r\n"], relaxed)

    def test_values(self) -> None:
        """Blanks go at both ends and are reduced within; folds are no more than their blanks."""
        for raw, expected in (
            (b"", b""),
            (b" \t ", b""),
            (b"a", b"a"),
            (b"\r\n a\r\n \t\r\n\tb", b"a b"),
            (b"  a \t b  ", b"a b"),
            (b"\xa0 \xff\xfe", b"\xa0 \xff\xfe"),
            (b"\x0b a \x0c", b"\x0b a \x0c"),
        ):
            self.assertEqual(b"to:%b\r\n" % expected, relaxed_field("to", raw))


class RelaxedBodyTests(SynchronousTestCase):
    """Bodies (RFC 6376 section 3.4.4)."""

    def test_example(self) -> None:
        """The example of section 3.4.5."""
        self.assertEqual(b" C\r\nD E\r\n", body(b" C \r\nD \t E\r\n\r\n\r\n"))

    def test_nothing(self) -> None:
        """A body of empty lines and blanks is no octets at all."""
        for octets in (b"", b"\r\n", b"\r\n\r\n", b" \t", b" \r\n\t\r\n ", b"\r\n \r\n"):
            self.assertEqual(b"", body(octets))

    def test_last_line(self) -> None:
        """The last line ends with CRLF, as it does behind DATA."""
        self.assertEqual(b"a\r\n", body(b"a"))
        self.assertEqual(b"a\r\n", body(b"a \t"))
        self.assertEqual(b"a\r\n", body(b"a\r\n\r\n "))

    def test_empty_lines(self) -> None:
        """Empty lines before others stay."""
        self.assertEqual(b"\r\n\r\na\r\n\r\nb\r\n", body(b"\r\n \r\na\r\n\t\r\nb\r\n\r\n"))

    def test_lone_newlines(self) -> None:
        """A CR or LF alone ends no line."""
        self.assertEqual(b"a \r \n\r\n", body(b"a \r\t\n"))
        self.assertEqual(b"a\r\n\r \r\r\n", body(b"a \r\n\r\t\r"))

    @given(BODIES, CUTS)
    def test_any(self, octets: bytes, cuts: list[int]) -> None:
        """Blocks, wherever they were cut, give what the whole gives, and that is by the RFC."""
        self.assertEqual(by_lines(octets), body(*pieces(octets, cuts)))

    def test_single_octets(self) -> None:
        """Blocks may be as small as can be."""
        octets = b"\r\n a \t\r\n\r\n\t b\t\tc \r \r\n \r\n\r\n"
        blocks = [octets[at : at + 1] for at in range(len(octets))]
        self.assertEqual(by_lines(octets), body(*blocks))

    def test_large(self) -> None:
        """A block that is worked on in several pieces; none of them is larger than it may be."""
        lines = b"".join(
            b"a" * (each % 5) + b" \t" * (each % 7) + b"\r\n" for each in range(40_000)
        )
        octets = lines + b"\r\n" * 400_000 + b"\t" * 300_000 + b"b" + b" \r\n" * 100_000
        relaxed = list(relaxed_body([octets]))
        self.assertEqual(by_lines(octets), b"".join(relaxed))
        self.assertLessEqual(max(map(len, relaxed)), PIECE_OCTETS + len(b" \r"))

    def test_many_runs(self) -> None:
        """It makes no difference how many runs of blanks there are, and how long they are."""
        for run in (b"  x", b"x \t ", b"x" + b" " * 9):
            for runs in (MANY_RUNS - 1, MANY_RUNS, MANY_RUNS + 1, 3 * MANY_RUNS):
                octets = run * runs + b"y" + b" " * 5000 + b"z   \r\n"
                self.assertEqual(by_lines(octets), body(octets))
