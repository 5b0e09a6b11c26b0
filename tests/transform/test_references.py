from html.entities import html5

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.references import decoded


class DecodedTests(SynchronousTestCase):
    """What browsers read in the value of an attribute."""

    def test_named(self) -> None:
        """A name with its semicolon is its character, whatever follows."""
        for source, value in (
            ("?a=1&amp;b=2", "?a=1&b=2"),
            ("&lt;&gt;&quot;&apos;", "<>\"'"),
            ("&notin;=", "\u2209="),
            ("&NotEqualTilde;x", "\u2242\u0338x"),
            ("&AMP;", "&"),
        ):
            self.assertEqual(value, decoded(source), source)

    def test_without_semicolon(self) -> None:
        """An old name may do without, but not before an equals sign, a letter or a digit."""
        for source, value in (
            ("&copy", "\u00a9"),
            ("&copy/", "\u00a9/"),
            ("?a&copy&b", "?a\u00a9&b"),
            ("?a=1&copy=2", "?a=1&copy=2"),
            ("&copyx", "&copyx"),
            ("&copy2", "&copy2"),
            ("&notit;", "&notit;"),
            ("&ampamp;", "&ampamp;"),
            ("&copy\u00e9", "\u00a9\u00e9"),
        ):
            self.assertEqual(value, decoded(source), source)

    def test_unknown(self) -> None:
        """What is no reference stays as it is."""
        for source in ("&", "&;", "&#", "&#;", "&#x;", "&#xg", "&hellip", "&nosuch;", "& amp;"):
            self.assertEqual(source, decoded(source))

    def test_numeric(self) -> None:
        """A number is a code point, with or without the semicolon."""
        for source, value in (
            ("&#233;", "\u00e9"),
            ("&#233x", "\u00e9x"),
            ("&#xE9;&#Xe9=", "\u00e9\u00e9="),
            ("&#x1F600;", "\U0001f600"),
            ("&#00000000000000000000038;", "&"),
            ("&#13;", "\r"),
        ):
            self.assertEqual(value, decoded(source), source)

    def test_windows_1252(self) -> None:
        """References to C1 controls are taken for windows-1252, where that has a character."""
        self.assertEqual("\u20ac\u2019\u0178", decoded("&#128;&#x92;&#159;"))
        self.assertEqual("\x81\x9d", decoded("&#129;&#x9D;"))

    def test_impossible(self) -> None:
        """Numbers that are no character become the replacement character."""
        for number in ("0", "x0", "xD800", "57343", "x110000", "9999999", "9" * 10_000):
            self.assertEqual("\ufffd", decoded(f"&#{number};"), number[:10])

    def test_once(self) -> None:
        """What decoding brings forth is not decoded again."""
        self.assertEqual("&lt;", decoded("&amp;lt;"))
        self.assertEqual("&#60;", decoded("&#38;#60;"))

    def test_line_ends(self) -> None:
        """Every line end is a line feed, but for those that are written as references."""
        self.assertEqual("a\nb\nc\n\rd", decoded("a\r\nb\rc\n&#13;d"))

    @given(st.sampled_from(sorted(html5)), st.sampled_from(["", " ", "&", "/"]))
    def test_every_name(self, name: str, follows: str) -> None:
        """Every name of the standard is known."""
        self.assertEqual(html5[name] + follows, decoded(f"&{name}{follows}"))

    @given(st.text())
    def test_escaped(self, text: str) -> None:
        """Whatever is escaped comes back."""
        escaped = text.replace("&", "&amp;").replace("\r", "&#13;")
        self.assertEqual(text, decoded(escaped))
