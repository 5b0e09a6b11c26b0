"""Parameters of header fields."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.headers import attachment_field
from smtpeter.message.parameters import VALUE_OCTETS, parse_parameters

VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80)


class ParameterTests(SynchronousTestCase):
    """The word, and names with values."""

    def assert_read(self, raw: str | bytes, word: str, **parameters: str) -> None:
        octets = raw.encode() if isinstance(raw, str) else raw
        found = parse_parameters(octets)
        self.assertEqual((word, parameters), (found.word, found.parameters), raw)

    def test_common(self) -> None:
        """Quotes, blanks and folds make no difference; names and the word are in any case."""
        for raw in (
            "text/html; charset=utf-8",
            ' Text/HTML;CHARSET="utf-8"',
            "text/html\r\n\t;\r\n charset = utf-8 ;",
            'text/html; charset="utf\\-8"',
            "text/html; charset=utf-8; charset=latin1",
            "text/html; nonsense; charset=utf-8; =x",
        ):
            self.assert_read(raw, "text/html", charset="utf-8")

    def test_quoted(self) -> None:
        """In quotes, marks have no meaning."""
        self.assert_read('a/b; x="; y=(1) \\"2\\""; z=3', "a/b", x='; y=(1) "2"', z="3")
        self.assert_read('a/b; x="never closed; y=1', "a/b", x="never closed; y=1")

    def test_comments(self) -> None:
        """Comments are left out, nested ones as well; not so what stands within a word."""
        self.assert_read("a/b (x; y=1 (z)) ; (c) n=1 (\\))", "a/b", n="1")
        self.assert_read("a/b; name=copy(1).html", "a/b", name="copy(1).html")
        self.assert_read("a/b(c); n=(c) 1", "a/b", n="1")

    def test_extended(self) -> None:
        """Values in other charsets and in sections are put together (RFC 2231)."""
        self.assert_read("a/b; n*=iso-8859-1'en'%e9%C8", "a/b", n="éÈ")
        self.assert_read("a/b; n*1*=%A9x; n*2=y; n*0*=utf-8''%C3", "a/b", n="éxy")
        self.assert_read('a/b; n*0=a; n*1="b c"; n*3=lost', "a/b", n="ab c")
        self.assert_read("a/b; n=plain; n*=utf-8''%E2%82%AC", "a/b", n="€")
        self.assert_read("a/b; n*=x-unknown''%e9", "a/b", n="é")

    def test_encoded_words(self) -> None:
        """Encoded-words are decoded, although none may stand there."""
        self.assert_read('a/b; n="=?utf-8?q?=E2=82=AC?= 5"', "a/b", n="€ 5")
        self.assert_read("a/b; n==?iso-8859-1?B?6Q==?=", "a/b", n="é")
        self.assert_read("a/b; n==?utf-8?B?6?=", "a/b", n="=?utf-8?B?6?=")

    def test_raw_octets(self) -> None:
        """Octets above 127 are UTF-8, or else ISO 8859-1."""
        self.assert_read("a/b; n=é", "a/b", n="é")
        self.assert_read(b"a/b; n=\xe9", "a/b", n="é")

    def test_boundary(self) -> None:
        """A boundary is its very octets."""
        for raw, boundary in (
            (b'm/x; boundary="a b"', b"a b"),
            (b"m/x; boundary=----=_Part_1", b"----=_Part_1"),
            (b"m/x; boundary=\xe9", b"\xe9"),
            (b'm/x; boundary="=?utf-8?q?a?="', b"=?utf-8?q?a?="),
            (b"m/x; boundary*0=a; boundary*1=b", b"ab"),
            (b"m/x", b""),
        ):
            self.assertEqual(boundary, parse_parameters(raw).boundary)

    def test_long(self) -> None:
        """Not more is read than anybody needs."""
        raw = b"a/b; n=1;" + b" " * VALUE_OCTETS + b"m=2"
        self.assertEqual({"n": "1"}, parse_parameters(raw).parameters)

    @given(VALUES)
    @example("a" * 150)
    def test_own_writer(self, filename: str) -> None:
        """A file name that is written here is read back."""
        raw = attachment_field(filename).partition(":")[2].encode()
        found = parse_parameters(raw.removesuffix(b"\r\n"))
        if "=?" not in filename:
            self.assertEqual(("attachment", filename), (found.word, found.parameters["filename"]))

    @given(st.text("a*0;=\"\\()/' %=?\r\n\tb", max_size=60) | st.binary(max_size=60))
    def test_anything(self, raw: str | bytes) -> None:
        """Whatever comes is read, as text that can be written."""
        found = parse_parameters(raw.encode() if isinstance(raw, str) else raw)
        for text in (found.word, *found.parameters, *found.parameters.values()):
            text.encode()
