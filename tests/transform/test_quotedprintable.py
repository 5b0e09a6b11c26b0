"""Quoted-printable: read, written, and changed line by line."""

from __future__ import annotations

from binascii import a2b_qp

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.parts import replaced
from smtpeter.transform.quotedprintable import decoded, edits_for, encoded

OCTETS = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\t", b"=", b".", b"a" * 30, b"word", b"\xe9"])
    | st.binary(max_size=3),
    max_size=40,
).map(b"".join)
# As other programs write it: soft breaks anywhere, blanks that got behind lines, small letters.
BODIES = st.lists(
    st.sampled_from(
        [
            b"\r\n", b"=\r\n", b"= \r\n", b" \r\n", b"\t \r\n", b"=3d", b"=E9", b"=0D=0A", b"=20",
            b"<td>", b"words of text", b"a" * 40, b"=", b"==", b"=zz", b" ", b"=0a",
        ]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


def changed(body: bytes, octets: bytes) -> bytes:
    return replaced(body, edits_for(body, octets))


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

    @given(OCTETS, OCTETS)
    @example(b"a" * 76, b"b")
    def test_more(self, octets: bytes, following: bytes) -> None:
        """What is encoded to have more behind it can be followed by a line."""
        body = encoded(octets, more=True)
        self.assertEqual(octets + following, decoded(body + encoded(following)))
        self.assertTrue(not body or body.endswith(b"\r\n"))
        self.assertLessEqual(max(map(len, body.split(b"\r\n"))), 76)

    def test_blanks(self) -> None:
        """Blanks at the end of a line are none of it, nor do they undo a soft line break."""
        self.assertEqual(b"a\r\nb c\r\n\r\nd", decoded(b"a \t\r\nb= \r\n c\t\r\n \r\nd  "))

    def test_tolerant(self) -> None:
        """Small letters are read; what is no encoding stays."""
        self.assertEqual(b"\xe9=zz", decoded(b"=e9=zz"))


class EditTests(SynchronousTestCase):
    """The lines that change."""

    @given(BODIES, OCTETS)
    def test_anything(self, body: bytes, octets: bytes) -> None:
        """Whatever a body says, it can be made to say anything else."""
        self.assertEqual(octets, decoded(changed(body, octets)))

    @given(BODIES, st.data())
    def test_some_edits(self, body: bytes, data: st.DataObject) -> None:
        """So it is with a few edits; lines that are not written anew keep their octets."""
        octets = decoded(body)
        edits = []
        position = 0
        for _ in range(data.draw(st.integers(0, 4))):
            start = data.draw(st.integers(position, len(octets)))
            position = data.draw(st.integers(start, min(start + 20, len(octets))))
            edits.append((start, position, data.draw(OCTETS)))
        new = replaced(octets, edits)
        self.assertEqual(new, a2b_qp(changed(body, new)) if b" " not in body else new)
        self.assertEqual(new, decoded(changed(body, new)))
        for line in changed(body, new).split(b"\r\n"):
            self.assertTrue(len(line) <= 76 or line in body.split(b"\r\n"))

    @given(BODIES)
    def test_nothing(self, body: bytes) -> None:
        """Without a difference there is no edit."""
        self.assertEqual([], edits_for(body, decoded(body)))

    def test_one_line(self) -> None:
        """Only the line that says something else is written anew."""
        body = b"caf=e9 \r\n<a href=3D'x'>=\r\ncaf=e9=20\r\n=\r\ncaf=e9"
        new = decoded(body).replace(b"'x'", b"'y=z'")
        self.assertEqual(body.replace(b"'x'>", b"'y=3Dz'>"), changed(body, new))

    def test_many_lines(self) -> None:
        """Of many changes, each writes its own line anew, whatever else grows or goes."""
        lines = [b"line n=6fmb=65r %d is not like the others\r\n" % number for number in range(500)]
        expected, new = list(lines), [decoded(line) for line in lines]
        for number in range(0, 500, 7):
            new[number] = b"<p>%d\r\n" % number * (number % 5)
            expected[number] = new[number]
        expected[203:403] = new[203:403] = []
        new.insert(100, b"put in\r\n" * 2000)
        expected.insert(100, new[100])
        self.assertEqual(b"".join(expected), changed(b"".join(lines), b"".join(new)))

    def test_minified(self) -> None:
        """In one long line of text, the other lines of the body stay as they are."""
        pieces = [b"<td class=3dx>c=65ll %03d of the table</td>=\r\n" % each for each in range(300)]
        new = decoded(b"".join(pieces))
        expected = list(pieces)
        for number in (10, 11, 150, 299):
            new = new.replace(b"%03d" % number, b"number %03d" % number)
            cell = b"<td class=3Dx>cell number %03d of the table</td>" % number
            expected[number] = cell + b"=\r\n" if number != 299 else cell
        expected[10:12] = [encoded(decoded(expected[10] + expected[11]), more=True)]
        self.assertEqual(b"".join(expected), changed(b"".join(pieces), new))

    def test_end(self) -> None:
        """Text behind the last line does not run into it."""
        self.assertEqual(b"a=20\r\nbc", changed(b"a=20\r\nb", b"a \r\nbc"))
        self.assertEqual(b"a=20\r\nb", changed(b"a=20\r\n", b"a \r\nb"))
        self.assertEqual(b"a=20\r\n", changed(b"a=20\r\nb", b"a \r\n"))
        self.assertEqual(b"", changed(b"a", b""))
        self.assertEqual(b"a", changed(b"", b"a"))
