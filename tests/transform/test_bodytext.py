"""The text of a part: read faithfully, changed where it changes."""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import a2b_base64

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message import quotedprintable
from smtpeter.message.parts import Part, parse, replaced
from smtpeter.transform.bodytext import BodyText, decoded, edits_for
from tests.mimetrees import Tree, trees

CHARSETS = [
    "us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16", "utf-16le",
    "utf-16be", "iso-2022-jp", "gb2312", "koi8-r", "x-unknown", "utf-7", "hz", "base64", "",
]  # fmt: skip
ENCODINGS = ["7bit", "8bit", "binary", "quoted-printable", "base64", "Base64 (x)", "x-uuencode"]
TEXTS = st.lists(
    st.sampled_from(
        [
            "<p>", "a word ", "\r\n", "é", "€", "“”", "日本", "\ufeff", "=", " \r\n", "\t",
            "<td>\r\n", "{{x}}", "&amp;", "x" * 90, "\x85",
        ]
    ),
    max_size=30,
).map("".join)  # fmt: skip
OCTETS = st.lists(
    st.sampled_from(
        [
            b"<p>", b"word", b"\r\n", b" \r\n", b"\xe9", b"\xc3\xa9", b"\x80", b"\x81", b"\0", b"=",
            b"=e9", b"=\r\n", b"= \r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"~{<:~}",
            b"\x1b$B<<\x1b(B", b"<meta charset=iso-8859-1>", b"+AGE-", b"x" * 90,
        ]
    ),
    max_size=20,
).map(b"".join)  # fmt: skip
REFERENCE = re.compile(r"&#([0-9]+);")


def part(octets: bytes) -> Part:
    return parse(octets)


def message(body: bytes, charset: str = "", encoding: str = "", kind: str = "text/html") -> bytes:
    """Write a message of one part."""
    header = f"Subject: x\r\nContent-Type: {kind}" + f"; charset={charset}" * bool(charset)
    field = f"Content-Transfer-Encoding: {encoding}\r\n" * bool(encoding)
    return f"{header}\r\n{field}X-Last: y\r\n\r\n".encode() + body


def transferred(octets: bytes, encoding: str) -> bytes:
    if encoding == "quoted-printable":
        return quotedprintable.encoded(octets)
    return b64encode(octets) if encoding.startswith(("base64", "Base64")) else octets


def text_of(octets: bytes) -> BodyText:
    found = decoded(octets, parse(octets))
    assert found is not None
    return found


def changed(octets: bytes, text: str) -> bytes:
    """Make the only part of a message say a text."""
    return replaced(octets, edits_for(octets, parse(octets), text_of(octets), text))


