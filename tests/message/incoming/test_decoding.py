"""Bodies and texts without their encodings."""

from __future__ import annotations

from base64 import b64encode
from binascii import b2a_qp

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.decoding import (
    LINE_CHARACTERS,
    LINES,
    TEXT_OCTETS,
    VALUES,
    Header,
    lines_of,
    octets_of,
    one_line,
    text_of,
    without_encoded_words,
)
from smtpeter.message.parts import parse

MEGABYTE = 1024 * 1024


def text(body: bytes, content_type: str = "text/plain", encoding: str = "7bit") -> str:
    """The text of a message with this body."""
    header = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    message = header.encode() + body
    return text_of(message, parse(message))


class HeaderTests(SynchronousTestCase):
    """The fields of a header."""

    def test_many_of_one_name(self) -> None:
        """The first ones are kept, however many follow; others go on being read."""
        many = [("a", str(number)) for number in range(VALUES + 3)]
        found = Header.of([*many, ("b", "c")])
        self.assertEqual(tuple(map(str, range(VALUES))), found.all("a"))
        self.assertEqual("c", found.first("b"))


class DecodingTests(SynchronousTestCase):
    """Bodies without their encodings."""

    @given(st.binary(max_size=300), st.integers(0, 200), st.sampled_from(["base64", "qp", "7bit"]))
    def test_encodings(self, octets: bytes, limit: int, encoding: str) -> None:
        """So many octets as are asked for, and those that were encoded."""
        written = {
            "base64": lambda: b64encode(octets),
            "qp": lambda: b2a_qp(octets, istext=False),
            "7bit": lambda: octets,
        }[encoding]()
        name = "quoted-printable" if encoding == "qp" else encoding
        message = f"Content-Transfer-Encoding: {name}\r\n\r\n".encode() + written
        self.assertEqual(octets[:limit], octets_of(message, parse(message), limit))

    def test_damaged_base64(self) -> None:
        """What is whole of it is decoded."""
        self.assertEqual("hello wo", text(b"aGVsbG8g!\r\nd29", encoding="base64"))
        self.assertEqual("hel", text(b"aGVsb", encoding="base64"))

    def test_charsets(self) -> None:
        """Those that are known, and for others what the octets look like."""
        for octets, charset, expected in (
            ("Größe".encode("latin-1"), "iso-8859-1", "Größe"),
            ("Größe".encode(), "", "Größe"),
            ("Größe".encode(), "no-such-charset", "Größe"),
            ("Größe".encode("latin-1"), "utf-8", "Größe"),
            ("配信".encode("iso-2022-jp"), "ISO-2022-JP", "配信"),
        ):
            self.assertEqual(expected, text(octets, f'text/plain; charset="{charset}"'))

    def test_cut_character(self) -> None:
        """A character that the limit cuts in two is left out, and the others stay."""
        message = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "é".encode() * 10
        self.assertEqual("é", text_of(message, parse(message), 3))

    def test_html(self) -> None:
        """As it reads: tags end lines, styles and scripts say nothing."""
        html = (
            b"<html><head><title>no</title></head><body><style>no</style><p>One <b>two</b></p>"
            b"&lt;kees@mailbox.example&gt;:<br>550\r\n no<!-- no --><script>no</script></body>"
        )
        self.assertEqual(
            ["", "One two", "<kees@mailbox.example>:", "550 no"],
            text(html, "text/html").split("\n"),
        )

    @given(st.text(max_size=200))
    def test_one_line(self, value: str) -> None:
        """It is one line, printable, no longer than it may be."""
        line = one_line(value, 50)
        self.assertTrue(line.isprintable())
        self.assertLessEqual(len(line), 50)

    def test_encoded_words(self) -> None:
        """They are decoded where they can be."""
        for written, shown in (
            ("=?utf-8?q?Gr=C3=B6=C3=9Fe?=", "Größe"),
            ("plain", "plain"),
            ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
            ("=?x-none?q?a=FF?=", "aÿ"),
        ):
            self.assertEqual(shown, without_encoded_words(written))


class BoundTests(SynchronousTestCase):
    """A megabyte of text costs no more than the beginning of it."""

    def test_text(self) -> None:
        """So much of a part is decoded, in whatever encoding."""
        body = b"=41" * (MEGABYTE // 3)
        for octets, encoding in (
            (b"a" * MEGABYTE, "7bit"),
            (b64encode(b"a" * MEGABYTE), "base64"),
            (body, "quoted-printable"),
        ):
            self.assertEqual(TEXT_OCTETS, len(text(octets, encoding=encoding)))

    def test_lines(self) -> None:
        """So many lines of it, and so much of each."""
        self.assertEqual(LINES, len(lines_of("a\n" * MEGABYTE)))
        self.assertEqual(LINE_CHARACTERS, len(lines_of("a" * MEGABYTE)[0]))
