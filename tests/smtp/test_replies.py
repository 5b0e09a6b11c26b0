"""Reading replies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.reply import Reply
from smtpeter.smtp.replies import LINE_OCTETS, REPLY_LINES, InvalidReply, ReplyReader


def read(octets: bytes, size: int = 0) -> list[Reply | str]:
    """The replies in octets that come in pieces of `size`; "invalid" in place of an error."""
    reader = ReplyReader()
    found: list[Reply | str] = []
    step = size or max(len(octets), 1)
    for start in range(0, len(octets), step):
        reader.feed(octets[start : start + step])
        try:
            while (reply := reader.next_reply()) is not None:
                found.append(reply)
        except InvalidReply:
            return [*found, "invalid"]
    return found


class ReplyTests(SynchronousTestCase):
    """Replies that are valid."""

    def test_one_line(self) -> None:
        """A single line is a reply."""
        self.assertEqual([Reply(250, "", "Ok")], read(b"250 Ok\r\n"))

    def test_several_in_one_packet(self) -> None:
        """Replies that come together are told apart."""
        octets = b"250 2.1.0 Ok\r\n550 5.1.1 no\r\n354 go\r\n"
        expected = [Reply(250, "2.1.0", "Ok"), Reply(550, "5.1.1", "no"), Reply(354, "", "go")]
        self.assertEqual(expected, read(octets))

    def test_several_lines(self) -> None:
        """The lines of one reply are joined, each without the enhanced code."""
        octets = b"550-5.7.1 first\r\n550-5.7.1 second\r\n550 5.7.1 third\r\n"
        self.assertEqual([Reply(550, "5.7.1", "first\nsecond\nthird")], read(octets))

    def test_code_alone(self) -> None:
        """A code without text is a reply."""
        self.assertEqual([Reply(250, "", "")], read(b"250\r\n"))
        self.assertEqual([Reply(250, "2.0.0", "")], read(b"250 2.0.0\r\n"))

    def test_enhanced_code_of_another_class(self) -> None:
        """An enhanced code counts only when its class is that of the reply."""
        self.assertEqual([Reply(250, "", "5.1.1 odd")], read(b"250 5.1.1 odd\r\n"))

    def test_longer_enhanced_code_in_a_later_line(self) -> None:
        """A later line with another enhanced code keeps it as text."""
        self.assertEqual(
            [Reply(550, "5.1.1", "a\n5.1.10 b")], read(b"550-5.1.1 a\r\n550 5.1.10 b\r\n")
        )

    def test_control_characters(self) -> None:
        """Control characters do not get into logs."""
        self.assertEqual([Reply(250, "", "a?[31mb")], read(b"250 a\x1b[31mb\r\n"))

    def test_octets_above_127(self) -> None:
        """UTF-8 is read, anything else replaced."""
        self.assertEqual([Reply(250, "", "ü\ufffd")], read("250 ü".encode() + b"\xff\r\n"))

    def test_pending(self) -> None:
        """Whatever has not been handed out is pending."""
        reader = ReplyReader()
        reader.feed(b"220 go\r\n2")
        reader.next_reply()
        self.assertTrue(reader.pending)
        reader.feed(b"50-a\r\n")
        self.assertIsNone(reader.next_reply())
        self.assertTrue(reader.pending)
        reader.feed(b"250 b\r\n")
        reader.next_reply()
        self.assertFalse(reader.pending)


class InvalidReplyTests(SynchronousTestCase):
    """What is no reply."""

    def test_not_smtp(self) -> None:
        """Codes of other than three digits, other classes and other separators are refused."""
        codes = (b"+22 x", b" 25 x", b"25 x", b"2500 x", b"250_x", b"050 x", b"150 x", b"650 x")
        others = (b"HTTP/1.1 400 Bad Request", b"", b"SSH-2.0-x", "\uff1250 x".encode())
        for line in (*codes, *others):
            self.assertEqual(["invalid"], read(line + b"\r\n"), line)

    def test_codes_that_differ(self) -> None:
        """The lines of one reply have one code."""
        self.assertEqual(["invalid"], read(b"250-a\r\n550 b\r\n"))

    def test_lone_line_ends(self) -> None:
        """A line ends with CRLF and holds no other CR or LF."""
        for octets in (b"250 a\n", b"250 a\rb\r\n", b"250 a\r\r\n", b"250 a\n250 b\r\n", b"\n"):
            self.assertEqual(["invalid"], read(octets), octets)

    def test_overlong_line(self) -> None:
        """A line has a limit, whether its end comes or not."""
        self.assertEqual(["invalid"], read(b"250 " + b"x" * LINE_OCTETS))
        self.assertEqual(["invalid"], read(b"250 " + b"x" * LINE_OCTETS + b"\r\n"))
        longest = LINE_OCTETS - len(b"250 \r\n")
        self.assertEqual([Reply(250, "", "x" * longest)], read(b"250 " + b"x" * longest + b"\r\n"))

    def test_too_many_lines(self) -> None:
        """A reply has a limited number of lines."""
        enough = b"250-x\r\n" * (REPLY_LINES - 1)
        self.assertEqual(1, len(read(enough + b"250 x\r\n")))
        self.assertEqual(["invalid"], read(enough + b"250-x\r\n250 x\r\n"))


PIECES = st.lists(
    st.sampled_from(
        [
            b"250 ok\r\n",
            b"250-a\r\n",
            b"250 2.0.0 b\r\n",
            b"550-5.1.1 c\r\n",
            b"550 5.1.1 d\r\n",
            b"421",
            b"-",
            b" ",
            b"\r",
            b"\n",
            b"\r\n",
            b"x",
            b"\xfc",
            b"4.7.1 ",
            b"354 go\r\n",
        ]
    )
    | st.binary(max_size=4)
).map(b"".join)


class SplitTests(SynchronousTestCase):
    """Replies in pieces."""

    @given(PIECES, st.integers(1, 5))
    def test_pieces_make_no_difference(self, octets: bytes, size: int) -> None:
        """Octets read alike whole and in pieces of any size."""
        self.assertEqual(read(octets), read(octets, size))
