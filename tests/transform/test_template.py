from __future__ import annotations

from base64 import encodebytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message import quotedprintable
from smtpeter.message.content import BLOCK_OCTETS, Content
from smtpeter.message.parts import parse
from smtpeter.transform.bodytext import BodyText, decoded, edits_for
from smtpeter.transform.identifier import LONGEST
from smtpeter.transform.marks import Marks
from smtpeter.transform.template import MarksLost, Span, Template, filled, gapped, template

WORD = "{here}"
LINES = st.lists(
    st.lists(
        st.sampled_from(
            ["a", "<p>", "gr\u00fc\u00df", "=", " ", "x" * 70, '<a href="', WORD, "Z", "0"]
        ),
        max_size=8,
    ).map("".join),
    min_size=1,
    max_size=8,
).map("\r\n".join)
IDENTIFIERS = st.lists(
    st.text("ABCabc019Z", min_size=1, max_size=LONGEST), min_size=64, max_size=64
)
CHARSETS = st.sampled_from(["utf-8", "iso-8859-1", "utf-16-le", "utf-16-be"])
ENCODINGS = st.sampled_from(["8bit", "binary", "base64", "quoted-printable"])


def message(text: str, charset: str, encoding: str) -> bytes:
    """A message of one part that says this."""
    body = text.encode(charset)
    if encoding == "base64":
        body = encodebytes(body).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        body = quotedprintable.encoded(body)
    header = (
        f"MIME-Version: 1.0\r\nContent-Type: text/html; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return header.encode() + body


def marked(text: str, marks: Marks) -> str:
    """A text with a mark in the place of each word."""
    first, *others = text.split(WORD)
    return first + "".join(marks.make("click", 0) + each for each in others)


class FilledTests(SynchronousTestCase):
    """Gaps in an encoded message."""

    def through(
        self, octets: bytes, text: str, identifiers: list[str]
    ) -> tuple[bytes, BodyText, str]:
        """Fill a template; gives the message, what it said, and what it should say."""
        part = parse(octets)
        before = decoded(octets, part)
        assert before is not None
        marks = Marks(octets)
        new = marked(text, marks)
        edits = edits_for(octets, part, before, new, marks.prefix)
        made = template(len(octets), gapped(edits, part, before, new, marks))
        content = filled(Content.from_blocks([octets]), made, identifiers)
        return bytes(content), before, marks.replaced(new, identifiers)

    @given(LINES, LINES, CHARSETS, ENCODINGS, IDENTIFIERS)
    def test_says_it(
        self, before: str, text: str, charset: str, encoding: str, identifiers: list[str]
    ) -> None:
        """Whatever the charset and the encoding, a reader sees the identifiers in their places."""
        octets = message(before, charset, encoding)
        if decoded(octets, parse(octets)) is None:
            return
        sent, was, expected = self.through(octets, text, identifiers)
        says = decoded(sent, parse(sent))
        assert says is not None
        if says.charset == was.charset or expected.isascii():
            self.assertEqual(expected, says.text)
        if parse(sent).encoding in {"base64", "quoted-printable"}:
            lines = sent.split(b"\r\n\r\n", 1)[1].split(b"\r\n")
            self.assertLessEqual(max(map(len, lines)), 76)

    @given(LINES, st.sampled_from(["8bit", "base64", "quoted-printable"]))
    def test_no_gaps(self, text: str, encoding: str) -> None:
        """Without marks, the message is the one that the edits make."""
        octets = message("before", "utf-8", encoding)
        sent, _, expected = self.through(octets, text.replace(WORD, ""), [])
        says = decoded(sent, parse(sent))
        assert says is not None
        self.assertEqual(expected, says.text)

    def test_lost(self) -> None:
        """A mark that cannot be found again is an error, and no message with a mark in it."""
        octets = message("before", "utf-8", "8bit")
        part = parse(octets)
        before = decoded(octets, part)
        assert before is not None
        marks = Marks(octets)
        text = marked(WORD, marks)
        with self.assertRaises(MarksLost):
            gapped([(part.body, part.end, b"something else")], part, before, text, marks)

    def test_large(self) -> None:
        """Blocks without a change are not copied."""
        block = b"x" * BLOCK_OCTETS
        content = Content.from_blocks([b"A: b\r\n\r\nHello", block, block + b"end"])
        made = Template((Span(0, 8), 0, Span(13, content.octets)))
        sent = filled(content, made, ["Goodbye"])
        self.assertEqual(b"A: b\r\n\r\nGoodbye" + block + block + b"end", bytes(sent))
        self.assertEqual(8, sent.header_octets)
        self.assertTrue(any(each is block for each in sent.blocks))

    def test_holding(self) -> None:
        """A template that holds its octets needs no message."""
        octets = b"A: b\r\n\r\nHello"
        made = Template((Span(0, 8), 0)).holding(octets)
        self.assertEqual(
            b"A: b\r\n\r\nBye", bytes(filled(Content.from_blocks([b"Z\r\n"]), made, ["Bye"]))
        )
        self.assertEqual(8 + LONGEST, made.octets)