class DecodedTests(SynchronousTestCase):
    """What a part says."""

    @given(OCTETS, st.sampled_from(CHARSETS), st.sampled_from(ENCODINGS))
    def test_faithful(self, body: bytes, charset: str, encoding: str) -> None:
        """Whatever is in a part, its text makes the same octets again, or there is none."""
        octets = message(transferred(body, encoding), charset, encoding)
        found = decoded(octets, parse(octets))
        if found is not None:
            self.assertEqual(body, found.text.encode(found.charset))
            self.assertEqual([], edits_for(octets, parse(octets), found, found.text))

    def test_declared(self) -> None:
        """A text is read in its charset, whatever encoding it travels in."""
        for charset, text in (
            ("utf-8", "é€日本"), ("iso-8859-1", "é"), ("ISO-8859-15", "é€"), ("koi8-r", "да"),
            ("windows-1252", "é€“"), ("iso-2022-jp", "日本"), ("gb2312", "日本"), ("big5", "日本"),
        ):  # fmt: skip
            for encoding in ("8bit", "binary", "quoted-printable", "base64"):
                body = transferred(f"<p>\r\n{text}\r\n".encode(charset), encoding)
                self.assertEqual(
                    f"<p>\r\n{text}\r\n", text_of(message(body, charset, encoding)).text
                )

    def test_wrong_charset(self) -> None:
        """Without the right declaration it is UTF-8, or else Windows-1252."""
        for charset in ("", "us-ascii", "x-unknown", "utf-8"):
            self.assertEqual("é€", text_of(message("é€".encode(), charset)).text)
            self.assertEqual("é€", text_of(message(b"\xe9\x80", charset)).text)
        self.assertEqual("“\xe9”", text_of(message(b"\x93\xe9\x94", "iso-8859-1")).text)
        self.assertEqual("\x81\x93", text_of(message(b"\x81\x93", "iso-8859-1")).text)
        self.assertEqual("é镕", text_of(message("é镕".encode("gb18030"), "gb2312")).text)

    def test_meta(self) -> None:
        """HTML may declare its charset itself, where the header does not."""
        for meta in (
            "<meta charset=koi8-r>",
            "<META http-equiv=x content='text/html; CHARSET=koi8-r'>",
        ):
            text = f"<html>{meta}да"
            self.assertEqual(text, text_of(message(text.encode("koi8-r"))).text)
            self.assertEqual(text, text_of(message(text.encode("utf-8"), "utf-8")).text)
            self.assertNotEqual(
                text, text_of(message(text.encode("koi8-r"), kind="text/plain")).text
            )

    def test_utf_16(self) -> None:
        """UTF-16 is read with and without a byte order mark, in either order."""
        text = "<p>é日本</p>\r\n"
        for charset in ("utf-16", "utf-16le", "utf-16be"):
            for codec in ("utf-16-le", "utf-16-be"):
                if charset in {"utf-16", codec.replace("16-", "16")}:
                    octets = message(b64encode(text.encode(codec)), charset, "base64")
                    self.assertEqual(text, text_of(octets).text)
                    marked = message(b64encode(f"\ufeff{text}".encode(codec)), "", "base64")
                    self.assertEqual(f"\ufeff{text}", text_of(marked).text)

    def test_undecodable(self) -> None:
        """What is in no charset, or in no transfer encoding, has no text."""
        for octets in (
            message(b"\x00\xd8", "utf-16le"),  # half a pair
            message(b"<p>", "utf-8", "x-uuencode"),
            message(b"YQ==YQ==", "utf-8", "base64"),  # something else would get lost
            message(b"YQ==\r\n-- \r\nlist footer", "utf-8", "base64"),
            message(b"a", "utf-8", "base64"),
            message(b"a\0b\xff", "utf-8"),
            message(b"\x1b$B<<<\xff", "utf-8"),  # shifts, so brackets may be none
            b"Content-Type: text/html\r\n",  # nowhere to put a body
        ):
            self.assertIsNone(decoded(octets, parse(octets)), octets)

    def test_shifts(self) -> None:
        """ISO-2022-JP is known by its shifts when nothing, or ASCII, is declared."""
        body = "<p>日本".encode("iso-2022-jp")
        for charset in ("", "us-ascii", "utf-8"):
            self.assertEqual("<p>日本", text_of(message(body, charset)).text)


