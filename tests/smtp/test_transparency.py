"""Doubling dots."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp.transparency import DotStuffer

ODD = b".\r\n..\r\n.a\r\n\r\n.\r\n..b.\r\n.\r\nMAIL FROM:<x@y.example>\r\n.\r\n"


def encoded(*blocks: bytes) -> bytes:
    """Blocks as one content on the wire."""
    stuffer = DotStuffer()
    return b"".join([*map(stuffer.encode, blocks), stuffer.end()])


class DotStufferTests(SynchronousTestCase):
    """Content on the wire."""

    def test_dots_at_the_start_of_lines(self) -> None:
        """A dot that begins a line is doubled, on the first line too; no other is."""
        self.assertEqual(b"..\r\n...\r\n..a\r\nb.c\r\n.\r\n", encoded(b".\r\n..\r\n.a\r\nb.c\r\n"))

    def test_cut_everywhere(self) -> None:
        """Cut in three at every two positions, the octets on the wire are the same."""
        whole = encoded(ODD)
        for first in range(len(ODD) + 1):
            for second in range(first, len(ODD) + 1):
                cut = encoded(ODD[:first], ODD[first:second], ODD[second:])
                self.assertEqual(whole, cut, (first, second))

    def test_octet_by_octet(self) -> None:
        """In blocks of one octet too."""
        self.assertEqual(encoded(ODD), encoded(*(bytes([octet]) for octet in ODD)))

    def test_line_ends_stay(self) -> None:
        """CRLF is sent as it is."""
        self.assertEqual(b"a\r\n\r\nb\r\n.\r\n", encoded(b"a\r\n\r\nb\r\n"))

    def test_end(self) -> None:
        """The end is on a line of its own, exactly once."""
        self.assertEqual(b".\r\n", encoded())
        self.assertEqual(b"a\r\n.\r\n", encoded(b"a\r\n"))
        self.assertEqual(b"a\r\n.\r\n", encoded(b"a"))
        self.assertEqual(b"a\r\n.\r\n", encoded(b"a\r", b"\n"))

    def test_no_copy(self) -> None:
        """A block without such dots is handed on as the same object."""
        block = b"a.b\r\nc\r\n"
        self.assertIs(block, DotStuffer().encode(block))

    @given(st.lists(st.sampled_from([b"\r\n", b".", b"a", b"\r\n.", b".\r\n"])), st.data())
    def test_a_receiver_reads_what_was_sent(self, tokens: list[bytes], data: st.DataObject) -> None:
        """However it is cut, a receiver finds one end, and before it what was sent."""
        content = b"".join(tokens) + b"\r\n"
        cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
        edges = [0, *cuts, len(content)]
        wire = encoded(*(content[a:b] for a, b in pairwise(edges)))
        body, end, rest = (b"\r\n" + wire).partition(b"\r\n.\r\n")
        self.assertEqual((b"\r\n.\r\n", b""), (end, rest))
        self.assertEqual(content, re.sub(rb"\r\n\.", rb"\r\n", body)[2:] + b"\r\n")
