"""Cutting octets into command lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp.wire import (
    AUTH_OCTETS,
    COMMAND_OCTETS,
    OVERLONG_OCTETS,
    BareNewline,
    Flood,
    LineReader,
    LineTooLong,
)
from tests.cutting import CUTS, pieces

LINES = st.lists(
    st.sampled_from(
        [b"NOOP", b"\r\n", b"\r", b"\n", b"x" * 509, b"x" * 510, b"x" * 511, b"MAIL", b" "]
    ),
    max_size=20,
).map(b"".join)


def taken(reader: LineReader, *, response: bool = False) -> list[object]:
    """All that can be taken now: lines, and the names of what was wrong with others."""
    found: list[object] = []
    while True:
        try:
            line = reader.next_line(response=response)
        except (BareNewline, LineTooLong) as error:
            found.append(type(error).__name__)
        except Flood:
            return [*found, "Flood"]
        else:
            if line is None:
                return found
            found.append(line)


def fed(*chunks: bytes, response: bool = False) -> list[object]:
    """What a new reader makes of chunks."""
    reader = LineReader()
    found: list[object] = []
    for chunk in chunks:
        reader.feed(chunk)
        found += taken(reader, response=response)
        if found[-1:] == ["Flood"]:
            break
    return found


def expected(octets: bytes) -> list[object]:
    """What a reader has to make of octets, done the plain way."""
    found: list[object] = []
    for line in octets.split(b"\r\n")[:-1]:
        limit = COMMAND_OCTETS + {b"MAIL": 660, b"RCPT": 500}.get(line[:4].upper(), 0)
        if len(line) + 2 > limit:
            found.append("LineTooLong")
        elif b"\r" in line or b"\n" in line:
            found.append("BareNewline")
        else:
            found.append(line)
    return found


class LineReaderTests(SynchronousTestCase):
    """Command lines."""

    def test_lines(self) -> None:
        """Each CRLF ends a line, and what follows the last one waits for more."""
        self.assertEqual([b"NOOP", b"", b"RSET"], fed(b"NOOP\r\n\r\nRSET\r\nQUI"))

    def test_bare_newline(self) -> None:
        """A line with a lone CR or LF is dropped, and the next one is read."""
        for bad in (b"NO\nOP", b"NO\rOP", b"NOOP\r", b"\nNOOP"):
            self.assertEqual(["BareNewline", b"RSET"], fed(bad + b"\r\nRSET\r\n"), bad)

    def test_limits(self) -> None:
        """A line may have as many octets as its command allows, CRLF included, and no more."""
        for verb, limit in (
            (b"NOOP", 512),
            (b"EHLO", 512),
            (b"MAIL", 512 + 26 + 17 + 500 + 107 + 10),
            (b"mail", 512 + 26 + 17 + 500 + 107 + 10),
            (b"RCPT", 1012),
            (b"AUTH", 12288),
        ):
            longest = verb + b"x" * (limit - 6)
            self.assertEqual([longest, b"RSET"], fed(longest + b"\r\nRSET\r\n"))
            self.assertEqual(["LineTooLong", b"RSET"], fed(longest + b"x\r\nRSET\r\n"))

    def test_response_limit(self) -> None:
        """The response to a challenge may be as long as RFC 4954 says."""
        longest = b"x" * (AUTH_OCTETS - 2)
        self.assertEqual([longest], fed(longest + b"\r\n", response=True))
        self.assertEqual(["LineTooLong"], fed(longest + b"x\r\n", response=True))

    def test_flood(self) -> None:
        """A line that is far too long is given up, whether its end comes or not."""
        self.assertEqual(["Flood"], fed(b"x" * (OVERLONG_OCTETS + 2)))
        self.assertEqual(["Flood"], fed(b"x" * (OVERLONG_OCTETS + 1) + b"\r\n"))
        self.assertEqual(["LineTooLong"], fed(b"x" * OVERLONG_OCTETS + b"\r\n"))

    def test_flood_is_not_kept(self) -> None:
        """Of a line that is too long no more is held than one octet."""
        reader = LineReader()
        for _ in range(OVERLONG_OCTETS // 1024):
            reader.feed(b"x" * 1023 + b"\r")
            self.assertEqual([], taken(reader))
            self.assertLessEqual(reader.pending_octets, 1)

    def test_rest(self) -> None:
        """What was not taken as lines can be taken as it came, once."""
        reader = LineReader()
        reader.feed(b"DATA\r\nSubject: a\nb\r\n")
        self.assertEqual(b"DATA", reader.next_line())
        self.assertEqual(14, reader.pending_octets)
        self.assertEqual(b"Subject: a\nb\r\n", reader.take_rest())
        self.assertEqual(b"", reader.take_rest())

    @given(LINES, st.lists(st.integers(1, 3000), max_size=8))
    def test_any_cut(self, octets: bytes, cuts: list[int]) -> None:
        """However octets are cut, the lines are those that a plain reading finds."""
        self.assertEqual(expected(octets), fed(*pieces(octets, cuts)))

    @given(st.binary(max_size=60), CUTS)
    def test_any_octets(self, octets: bytes, cuts: list[int]) -> None:
        """The same for octets of any kind."""
        self.assertEqual(expected(octets), fed(*pieces(octets, cuts)))

    def test_one_octet_at_a_time(self) -> None:
        """A flood is the same flood when it comes octet by octet."""
        flood = b"x" * (OVERLONG_OCTETS + 1)
        octets = (flood[index : index + 1] for index in range(len(flood)))
        self.assertEqual(["Flood"], fed(*octets))