class EditsTests(SynchronousTestCase):
    """What has to change."""

    @given(TEXTS, TEXTS, st.sampled_from(CHARSETS), st.sampled_from(ENCODINGS))
    @example("é", "€", "iso-8859-1", "8bit")
    @example("", "x" * 999, "utf-8", "7bit")
    def test_round_trip(self, before: str, after: str, charset: str, encoding: str) -> None:
        """After the edits a part says the text, and everything around it is as it was."""
        body = before.encode(
            "utf-8" if charset in {"x-unknown", "base64", ""} else charset, "ignore"
        )
        octets = message(transferred(body, encoding), charset, encoding)
        found = decoded(octets, parse(octets))
        if found is None:
            return
        new = replaced(octets, edits_for(octets, parse(octets), found, after))
        header = new[: parse(new).body]
        again = new[parse(new).body :]
        if parse(new).encoding == "quoted-printable":
            again = quotedprintable.decoded(again)
        elif parse(new).encoding == "base64":
            again = a2b_base64(again)
        said = again.decode(found.charset)
        self.assertEqual(after, REFERENCE.sub(lambda match: chr(int(match[1])), said))
        if parse(new).encoding == parse(octets).encoding:
            self.assertEqual(octets[: parse(octets).body], header)
        if encoding in {"7bit", "8bit", "binary"}:
            self.assertLessEqual(max(map(len, new.split(b"\r\n"))), 998)

    @given(trees(), TEXTS)
    def test_in_a_tree(self, tree: Tree, after: str) -> None:
        """In whatever message a part stands, the others keep their octets."""
        octets = bytes(tree)
        parts = list(parse(octets).walk())
        leaves = [number for number, each in enumerate(parts) if not each.children]
        text = after + "."
        edits = []
        for number in leaves[::2]:
            found = decoded(octets, parts[number])
            if found is not None:
                edits += edits_for(octets, parts[number], found, text)
        new = replaced(octets, edits)
        after_parts = list(parse(new).walk())
        self.assertEqual(len(parts), len(after_parts))
        for number in leaves:
            old, now = parts[number], after_parts[number]
            if number in leaves[::2] and decoded(octets, old) is not None:
                found = decoded(new, now)
                assert found is not None
                if now.media_type != "text/html":
                    self.assertEqual(text, found.text)
            else:
                self.assertEqual(octets[old.start : old.end], new[now.start : now.end])

    def test_references(self) -> None:
        """HTML refers to the characters that its charset lacks."""
        self.assertTrue(
            changed(message(b"\xe9", "iso-8859-1", "8bit"), "é€").endswith(b"\r\n\r\n\xe9&#8364;")
        )
        self.assertTrue(changed(message(b"e", "utf-8", "7bit"), "€").endswith(b"&#8364;"))
        self.assertTrue(changed(message(b"e", "utf-8", "8bit"), "€").endswith("€".encode()))

    def test_other_charset(self) -> None:
        """Plain text goes over to UTF-8, and nothing else is declared anew."""
        before = message(b"\xe9", "iso-8859-1; format=flowed", "8bit", "text/plain")
        self.assertEqual(
            message("é€".encode(), "utf-8", "8bit", "text/plain; format=flowed"),
            changed(before, "é€"),
        )
        self.assertEqual(
            b"A: b\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=E2=82=AC",
            changed(b"A: b\r\n\r\nx", "€"),
        )

    def test_long_line(self) -> None:
        """A line that grows too long makes the part quoted-printable; its header says so."""
        after = "é" + "x" * 998
        for encoding in ("8bit", "Binary", "7BIT\r\n (x)"):
            new = changed(message("é".encode(), "utf-8", encoding), after)
            body = quotedprintable.encoded(after.encode())
            self.assertEqual(message(body, "utf-8", "quoted-printable"), new)
        new = changed(message(b"e", "utf-8"), "x" * 998)
        self.assertEqual(message(b"x" * 998, "utf-8"), new)
        new = changed(message(b"e", "utf-8"), "x" * 999)
        self.assertIn(b"\r\nX-Last: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", new)
        self.assertEqual("x" * 999, text_of(new).text)

    def test_lone_newline(self) -> None:
        """So does a line break that may not stand in a message."""
        self.assertTrue(changed(message(b"e", "utf-8", "8bit"), "a\nb").endswith(b"\r\n\r\na=0Ab"))

    def test_quoted_printable(self) -> None:
        """A part that is quoted-printable stays so."""
        body = b"caf=c3=a9 =\r\n<a href=3d'x'>\r\nt=C3=A9  \r\n"
        new = changed(message(body, "utf-8", "quoted-printable"), "café <a href='y'>\r\nté\r\n")
        expected = b"caf=C3=A9 <a href=3D'y'>\r\nt=C3=A9\r\n"
        self.assertEqual(message(expected, "utf-8", "quoted-printable"), new)

    def test_base64(self) -> None:
        """Base64 keeps the length of its lines, and the line break at the end."""
        text = "<p>" + "é" * 200
        encoded = b64encode(text.encode())
        for length in (40, 61, 76, 990):
            for end in (b"", b"\r\n"):
                lines = [encoded[at : at + length] for at in range(0, len(encoded), length)]
                octets = message(b"\r\n".join(lines) + end, "utf-8", "base64")
                new = changed(octets, text + "!")
                self.assertEqual(octets.removesuffix(end)[:-8], new[: len(octets) - len(end) - 8])
                self.assertEqual(text + "!", text_of(new).text)
                self.assertEqual(bool(end), new.endswith(b"\r\n"))
        one = changed(message(b"YQ==", "utf-8", "base64"), text)
        self.assertEqual(76, len(one.partition(b"\r\n\r\n")[2].partition(b"\r\n")[0]))
