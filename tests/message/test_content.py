"""Raw content: read and edited without being written anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import (
    BLOCK_OCTETS,
    HEADER_OCTETS,
    Content,
    HeaderTooLarge,
    has_lone_newline,
)
from tests.cutting import CUTS, pieces

HEADER_LIKE = st.lists(
    st.sampled_from(
        [
            b"Subject: a\r\n", b"X-A:\r\n b\r\n", b"x-smtpeter-tags: a,\r\n\tb\r\n", b"X-A : 1\r\n",
            b"From x Mon Jan 1\r\n", b" folded\r\n", b"\r\n", b"no field\r\n", b":\r\n", b"X-A:",
            b"\xfc: a\r\n", b"X-B: \xfc\r\n", b"a", b"\n", b"\r",
        ]
    ),
    max_size=10,
).map(b"".join)  # fmt: skip
OCTETS = HEADER_LIKE | st.binary(max_size=60)


def names(content: Content) -> list[str]:
    return [field.name for field in content.fields()]


class HeaderTests(SynchronousTestCase):
    """Where the header block ends, and what is in it."""

    def test_header(self) -> None:
        """The header block goes as far as the first empty line, and includes it."""
        content = Content.from_octets(b"A: 1\r\n\r\nB: 2\r\n\r\n")
        self.assertEqual(b"A: 1\r\n\r\n", content.header)
        self.assertEqual(8, content.header_octets)
        self.assertEqual(["a"], names(content))

    def test_no_header(self) -> None:
        """A message that begins with an empty line has no fields."""
        content = Content.from_octets(b"\r\nB: 2\r\n")
        self.assertEqual(b"\r\n", content.header)
        self.assertEqual([], names(content))

    def test_no_body(self) -> None:
        """A message without an empty line is header throughout."""
        content = Content.from_octets(b"A: 1\r\nB: 2\r\n")
        self.assertEqual(12, content.header_octets)
        self.assertEqual(["a", "b"], names(content))

    def test_empty(self) -> None:
        """No octets are a message too."""
        content = Content.from_octets(b"")
        self.assertEqual(((), 0, b"", []), (content.blocks, 0, content.header, names(content)))

    def test_folded(self) -> None:
        """A value is unfolded and trimmed; the octets of the field are all of its lines."""
        content = Content.from_octets(b"A: 1\r\nSubject:  one\r\n two\r\n\tthree \r\nB: 2\r\n\r\n")
        subject = content.fields()[1]
        self.assertEqual("one two\tthree", subject.value)
        self.assertEqual((6, 36), (subject.start, subject.end))
        self.assertEqual(b"  one\r\n two\r\n\tthree ", subject.raw)

    def test_names(self) -> None:
        """Names are in lower case, and blanks before the colon do not matter."""
        content = Content.from_octets(b"X-SMTPeter-Tags : a\r\nTO:\r\nx!#$:1\r\n\r\n")
        self.assertEqual(["x-smtpeter-tags", "to", "x!#$"], names(content))

    def test_no_fields(self) -> None:
        """Lines that are no fields are passed over, and so is what they fold to."""
        octets = (
            b"From x Mon Jan 1\r\nno field\r\n B: 2\r\nA b: 1\r\n: 3\r\n\xfc: 4\r\nC: 5\r\n\r\n"
        )
        self.assertEqual(["c"], names(Content.from_octets(octets)))

    def test_not_utf8(self) -> None:
        """Octets of a value that are not UTF-8 do no harm."""
        content = Content.from_octets(b"A: \xc3\xbc\xfc\r\n\r\n")
        self.assertEqual("\u00fc\ufffd", content.fields()[0].value)

    def test_eightbit(self) -> None:
        """One octet above 127 anywhere makes a message 8-bit."""
        self.assertFalse(Content.from_octets(b"A: 1\r\n\r\nabc\r\n").eightbit)
        self.assertTrue(Content.from_octets(b"A: 1\r\n\r\nabc\xfc\r\n").eightbit)

    def test_greatest_header(self) -> None:
        """A header block of the greatest size is read however it was cut, one octet more not."""
        field = b"A: 1234567890\r\n" * (HEADER_OCTETS // 15 - 1)
        longest = field + b"B: " + b"x" * (HEADER_OCTETS - len(field) - 7) + b"\r\n\r\n"
        for cut in (1, 1000, HEADER_OCTETS - 1, HEADER_OCTETS):
            chunks = [longest[:cut], longest[cut:] + b"body\r\n", b"more\r\n"]
            self.assertEqual(HEADER_OCTETS, Content.from_blocks(chunks).header_octets)
            chunks = [b"A" + longest[:cut], longest[cut:] + b"body\r\n", b"more\r\n"]
            self.assertRaises(HeaderTooLarge, Content.from_blocks, chunks)
        self.assertRaises(HeaderTooLarge, Content.from_blocks, [b"A: 1\r\n" * HEADER_OCTETS])

    def test_blocks(self) -> None:
        """The header block is in the first block as a whole; the others stay as they are."""
        blocks = [b"A: 1\r", b"\nB: 2\r\n", b"\r\nbody\r\n", b"more\r\n"]
        content = Content.from_blocks(blocks)
        self.assertEqual((b"A: 1\r\nB: 2\r\n\r\nbody\r\n", b"more\r\n"), content.blocks)
        self.assertEqual(26, content.octets)

    def test_from_octets(self) -> None:
        """Octets in one piece get full lines, and are cut into blocks."""
        self.assertEqual(b"A: 1\r\n\r\nb\r\n", bytes(Content.from_octets(b"A: 1\n\rb")))
        body = b"12345678\r\n" * (BLOCK_OCTETS // 8)
        content = Content.from_octets(b"\r\n" + body)
        self.assertEqual(2, len(content.blocks))
        self.assertEqual(b"\r\n" + body, bytes(content))


class EditTests(SynchronousTestCase):
    """What is taken out and put in front, octet by octet."""

    @given(OCTETS, CUTS)
    def test_any_cut(self, octets: bytes, cuts: list[int]) -> None:
        """Content is its octets, and has the same header, however they came."""
        content = Content.from_blocks(pieces(octets, cuts))
        self.assertEqual(octets, bytes(content))
        self.assertEqual(Content.from_blocks([octets]).header, content.header)
        self.assertNotIn(b"", content.blocks)

    @given(OCTETS)
    def test_fields_are_where_they_say(self, octets: bytes) -> None:
        """Fields stand in the header, in order, apart from each other, and hold what they say."""
        content = Content.from_blocks([octets])
        position = 0
        for field in content.fields():
            self.assertLessEqual(position, field.start)
            position = field.end
            written = content.header[field.start : field.end]
            name, _, rest = written.partition(b":")
            self.assertEqual(field.name, name.rstrip(b" \t").decode().lower())
            self.assertEqual(field.raw, rest.removesuffix(b"\r\n"))
        self.assertLessEqual(position, content.header_octets)

    @given(OCTETS, CUTS, st.sets(st.integers(0, 9)))
    def test_without(self, octets: bytes, cuts: list[int], chosen: set[int]) -> None:
        """Fields that are taken out leave every other octet as it was."""
        content = Content.from_blocks(pieces(octets, cuts))
        doomed = [field for index, field in enumerate(content.fields()) if index in chosen]
        left = bytearray(octets)
        for field in reversed(doomed):
            del left[field.start : field.end]
        less = content.without(reversed(doomed))
        self.assertEqual(bytes(left), bytes(less))
        self.assertEqual(content.octets - content.header_octets, less.octets - less.header_octets)
        self.assertNotIn(b"", less.blocks)

    @given(OCTETS, st.sampled_from([b"A: 1\r\n", b"A: 1\r\n 2\r\nB: 3\r\n"]))
    def test_prepended(self, octets: bytes, lines: bytes) -> None:
        """Fields that are put in front come first, and all else follows as it was."""
        content = Content.from_blocks([b"Z: 0\r\n" + octets])
        more = content.prepended(lines)
        self.assertEqual(lines + bytes(content), bytes(more))
        self.assertEqual(lines + content.header, more.header)
        self.assertEqual(Content.from_octets(lines).fields(), more.fields()[: lines.count(b":")])

    def test_prepended_to_nothing(self) -> None:
        """In front of nothing they are a header, in front of a body alone as well."""
        for octets in (b"", b"\r\n"):
            more = Content.from_octets(octets).prepended(b"A: 1\r\n")
            self.assertEqual((b"A: 1\r\n\r\n", 8), (bytes(more), more.header_octets))

    @given(st.lists(st.sampled_from([b" ", b"\t", b" \tb: 2", b" b"]), min_size=1), OCTETS)
    def test_prepended_to_stray_lines(self, stray: list[bytes], octets: bytes) -> None:
        """Lines with a blank in front that continue nothing do not continue what is put there."""
        for rest in (b"", b"\r\n", b"Z: 0\r\n" + octets):
            content = Content.from_blocks([b"".join(line + b"\r\n" for line in stray) + rest])
            more = content.prepended(b"A: 1\r\n")
            self.assertEqual(b"A: 1\r\n" + rest, bytes(more))
            self.assertEqual(Content.from_blocks([bytes(more)]).header_octets, more.header_octets)
            self.assertEqual("1", more.fields()[0].value)

    def test_without_all(self) -> None:
        """When nothing is left there are no blocks either."""
        content = Content.from_octets(b"A: 1\r\n")
        less = content.without(content.fields())
        self.assertEqual(((), 0), (less.blocks, less.header_octets))
        self.assertIs(content, content.without([]))

    @given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a"])).map(b"".join))
    def test_lone_newlines(self, octets: bytes) -> None:
        """A CR or LF is alone when taking out every CRLF leaves one."""
        bare = octets.replace(b"\r\n", b"x")
        self.assertEqual(b"\r" in bare or b"\n" in bare, has_lone_newline(octets))
