"""Gathering content: its end, its dots, its limits, and the room it takes."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.budget import ContentBudget
from smtpeter.message.content import BLOCK_OCTETS
from smtpeter.smtp.wire import ContentReader, Fault
from tests.cutting import CUTS, pieces

ENDLESS = 10**9
STREAMS = st.lists(
    st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"a", b"bcd", b"\r\n.", b"\r\n..", b"..\r\n"]),
    max_size=24,
).map(b"".join)


class Outcome:
    """What a reader made of octets."""

    def __init__(
        self,
        *chunks: bytes,
        limit: int = ENDLESS,
        line: int = ENDLESS,
        room: int = ENDLESS,
        normalise: bool = False,
    ) -> None:
        self.budget = ContentBudget(room)
        self.reader = ContentReader(limit, line, self.budget, normalise=normalise)
        self.rest: bytes | None = None
        for chunk in chunks:
            if self.rest is None:
                self.rest = self.reader.feed(chunk)
            else:
                self.rest += chunk
            assert self.budget.used_octets == self.reader.reserved_octets == self.held_octets()
        self.fault = self.reader.fault
        self.content = b"".join(self.reader.blocks())

    def held_octets(self) -> int:
        return sum(map(len, [*self.reader._pieces, *self.reader._blocks]))

    def told(self) -> tuple[Fault | None, bytes, bytes | None]:
        return self.fault, self.content, self.rest


def expected(
    octets: bytes, *, limit: int, line: int, room: int, normalise: bool
) -> tuple[Fault | None, bytes, bytes | None]:
    """What a reader has to make of octets, done line by line; a dot and CRLF has to be there."""
    lines = octets.split(b"\r\n")
    end = lines.index(b".")
    kept = [each[1:] if each.startswith(b".") else each for each in lines[:end]]
    content = b"".join(each + b"\r\n" for each in kept)
    rest = b"\r\n".join(lines[end + 1 :])
    bare = any(b"\r" in each or b"\n" in each for each in kept)
    if bare and not normalise:
        return Fault.BARE_NEWLINE, b"", rest
    content = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    if any(len(each) + 2 > line for each in content.split(b"\r\n")[:-1]):
        return Fault.LINE_TOO_LONG, b"", rest
    if len(content) > limit:
        return Fault.TOO_BIG, b"", rest
    if len(content) > room:
        return Fault.NO_ROOM, b"", rest
    return None, content, rest


class ContentReaderTests(SynchronousTestCase):
    """Content, without limits."""

    def test_dots(self) -> None:
        """The first dot of a line is taken away, wherever the line stands."""
        for sent, content in (
            (b".\r\n", b""),
            (b"..\r\n.\r\n", b".\r\n"),
            (b".x\r\n.\r\n", b"x\r\n"),
            (b"...\r\n.\r\n", b"..\r\n"),
            (b"a\r\n..\r\n.x\r\n.\r\n", b"a\r\n.\r\nx\r\n"),
            (b"a.\r\n.\r\n", b"a.\r\n"),
            (b"\r\n\r\n.\r\n", b"\r\n\r\n"),
        ):
            for step in range(1, len(sent) + 1):
                chunks = [sent[index : index + step] for index in range(0, len(sent), step)]
                self.assertEqual((None, content, b""), Outcome(*chunks).told(), (sent, step))

    def test_rest(self) -> None:
        """What follows the end is given back as it came."""
        self.assertEqual(b".\r\nQUIT\r\n", Outcome(b"a\r\n.\r\n.\r\nQUIT\r\n").rest)

    def test_no_end(self) -> None:
        """Nothing but CRLF, dot, CRLF is the end."""
        for sent in (
            b"\n.\r\n", b"a\n.\r\n", b"a\r.\r\n", b"a\n.\n", b"a\r\n.\n", b"a\r\n.\r", b"a\r\n.\rb",
            b"a.\r\n", b"a\r\n. \r\n",
        ):  # fmt: skip
            for chunks in ([sent], [sent[index : index + 1] for index in range(len(sent))]):
                self.assertIsNone(Outcome(*chunks).rest, sent)

    def test_bare_newlines(self) -> None:
        """A lone CR or LF is a fault, and the content is read to its end all the same."""
        for sent in (b"a\nb", b"a\rb", b"\n", b"\r", b"\n.", b"a\r\n.\n", b"a\r\r"):
            outcome = Outcome(sent + b"\r\n.\r\nQUIT")
            self.assertEqual((Fault.BARE_NEWLINE, b"", b"QUIT"), outcome.told(), sent)

    def test_normalised(self) -> None:
        """Where that is wanted a lone CR or LF becomes CRLF, and no end comes of it."""
        sent = b"a\nb\rc\r\n.\n.\r.\n\r\n.\r\nQUIT"
        content = b"a\r\nb\r\nc\r\n\r\n.\r\n.\r\n\r\n"
        self.assertEqual((None, content, b"QUIT"), Outcome(sent, normalise=True).told())

    def test_blocks(self) -> None:
        """Content that comes in crumbs is kept in blocks."""
        reader = ContentReader(ENDLESS, ENDLESS, ContentBudget(ENDLESS))
        for _ in range(BLOCK_OCTETS // 10):
            reader.feed(b"12345678\r\n" * 3)
        self.assertEqual(b"", reader.feed(b".\r\n"))
        self.assertEqual(3, len(reader.blocks()))
        self.assertEqual(b"12345678\r\n" * (BLOCK_OCTETS // 10 * 3), b"".join(reader.blocks()))


class LimitTests(SynchronousTestCase):
    """Limits of content, to the octet."""

    def test_size(self) -> None:
        """A message of exactly the limit passes, one octet more is refused; dots do not count."""
        for sent, octets in ((b"12345\r\n.\r\n", 7), (b"..\r\n..\r\n.\r\n", 6), (b".\r\n", 0)):
            self.assertIsNone(Outcome(sent, limit=octets).fault, sent)
            if octets:
                self.assertIs(Fault.TOO_BIG, Outcome(sent, limit=octets - 1).fault, sent)

    def test_line(self) -> None:
        """A line of exactly the limit with its CRLF passes, one octet more is refused."""
        for start in (b"", b"a\r\n", b"ab\r\n" * 7):
            for dot in (b"", b"."):  # one that was only added for the way does not count
                longest = start + dot + b"." * bool(dot) + b"x" * (18 - bool(dot))
                for step in range(1, len(longest) + 7):
                    for more, fault in ((b"", None), (b"x", Fault.LINE_TOO_LONG)):
                        sent = longest + more + b"\r\n.\r\n"
                        chunks = [sent[at : at + step] for at in range(0, len(sent), step)]
                        self.assertIs(fault, Outcome(*chunks, line=20).fault, chunks)

    def test_line_without_end(self) -> None:
        """A line that is too long is known as such before its end comes."""
        self.assertIs(Fault.LINE_TOO_LONG, Outcome(b"x" * 10, b"x" * 11, line=20).fault)

    def test_graver_fault(self) -> None:
        """Of several faults the gravest is told, whichever came first."""
        sent = b"x" * 30 + b"\r\n" + b"a\nb\r\n.\r\n"
        self.assertIs(Fault.BARE_NEWLINE, Outcome(sent[:20], sent[20:], line=20, limit=5).fault)
        sent = b"a\r\n" * 10 + b"x" * 30 + b"\r\n.\r\n"
        self.assertIs(
            Fault.LINE_TOO_LONG, Outcome(sent[:9], sent[9:], line=20, limit=5, room=2).fault
        )

    def test_octets_behind_a_fault(self) -> None:
        """All that comes is counted, though no more is kept."""
        reader = Outcome(b"a\nb\r\n", b"12345678\r\n" * 9, line=20).reader
        self.assertEqual(93, reader.octets)  # of the last CRLF nobody can tell yet
        self.assertEqual(0, reader.reserved_octets)

    def test_discard(self) -> None:
        """What is thrown away gives its room back, once."""
        outcome = Outcome(b"12345678\r\n" * 9, room=100)
        self.assertEqual(88, outcome.budget.used_octets)
        outcome.reader.discard()
        self.assertEqual(0, outcome.budget.used_octets)
        outcome.reader.discard()
        self.assertEqual((0, ()), (outcome.budget.used_octets, outcome.reader.blocks()))

    @given(
        STREAMS, STREAMS, CUTS, st.booleans(),
        st.integers(1, 30), st.integers(2, 16), st.integers(0, 30),
    )  # fmt: skip
    def test_any_cut(
        self, sent: bytes, rest: bytes, cuts: list[int], normalise: bool,  # noqa: FBT001
        limit: int, line: int, room: int,
    ) -> None:  # fmt: skip
        """However content is cut, it is what reading it line by line makes of it."""
        octets = sent + b"\r\n.\r\n" + rest
        limits = {"limit": limit, "line": line, "room": room}
        outcome = Outcome(*pieces(octets, cuts), **limits, normalise=normalise)
        wanted = expected(octets, **limits, normalise=normalise)
        self.assertEqual(wanted[::2], outcome.told()[::2])
        if wanted[0] is None:
            self.assertEqual(wanted[1], outcome.content)

    @given(st.binary(max_size=80), CUTS)
    def test_any_octets(self, octets: bytes, cuts: list[int]) -> None:
        """Octets of any kind end where they have to, and the room for them is counted."""
        octets += b"\r\n.\r\n"
        wanted = expected(octets, limit=99, line=99, room=99, normalise=True)
        self.assertEqual(wanted, Outcome(*pieces(octets, cuts), normalise=True).told())
